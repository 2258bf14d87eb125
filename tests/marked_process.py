"""A process of a run, as far as anyone can see: its mark, and the name the kernel knows it by."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from serve_app import run_processes


@contextmanager
def marked_process(mark: str, *, name: str = "python", setup: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """It has done its `setup`, Python statements, and waits; afterwards it is killed."""
    program = f"{setup}\nopen('/proc/self/comm', 'w').write({name!r})\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | run_processes.environment(mark),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()
