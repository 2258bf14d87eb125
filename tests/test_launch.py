import json
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from serve_app import launch, run_processes
from serve_app.errors import ConfigurationError
from serve_app.ports_in_use import check_free, ports_of
from serve_app.run_environment import keep_apart, load_flags, new_folder, run_lock
from serve_app.terminal import Terminal
from tests.acceptance.server import free_ports

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, on import
    from ray.serve._private import constants

    from serve_app.local_cluster import read_config

FIRST_FREE_FOR_ALL = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.fixture(autouse=True)
def _environment_is_put_back() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@contextmanager
def listener(address: str = "127.0.0.1") -> Iterator[int]:
    with closing(socket.create_server((address, 0))) as server:
        yield server.getsockname()[1]


def moved_ports() -> dict[str, str]:
    stats, metrics, fallback, dashboard, calls = map(str, free_ports(5))
    return {
        "PORT": calls,
        "RAY_SERVE_HAPROXY_STATS_PORT": stats,
        "RAY_SERVE_HAPROXY_METRICS_PORT": metrics,
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": fallback,
        "DASHBOARD": dashboard,
    }


class TestPorts:
    def test_free_ports_pass(self) -> None:
        free = ports_of({**moved_ports(), "DASHBOARD": "0"})[:4]
        check_free(free)

    @pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
    def test_a_busy_port_is_told_with_its_purpose_and_variable(self, address: str) -> None:
        with listener(address) as number:
            ports = ports_of({**moved_ports(), "RAY_SERVE_HAPROXY_METRICS_PORT": str(number)})
            with pytest.raises(ConfigurationError) as error:
                check_free(ports[:4])
        assert f"port {number}" in error.value.message
        assert "HAProxy's metrics" in error.value.message
        assert "RAY_SERVE_HAPROXY_METRICS_PORT" in error.value.message

    def test_a_listener_that_shares_its_port_is_seen(self) -> None:
        with closing(socket.socket()) as shared:
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared.bind(("0.0.0.0", 0))
            shared.listen()
            port = ports_of({"PORT": str(shared.getsockname()[1])})[0]
            with pytest.raises(ConfigurationError, match=str(port.number)):
                check_free([port])

    def test_connections_that_linger_after_a_stop_do_not_count(self) -> None:
        with closing(socket.socket()) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as Serve's replicas listen
            server.bind(("127.0.0.1", 0))
            server.listen()
            number = server.getsockname()[1]
            client = socket.create_connection(("127.0.0.1", number))
            accepted, _ = server.accept()
            accepted.close()  # who closes first lingers
            client.close()
        with closing(socket.socket()) as probe, pytest.raises(OSError, match="in use"):
            probe.bind(("0.0.0.0", number))
        check_free([ports_of({"PORT": str(number)})[0]])

    @pytest.mark.skipif(os.geteuid() == 0 or FIRST_FREE_FOR_ALL < 2, reason="this user may bind every port")
    def test_a_port_reserved_for_root_is_told(self) -> None:
        with pytest.raises(ConfigurationError, match="reserved for root"):
            check_free([ports_of({"PORT": "1"})[0]])

    def test_every_busy_port_is_named(self) -> None:
        with listener() as one, listener() as other:
            ports = ports_of({**moved_ports(), "PORT": str(one), "DASHBOARD": str(other)})
            with pytest.raises(ConfigurationError) as error:
                check_free([port for port in ports if port.number in (one, other)])
        assert error.value.message.count("in use") == 2

    def test_the_dashboard_can_be_off(self) -> None:
        assert "DASHBOARD" in {port.variable for port in ports_of({})}
        assert "DASHBOARD" not in {port.variable for port in ports_of({"DASHBOARD": "0"})}

    @pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "80.5", "８０００"])
    def test_what_is_no_port_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigurationError, match="PORT="):
            ports_of({"PORT": text})

    def test_two_purposes_on_one_port_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="PORT and RAY_SERVE_HAPROXY_STATS_PORT both"):
            ports_of({"PORT": "8404"})


