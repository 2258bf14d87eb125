import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError
from serve_app.run_environment import keep_apart, load_flags, new_folder, run_lock

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, on import
    from ray.serve._private import constants

CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.fixture(autouse=True)
def _environment_is_put_back() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


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

    def test_an_empty_flag_counts_as_none(self, tmp_path: Path) -> None:
        path = tmp_path / "flags.env"
        path.write_text("RAY_LAUNCH_TEST=1\n")
        os.environ.update(RAY_LAUNCH_TEST="", RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT="")
        load_flags(path)
        assert os.environ["RAY_LAUNCH_TEST"] == "1"
        keep_apart(tmp_path)
        assert os.environ["RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT"] == "31000"

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

    @pytest.mark.parametrize("in_the_way", ["data", "data/run.lock"])
    def test_a_data_folder_that_cannot_be_used_is_told(self, tmp_path: Path, in_the_way: str) -> None:
        """As root every folder can be written: another kind of file is in the way."""
        if in_the_way == "data":
            (tmp_path / in_the_way).touch()
        else:
            (tmp_path / in_the_way).mkdir(parents=True)
        lock = run_lock(tmp_path / "data" / "run.lock", "http://127.0.0.1:1234")
        with pytest.raises(ConfigurationError, match="set DATA_DIR to a folder you can write"):
            lock.__enter__()

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_lock_of_another_users_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "run.lock").touch(mode=0o400)
        lock = run_lock(tmp_path / "run.lock", "http://127.0.0.1:1234")
        with pytest.raises(ConfigurationError, match=r"run\.lock: Permission denied"):
            lock.__enter__()


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

    def test_a_real_folder_in_its_place_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "run" / "precious").mkdir(parents=True)
        with pytest.raises(ConfigurationError, match="set DATA_DIR"):
            new_folder(tmp_path / "run")
        assert (tmp_path / "run" / "precious").exists()

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
