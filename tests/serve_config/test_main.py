import warnings
from pathlib import Path

import pytest

from serve_app.serve_config import files

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, on import
    from serve_app.serve_config.__main__ import main


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["serve_config", *arguments])
    return main()


def test_those_of_others_are_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    local = files.config_of("local")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(local.read_text(encoding="utf-8").replace("proxy_location", "proxy"), encoding="utf-8")
    assert run(monkeypatch, "check", str(local)) == 0
    assert run(monkeypatch, "check", str(local), str(wrong)) == 1
    told = capfd.readouterr().out
    assert told.count("local.yaml is well") == 2
    assert f"{wrong}:" in told


def test_what_regions_must_outlast_is_their_agents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "long.yaml").write_text("conversation_config: {conversation: {max_duration_seconds: 900}}\n")
    monkeypatch.setenv("AGENTS_DIR", str(tmp_path))
    assert run(monkeypatch, "check", str(files.config_of("eu-west-1"))) == 1
    assert "the longest call of the agents takes 900 s" in capfd.readouterr().out


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of ours, as made."""
    for path in [*files.CONFIGS.rglob("*.yaml"), files.CONFIGS / "ray.env"]:
        copy = tmp_path / path.relative_to(files.CONFIGS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(files, "CONFIGS", tmp_path)
    assert run(monkeypatch, "make") == 0
    return tmp_path


def test_making_them_anew_writes_all_and_says_which_were_old(
    configs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    overlay = configs / "overlays" / "eu-west-1.yaml"
    overlay.write_text(overlay.read_text(encoding="utf-8").replace("max_replicas: 4", "max_replicas: 5"))
    assert run(monkeypatch, "check") == 1
    assert "eu-west-1.yaml" in capfd.readouterr().out.splitlines()[-1]
    assert run(monkeypatch, "make") == 0
    assert "max_replicas: 5" in files.config_of("eu-west-1").read_text(encoding="utf-8")
    assert run(monkeypatch, "check") == 0


def test_a_region_that_is_gone_leaves_nothing_behind_unnoticed(
    configs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (configs / "overlays" / "eu-west-1.yaml").unlink()
    (configs / "own.yaml").write_text("# Not made: nobody asks what it is\n", encoding="utf-8")
    assert run(monkeypatch, "make") == 0
    assert run(monkeypatch, "check") == 1
    assert capfd.readouterr().out.splitlines()[-1] == (
        "eu-west-1.yaml, kubernetes/eu-west-1.yaml: made of an overlay that is gone; take it out"
    )


def test_a_config_that_cannot_be_written_is_named(
    configs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    files.config_of("local").unlink()
    files.config_of("local").mkdir()
    assert run(monkeypatch, "make") == 1
    assert f"cannot write {configs / 'local.yaml'}: Is a directory" in capfd.readouterr().out
