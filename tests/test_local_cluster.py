import warnings
from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, on import
    from serve_app.local_cluster import ClusterError, in_short, read_config, told_in_short

CONFIGS = Path(__file__).parents[1] / "configs"


def test_ours_is_taken_with_the_port_of_this_run() -> None:
    config = read_config(CONFIGS / "local.yaml", 8123)
    assert config.http_options.port == 8123
    assert len(config.applications) == 1


def test_what_the_check_refuses_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slip.yaml"
    path.write_text((CONFIGS / "local.yaml").read_text(encoding="utf-8").replace("num_cpus", "cpus"), encoding="utf-8")
    with pytest.raises(
        ConfigurationError, match=r"slip\.yaml:\d+: deployments\.Gateway\.ray_actor_options\.cpus: Serve"
    ):
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