class TestFlags:
    def test_lines_are_read_and_the_environment_wins(self, tmp_path: Path) -> None:
        path = tmp_path / "flags.env"
        path.write_text("# why\nLAUNCH_TEST_NEW=a=b\n\nLAUNCH_TEST_SET=file\n")
        os.environ["LAUNCH_TEST_SET"] = "operator"
        load_flags(path)
        assert os.environ["LAUNCH_TEST_NEW"] == "a=b"
        assert os.environ["LAUNCH_TEST_SET"] == "operator"

    @pytest.mark.parametrize("line", ["export A=1", "A", "A B=1", "=1"])
    def test_other_lines_are_refused_with_their_number(self, tmp_path: Path, line: str) -> None:
        path = tmp_path / "flags.env"
        path.write_text(f"# comment\n{line}\n")
        with pytest.raises(ConfigurationError, match=":2 is not KEY=VALUE"):
            load_flags(path)

    def test_serve_knows_every_flag_of_ours(self) -> None:
        text = Path(constants.__file__).read_text()
        flags = [line.partition("=")[0] for line in (CONFIGS / "ray.env").read_text().splitlines() if line[:1] == "R"]
        assert len(flags) > 5
        assert [flag for flag in flags if flag.startswith("RAY_SERVE_") and f'"{flag}"' not in text] == []


class TestRunLock:
    def test_a_second_run_is_told_of_the_first(self, tmp_path: Path) -> None:
        with run_lock(tmp_path / "data" / "run.lock", "http://127.0.0.1:1234"):
            second = run_lock(tmp_path / "data" / "run.lock", "http://127.0.0.1:5678")
            with pytest.raises(ConfigurationError) as error:
                second.__enter__()
        assert "http://127.0.0.1:1234" in error.value.message
        assert str(os.getpid()) in error.value.message

    def test_it_is_free_again_after_a_failed_run(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), run_lock(tmp_path / "run.lock", "first"):
            raise ZeroDivisionError
        with run_lock(tmp_path / "run.lock", "second"):
            assert "second" in (tmp_path / "run.lock").read_text()


class TestFolder:
    def test_the_next_run_removes_the_last_ones(self, tmp_path: Path) -> None:
        first = new_folder(tmp_path / "run")
        (first / "log").write_text("x")
        second = new_folder(tmp_path / "run")
        try:
            assert not first.exists()
            assert (tmp_path / "run").resolve() == second
            assert second.stat().st_mode & 0o077 == 0
        finally:
            second.rmdir()

    def test_no_two_runs_share_a_file_of_haproxys(self, tmp_path: Path) -> None:
        def files(folder: str) -> set[str]:
            keep_apart(tmp_path / folder)
            return {value for key, value in os.environ.items() if key.startswith("RAY_SERVE_HAPROXY_")}

        assert files("a").isdisjoint(files("b"))
        assert len(files("a")) == 5

    def test_moved_replica_ports_keep_a_whole_range(self, tmp_path: Path) -> None:
        os.environ["RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT"] = "41000"
        keep_apart(tmp_path)
        assert os.environ["RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT"] == "42000"


class TestProcesses:
    @contextmanager
    def child(self, mark: str, program: str = "input()") -> Iterator[subprocess.Popen[bytes]]:
        environment = {**os.environ, run_processes.MARK: mark}
        command = [sys.executable, "-c", f"print(flush=True);{program}"]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it runs
            try:
                yield process
            finally:
                process.kill()

    def test_only_marked_ones_are_ended(self) -> None:
        with self.child("ours") as ours, self.child("others") as others:
            assert run_processes.marked("ours") == [ours.pid]
            run_processes.end("ours")
            assert ours.wait(5) == -signal.SIGTERM
            assert others.poll() is None

    def test_who_ignores_sigterm_is_killed(self) -> None:
        stubborn = "import signal;signal.signal(15,signal.SIG_IGN);print(flush=True);input()"
        with self.child("ours", stubborn) as process:
            assert process.stdout is not None
            process.stdout.readline()
            run_processes.end("ours", patience_s=0.1)
            assert process.wait(5) == -signal.SIGKILL

    def test_the_watchdog_ends_what_a_killed_launcher_leaves(self) -> None:
        launcher = (
            "import os,subprocess,sys,time\n"
            "from serve_app import run_processes\n"
            "with run_processes.watchdog('orphans'):\n"
            "    os.environ[run_processes.MARK] = 'orphans'\n"
            "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
            "    print(flush=True); os.kill(os.getpid(), 9)\n"
        )
        process = subprocess.Popen([sys.executable, "-c", launcher], stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            assert process.stdout.read() == b"\n"  # until the last holder of the pipe, the orphan, is gone
        assert process.returncode == -signal.SIGKILL
        assert run_processes.marked("orphans") == []


class TestConfig:
    def test_ours_is_complete(self) -> None:
        config = read_config(CONFIGS / "local.yaml", 8123)
        assert config.http_options.port == 8123
        (application,) = config.applications
        assert {deployment.name for deployment in application.deployments} == {
            "Gateway",
            "Vad",
            "LocalWhisper",
            "TtsProxy",
        }
        for deployment in application.deployments:
            scaling = deployment.autoscaling_config
            assert isinstance(scaling, dict), "adding one later would roll the replicas"
            assert scaling["target_ongoing_requests"] <= deployment.max_ongoing_requests

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ("proxy_location", "proxy_locations", "proxy_locations"),
            ("max_ongoing_requests", "max_ongoing", "max_ongoing"),
            ("num_cpus", "cpus", "cpus"),
            ("route_prefix", "prefix", "prefix"),
            ("applications:", "applications: 3 #", "no Serve config"),
            ("http_options:", "http_options: {", "no Serve config"),
        ],
    )
    def test_a_slip_in_a_key_is_told(self, tmp_path: Path, old: str, new: str, told: str) -> None:
        path = tmp_path / "slip.yaml"
        path.write_text((CONFIGS / "local.yaml").read_text().replace(old, new))
        with pytest.raises(ConfigurationError, match=told):
            read_config(path, 8000)

    def test_a_missing_file_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="No such file"):
            read_config(tmp_path / "none.yaml", 8000)


