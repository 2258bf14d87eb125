from pathlib import Path

import pytest

from tests.marked_process import marked_process
from tests.soak.vitals import CONNECTED, TASKS, held_by, name_of, unshared

SHARES = "import mmap; shared = mmap.mmap(-1, 64 << 20); shared.write(bytes(64 << 20))"
OPENS = "import socket; pair = socket.socketpair()"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("ray::ServeReplica:hello:Gateway", "ServeReplica:hello:Gateway"),
        ("postgres: postgres postgres [local] idle", "postgres: client"),
        ("postgres: app hello 10.0.0.7(51234) idle in transaction", "postgres: client"),
        ("postgres: checkpointer ", "postgres: checkpointer"),
        ("/x/bin/postgres -D /data/pgdata", "postgres"),
        ("/x/bin/python -m serve_app.launch config.yaml", "serve_app.launch"),
        ("/x/bin/python3.11 -u /x/ray/dashboard.py --port=1", "dashboard.py"),
        ("/x/raylet --worker_command=/x/setup_worker.py python", "raylet"),
    ],
)
def test_a_process_is_called_what_people_call_it(command: str, name: str) -> None:
    assert name_of(command) == name


def test_only_postgresqls_clients_are_connections() -> None:
    assert not CONNECTED.match("postgres: logical replication launcher ")
    assert not CONNECTED.match("postgres: io worker 0")


def test_memory_that_is_shared_is_not_counted() -> None:
    with marked_process("vitals") as plain, marked_process("vitals", setup=SHARES) as sharing:
        memory = [unshared(Path(f"/proc/{process.pid}/status")) for process in (plain, sharing)]
    assert abs(memory[1] - memory[0]) < 8 << 20


def test_open_files_and_sockets_are_counted() -> None:
    with marked_process("vitals") as plain, marked_process("vitals", setup=OPENS) as connected:
        few, more = held_by(plain.pid), held_by(connected.pid)
    assert few
    assert more
    assert (more.files - few.files, more.sockets - few.sockets) == (2, 2)


def test_a_process_that_is_gone_holds_nothing() -> None:
    with marked_process("vitals") as process:
        pass
    process.wait()
    assert held_by(process.pid) is None


def test_the_gauge_is_found_in_the_exposition() -> None:
    gauge = ['ray_hello_tasks{SessionName="s",WorkerId="a"} 31.0', 'ray_hello_tasks{WorkerId="b"} 2.0']
    text = "\n".join(["# TYPE ray_hello_tasks gauge", *gauge, ""])
    assert TASKS.findall(text) == ["31.0", "2.0"]
