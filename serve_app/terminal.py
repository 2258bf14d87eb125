"""What the operator of `make run` sees: one line per step, with its seconds."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME_WIDTH = 24
BAR_WIDTH = 25


class Terminal:
    """The real standard output, also while the process' own goes to a file.

    It writes at once and unbuffered, so a signal handler may use it in the middle of another line. When nobody reads
    it any more, what is said is lost, and the server is stopped all the same.
    """

    def __init__(self) -> None:
        self._descriptor = os.dup(1)
        self._open_step = ""
        self._progress = -1

    def say(self, text: str = "") -> None:
        """A line. In the middle of a step, the step's line is begun again when the step ends."""
        self._write(f"\n{text}\n" if self._open_step else f"{text}\n")
        self._open_step = ""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        self._begin(name)
        try:
            yield
        except Exception:
            self._end(name, "failed")
            raise
        self._end(name, f"{time.monotonic() - started:5.1f} s")

    def progress(self, name: str, percent: int) -> None:
        """A bar, drawn over the one before. Where nothing can be drawn over, a line every 10 %."""
        line = f"  {name:<{NAME_WIDTH}}{'#' * (percent * BAR_WIDTH // 100):.<{BAR_WIDTH}} {percent:3} %"
        if os.isatty(self._descriptor):
            self._write(f"\r{line}")
            self._open_step = name
        elif percent // 10 != self._progress // 10:
            self.say(line)
        self._progress = percent

    @contextmanager
    def output_to(self, path: Path) -> Iterator[None]:
        """While the block runs, whatever the process prints, from C++ too, is added to a file instead."""
        sys.stdout.flush()
        before = [os.dup(1), os.dup(2)]
        with path.open("ab") as file:
            for standard in (1, 2):
                os.dup2(file.fileno(), standard)
        try:
            yield
        finally:
            sys.stdout.flush()
            for standard, original in zip((1, 2), before, strict=True):
                os.dup2(original, standard)
                os.close(original)

    def _begin(self, name: str) -> None:
        self._write(f"  {name:<{NAME_WIDTH}}")
        self._open_step = name

    def _end(self, name: str, outcome: str) -> None:
        if not self._open_step:
            self._begin(name)
        self._write(f"{outcome}\n")
        self._open_step = ""

    def _write(self, text: str) -> None:
        try:
            os.write(self._descriptor, text.encode())
        except OSError:
            pass