class TestTerminal:
    def test_a_step_is_one_line_also_after_a_remark(self, capfd: pytest.CaptureFixture[str]) -> None:
        terminal = Terminal()
        with terminal.step("first"):
            pass
        with terminal.step("second"):
            terminal.say("    still waiting")
        lines = capfd.readouterr().out.splitlines()
        assert lines[0].split() == ["first", "0.0", "s"]
        assert lines[1].split() == ["second"]
        assert lines[2] == "    still waiting"
        assert lines[3].split() == ["second", "0.0", "s"]

    def test_a_failed_step_says_so(self, capfd: pytest.CaptureFixture[str]) -> None:
        terminal = Terminal()
        with pytest.raises(ZeroDivisionError), terminal.step("first"):
            raise ZeroDivisionError
        assert capfd.readouterr().out.split() == ["first", "failed"]

    def test_other_output_goes_to_the_file(self, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        terminal = Terminal()
        with terminal.output_to(tmp_path / "log"):
            os.write(2, b"noise\n")
            terminal.say("seen")
        os.write(2, b"after\n")
        assert capfd.readouterr() == ("seen\n", "after\n")
        assert (tmp_path / "log").read_text() == "noise\n"


@contextmanager
def answering(*answers: tuple[int, bytes]) -> Iterator[str]:
    """A server that gives these answers in turn, the last one for ever."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/readyz"
        finally:
            server.shutdown()
            thread.join()


class TestReady:
    def test_it_waits_until_the_server_says_so(self) -> None:
        ready = {"status": "ready", "stt": "whisper"}
        with answering((503, b"loading"), (200, b"half a js"), (200, json.dumps(ready).encode())) as url:
            assert launch.await_ready(url) == ready

    def test_it_tells_the_last_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(launch, "READY_S", 0.0)
        with answering((503, b"no voice")) as url, pytest.raises(launch.LaunchError, match="503 no voice"):
            launch.await_ready(url)


class TestWords:
    def test_the_summary_names_the_urls_and_the_parts(self) -> None:
        text = launch.summary({"status": "ready", "stt": "whisper", "store": "PostgreSQL"}, "http://127.0.0.1:80", 9.6)
        assert "Ready in 10 s: http://127.0.0.1:80/" in text
        assert "ws://127.0.0.1:80/v1/convai/conversation?agent_id=default" in text
        assert "speech to text" in text
        assert "whisper" in text

    def test_a_traceback_is_told_by_its_last_exception(self) -> None:
        message = (
            "The deployment failed. Error:\n"
            "Traceback (most recent call last):\n"
            '  File "replica.py", line 3, in initialize\n'
            "    raise RuntimeError(traceback.format_exc()) from None\n"
            "RuntimeError: Traceback (most recent call last):\n"
            '  File "whisper.py", line 4, in __init__\n'
            "    load(path)\n"
            "    ^^^^^^^^^^\n"
            "ValueError: no model in /models\n  nor in the cache\n"
        )
        assert launch.in_short(message) == "ValueError: no model in /models\n  nor in the cache"

    def test_other_messages_are_kept(self) -> None:
        assert launch.in_short(" Deploying.\n") == "Deploying."
