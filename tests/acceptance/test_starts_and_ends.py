"""Starts that must not be, and an end that nobody could prepare for."""

import shutil
import socket
import time
from contextlib import closing
from pathlib import Path

from serve_app import run_processes
from tests.acceptance.server import Server, launcher, wait_until_ready

REFUSED_WITHIN_S = 10.0  # nothing is started: mostly Python's own start
RAY_AGENTS = {"ray::DashboardA", "ray::RuntimeEnv"}  # they write their titles where their environment stood
GONE_WITHIN_S = 30.0  # three seconds, on a machine that has nothing else to do


def test_a_second_run_on_the_same_data_is_refused(server: Server) -> None:
    with launcher(server.data_dir) as second:
        assert second.process.wait(REFUSED_WITHIN_S) == 1
        assert f"it runs already: process {server.process.pid}, {server.url}. Stop that one first." in second.log


def test_a_busy_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        with launcher(tmp_path, RAY_SERVE_HAPROXY_STATS_PORT=str(port)) as refused:
            assert refused.process.wait(REFUSED_WITHIN_S) == 1
            assert f"port {port}, for HAProxy's statistics, is in use: set RAY_SERVE_HAPROXY_STATS_PORT" in refused.log
            assert not (tmp_path / "run").exists()
            assert not (tmp_path / "postgres").exists()


def test_a_killed_launcher_leaves_no_process(tmp_path: Path, database_url: str) -> None:
    with launcher(tmp_path, DATABASE_URL=database_url) as server:
        wait_until_ready(server)
        programs = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in server.pids()}
        assert programs >= {"gcs_server", "raylet", "haproxy", *RAY_AGENTS}
        assert run_processes.names(str((tmp_path / "run").resolve())) >= RAY_AGENTS
        server.process.kill()
        killed = time.monotonic()
        server.process.wait()
        while server.pids():
            assert time.monotonic() - killed < GONE_WITHIN_S, server.left_running()
            time.sleep(0.1)
    shutil.rmtree((tmp_path / "run").resolve())
