"""Real processes, under the names that Ray gives its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

from tests.acceptance.server import TEST_MARK
from tests.chaos.parts import CONTROLLER, descendants, parts, send

WAITS = "import sys; print('up', flush=True); sys.stdin.read()"


@contextmanager
def running(name: str, mark: str) -> Iterator[subprocess.Popen[str]]:
    """A process that waits, called `name`."""
    process = subprocess.Popen(
        [name, "-c", WAITS],
        executable=sys.executable,
        env={**os.environ, TEST_MARK: mark},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    process.stdout.readline()
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_replicas_are_found_by_deployment_and_age() -> None:
    mark = uuid4().hex
    names = ["ray::ServeReplica:hello:Gateway.run", "ray::ServeController.listen", "ray::ServeReplica:hello:Gateway"]
    with ExitStack() as stack:
        pids = []
        for name in names:
            pids.append(stack.enter_context(running(name, mark)).pid)
            time.sleep(2 / os.sysconf("SC_CLK_TCK"))  # the kernel counts ages in ticks
        stack.enter_context(running(names[0], uuid4().hex))  # another server's
        stack.enter_context(running("ray::IDLE", mark))
        assert parts(mark) == {"Gateway": [pids[0], pids[2]], CONTROLLER: [pids[1]]}


def test_a_part_that_is_killed_is_found_no_more() -> None:
    mark = uuid4().hex
    with running("ray::ServeReplica:hello:Vad", mark) as process:
        send(signal.SIGKILL, parts(mark)["Vad"])
        process.wait(5)
        assert parts(mark) == {}
        send(signal.SIGKILL, [process.pid])  # one that is gone is no error


def test_descendants_are_all_generations() -> None:
    with subprocess.Popen(
        ["sh", "-c", "sh -c 'sleep 60; :' & echo; wait"], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        parent.stdout.readline()
        deadline = time.monotonic() + 5
        while len(found := descendants(parent.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        send(signal.SIGKILL, found)
        assert len(found) == 3
        assert found[0] == parent.pid
