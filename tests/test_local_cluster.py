import warnings
from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, on import
    from serve_app.local_cluster import ClusterError, in_short, read_config, told_in_short

CONFIGS = Path(__file__).parents[1] / "configs"


def test_ours_is_complete() -> None:
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
        ("target_ongoing_requests", "target_ongoing", "target_ongoing"),
        ("route_prefix", "prefix", "prefix"),
        ("applications:", "applications: 3 #", "no Serve config"),
        ("http_options:", "http_options: {", "no Serve config"),
    ],
)
def test_a_slip_in_a_key_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "slip.yaml"
    path.write_text((CONFIGS / "local.yaml").read_text().replace(old, new))
    with pytest.raises(ConfigurationError, match=told):
        read_config(path, 8000)


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("applications: [] # configuração".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="no Serve config"):
        read_config(path, 8000)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read_config(tmp_path / "none.yaml", 8000)


def test_a_traceback_is_told_by_its_last_exception() -> None:
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
    assert in_short(message) == "ValueError: no model in /models\n  nor in the cache"


def test_other_messages_are_kept() -> None:
    assert in_short(" Deploying.\n") == "Deploying."


def test_any_error_is_told_in_short() -> None:
    @told_in_short()
    def application() -> None:
        raise RuntimeError('Traceback:\n  File "x.py", line 3\n    status()\nActorDiedError: the controller died')

    with pytest.raises(ClusterError, match=r"^ActorDiedError: the controller died$"):
        application()


def test_an_error_without_words_is_told_by_its_name() -> None:
    with pytest.raises(ClusterError, match="TimeoutError"), told_in_short():
        raise TimeoutError
