import signal
import subprocess
import sys
from uuid import uuid4

import pytest

from serve_app import run_processes
from tests.marked_process import marked_process


@pytest.fixture
def mark() -> str:
    """A test's own: all the machine's processes are looked through."""
    return uuid4().hex


def test_only_marked_ones_are_ended(mark: str) -> None:
    with marked_process(mark) as ours, marked_process(uuid4().hex) as another:
        assert run_processes.marked(mark) == [ours.pid]
        run_processes.end(mark)
        assert ours.wait(5) == -signal.SIGTERM
        assert another.poll() is None


def test_they_are_known_by_name(mark: str) -> None:
    with marked_process(mark, name="raylet"), marked_process(uuid4().hex, name="gcs_server"):
        assert run_processes.names(mark) == {"raylet"}


def test_who_ignores_sigterm_is_killed(mark: str) -> None:
    with marked_process(mark, setup="import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)") as process:
        run_processes.end(mark, patience_s=0.1)
        assert process.wait(5) == -signal.SIGKILL


def test_the_watchdog_ends_what_a_killed_launcher_leaves(mark: str) -> None:
    launcher = (
        "import os,subprocess,sys\n"
        "from serve_app import run_processes\n"
        f"with run_processes.watchdog('{mark}'):\n"
        f"    os.environ[run_processes.MARK] = '{mark}'\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "    print(flush=True); os.kill(os.getpid(), 9)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", launcher], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.read() == b"\n"  # until the last holder of the pipe, the orphan, is gone
    assert process.returncode == -signal.SIGKILL
    assert run_processes.marked(mark) == []
