import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from serve_app import launch
from serve_app.errors import HelloError
from serve_app.serve_config import files
from serve_app.settings import Settings
from serve_app.terminal import Terminal
from tests.marked_process import marked_process

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, on import
    from tests.fakes.cluster import ScriptedCluster, State

RUNNING: State = ("RUNNING", {})
LOADING: State = ("DEPLOYING", {"LocalWhisper": "loading", "Vad": "UPDATING"})


@pytest.fixture
def folder() -> Path:
    """A run's folder, by whose name its processes are found. Nobody looks into it."""
    return Path(uuid4().hex)


@pytest.fixture
def _signals_are_put_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in launch.STOP_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "POLL_S", 0.0)
    monkeypatch.setattr(launch, "WATCH_S", 0.0)


@contextmanager
def ray_core(folder: Path, *names: str) -> Iterator[None]:
    """Processes of the run by these names."""
    with ExitStack() as running:
        for name in names:
            running.enter_context(marked_process(str(folder), name=name))
        yield


@pytest.mark.usefixtures("_signals_are_put_back")
class TestStart:
    def test_one_attempt_is_enough(self, folder: Path) -> None:
        cluster = ScriptedCluster(RUNNING)
        launch.start(cluster, folder, Terminal())
        assert cluster.calls == ["start_ray", "start_serve"]

    def test_a_second_attempt_starts_from_nothing(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        cluster = ScriptedCluster(RUNNING, failures=1)
        with marked_process(str(folder)) as left:
            launch.start(cluster, folder, Terminal())
            assert left.wait(5) == -signal.SIGTERM
        assert cluster.calls == ["start_ray", "start_serve", "stop", "start_ray", "start_serve"]
        assert "too busy\n    Once more." in capfd.readouterr().out

    def test_there_is_no_third_attempt(self, folder: Path) -> None:
        cluster = ScriptedCluster(RUNNING, failures=2)
        with pytest.raises(HelloError, match="too busy"):
            launch.start(cluster, folder, Terminal())
        assert cluster.calls.count("start_serve") == 2

    @pytest.mark.parametrize(("setting", "port"), [("", 8265), ("8300", 8300), ("0", None)])
    def test_the_dashboard_is_where_it_should_be(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, setting: str, port: int | None
    ) -> None:
        monkeypatch.setenv("DASHBOARD", setting)
        cluster = ScriptedCluster(RUNNING)
        launch.start(cluster, folder, Terminal())
        assert cluster.dashboard_port == port


class TestSigningSecret:
    def test_there_is_one_and_another_in_the_next_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made = []
        for _ in range(2):
            monkeypatch.setenv("SIGNING_SECRET", "")
            launch.share_signing_secret()
            made.append(os.environ["SIGNING_SECRET"])
        assert made[0] != made[1]
        environ = {"DATABASE_URL": "postgresql://localhost/hello", "SIGNING_SECRET": made[0]}
        assert Settings.from_environment(environ).signing_secret

    def test_the_operators_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SIGNING_SECRET", "of the operator's choice")
        launch.share_signing_secret()
        assert os.environ["SIGNING_SECRET"] == "of the operator's choice"


@pytest.mark.parametrize(("given", "chosen"), [("", "/data/journal"), ("/elsewhere", "/elsewhere")])
def test_the_journal_is_in_the_data_folder_unless_the_operator_says_where(
    monkeypatch: pytest.MonkeyPatch, given: str, chosen: str
) -> None:
    monkeypatch.setenv("JOURNAL_DIR", given)
    launch.share_journal(Path("/data"))
    assert os.environ["JOURNAL_DIR"] == chosen


def test_a_region_is_told_with_the_file_that_is_made_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REGION", "")  # put back afterwards
    monkeypatch.delenv("REGION")
    here = launch.region_here("us-east-1", tmp_path, Terminal())
    assert here.read_text(encoding="utf-8") == files.on_one_machine(files.config_of("us-east-1"))
    assert f"configs/us-east-1.yaml, on one machine: {here}" in capfd.readouterr().out
    assert os.environ["REGION"] == "us-east-1"


@pytest.mark.usefixtures("_at_once")
class TestApplication:
    def test_it_is_waited_for(self, capfd: pytest.CaptureFixture[str]) -> None:
        launch.await_application(ScriptedCluster(LOADING, LOADING, RUNNING), Terminal())
        assert capfd.readouterr().out == ""

    def test_what_a_long_wait_is_for_is_told(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(launch, "STILL_WAITING_S", -1.0)
        launch.await_application(ScriptedCluster(LOADING, RUNNING), Terminal())
        assert capfd.readouterr().out == "    still waiting for LocalWhisper, Vad\n"

    def test_a_failure_is_told_with_its_reason(self) -> None:
        failed = ("DEPLOY_FAILED", {"LocalWhisper": "ValueError: no model", "Vad": ""})
        with pytest.raises(launch.LaunchError) as error:
            launch.await_application(ScriptedCluster(LOADING, failed), Terminal())
        assert error.value.message == "The application did not start.\nLocalWhisper: ValueError: no model"

    def test_it_is_not_waited_for_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(launch, "APPLICATION_S", -1.0)
        with pytest.raises(launch.LaunchError, match="LocalWhisper: loading"):
            launch.await_application(ScriptedCluster(LOADING), Terminal())


@pytest.mark.usefixtures("_at_once")
class TestStay:
    def test_a_change_of_state_is_told_once(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        unhealthy = ("UNHEALTHY", {"Vad": "one replica died"})
        cluster = ScriptedCluster(RUNNING, unhealthy, unhealthy, RUNNING, ("NOT_STARTED", {}))
        with ray_core(folder, *launch.RAY_CORE), pytest.raises(launch.LaunchError, match="was removed"):
            launch.stay(cluster, folder, Terminal(), iter(()))
        said = "The application is UNHEALTHY.\nVad: one replica died\nThe application is RUNNING.\n"
        assert capfd.readouterr().out == said

    @pytest.mark.parametrize(("left", "dead"), [("raylet", "gcs_server"), ("gcs_server", "raylet")])
    def test_half_of_ray_is_not_enough(self, folder: Path, left: str, dead: str) -> None:
        with ray_core(folder, left), pytest.raises(launch.LaunchError, match=rf"Ray has died \({dead}\)"):
            launch.stay(ScriptedCluster(RUNNING), folder, Terminal(), iter(()))


INTERRUPTED = """
import os, signal, sys, threading
from serve_app import launch
from serve_app.terminal import Terminal

launch.stop_on_signals(Terminal())
if sys.argv[1] == "two threads":  # the system may give the signal to either
    threading.Thread(target=threading.Event().wait, daemon=True).start()
try:
    with launch.uninterrupted():
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(0.2)  # by then it has been given to one
        print("all of it", flush=True)
except KeyboardInterrupt:
    print("then the end", flush=True)
"""


@pytest.mark.parametrize("threads", ["one thread", "two threads"])
def test_a_stop_signal_waits_for_the_end_of_what_may_not_be_interrupted(threads: str) -> None:
    """In a process of its own: a signal that came too late would end the tests."""
    run = subprocess.run([sys.executable, "-c", INTERRUPTED, threads], capture_output=True, text=True, timeout=30)
    said = [line for line in run.stdout.splitlines() if line]
    assert said == ["all of it", "Stopping. (Ctrl-C again: at once.)", "then the end"], run.stderr


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


@pytest.mark.usefixtures("_at_once")
class TestReady:
    def test_it_waits_until_the_server_says_so(self) -> None:
        ready = {"status": "ready", "stt": "whisper"}
        with answering((503, b"loading"), (200, b"half a js"), (200, json.dumps(ready).encode())) as url:
            assert launch.await_ready(url) == ready

    def test_it_tells_the_last_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(launch, "READY_S", 0.0)
        with answering((503, b"no voice")) as url, pytest.raises(launch.LaunchError, match="503 no voice"):
            launch.await_ready(url)

    def test_no_proxy_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.delenv("no_proxy", raising=False)
        with answering((200, b"{}")) as url:
            assert launch.await_ready(url) == {}


LISTENING = "Speech recognition: the small bundled model."


def ready(stt: str) -> tuple[int, bytes]:
    return 200, json.dumps({"stt": f"{LISTENING} {stt}"}).encode()


class TestModelProgress:
    @staticmethod
    def shown(*answers: tuple[int, bytes], capfd: pytest.CaptureFixture[str]) -> list[str]:
        """The lines of the launcher that is given these answers in turn, the first of them at the start."""
        with answering(*answers[1:]) as url:
            list(launch.model_progress(url, json.loads(answers[0][1]), Terminal()))
        return [" ".join(line.split()) for line in capfd.readouterr().out.splitlines()]

    def test_each_tenth_is_told_and_the_change(self, capfd: pytest.CaptureFixture[str]) -> None:
        on_its_way = [ready(f"Downloading small: {percent} % of 486 MB.") for percent in (0, 4, 31, 39, 60)]
        loading, done = ready("small is here and is being loaded."), ready("Whisper from /cache.")
        lines = self.shown(*on_its_way, loading, (503, b"busy"), done, capfd=capfd)
        assert [line.split(" ", 1)[0] for line in lines[:3]] == ["small"] * 3
        assert [line[-4:].strip() for line in lines[:3]] == ["0 %", "31 %", "60 %"]
        assert lines[3:] == [f"speech to text {LISTENING} Whisper from /cache."]

    def test_a_failure_is_told_once_and_another_attempt_waited_for(self, capfd: pytest.CaptureFixture[str]) -> None:
        again = ready("small could not be downloaded: no network. The next attempt comes in 10 s.")
        lines = self.shown(
            ready("Downloading small: 0 %."), again, again, ready("small could not be had."), capfd=capfd
        )
        assert lines[1:] == [f"speech to text {LISTENING} small could not be had."]

    def test_nothing_is_asked_where_nothing_is_on_its_way(self) -> None:
        assert list(launch.model_progress("http://127.0.0.1:1/", {"stt": LISTENING}, Terminal())) == []
        assert list(launch.model_progress("http://127.0.0.1:1/", {}, Terminal())) == []


def test_the_summary_names_the_urls_and_the_parts() -> None:
    text = launch.summary({"status": "ready", "stt": "whisper", "store": "PostgreSQL"}, "http://127.0.0.1:80", 9.6)
    assert "Ready in 10 s: http://127.0.0.1:80/" in text
    assert "ws://127.0.0.1:80/v1/convai/conversation?agent_id=default" in text
    assert "speech to text" in text
    assert "whisper" in text
