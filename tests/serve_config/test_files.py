"""The configs that are committed: as made, as Serve takes them, and what of them may change while calls go on."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app.errors import ConfigurationError
from serve_app.serve_config import files

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, on import
    from ray.serve._private.config import DeploymentConfig
    from ray.serve._private.deploy_utils import get_app_code_version
    from ray.serve._private.version import DeploymentVersion

    from serve_app.serve_config.check import check
    from serve_app.serve_config.serve_schema import taken_by_serve

REGIONS = files.regions()


def text_of(name: str) -> str:
    return files.config_of(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", files.names())
def test_ours_are_as_made_well_and_taken_by_serve(name: str) -> None:
    text = text_of(name)
    assert text == files.made(name), "make configs"
    assert check(text, region=name)[1] == []
    assert max(map(len, text.splitlines())) <= 120
    (application,) = taken_by_serve(yaml.safe_load(text)).applications
    assert len(application.deployments) == 4


@pytest.mark.parametrize("name", REGIONS)
def test_a_region_starts_nothing_in_another_ones_cluster(name: str) -> None:
    for deployment in deployments(yaml.safe_load(text_of(name))).values():
        options = deployment["ray_actor_options"]
        selectors = [options, *options.get("fallback_strategy", [])]
        assert {each["label_selector"]["ray.io/availability-region"] for each in selectors} == {name}


@pytest.mark.parametrize("name", REGIONS)
def test_a_region_on_one_machine_needs_neither_gpu_nor_labels(name: str) -> None:
    text = files.on_one_machine(files.config_of(name))
    assert check(text, longest_call_s=3600)[1] == []
    config = yaml.safe_load(text)
    assert config["applications"][0]["args"]["whisper_device"] == "cpu"
    local = deployments(yaml.safe_load(text_of("local")))
    for name_of_it, deployment in deployments(config).items():
        assert deployment["ray_actor_options"] == local[name_of_it]["ray_actor_options"]
        scaling = deployment["autoscaling_config"]
        assert (scaling["min_replicas"], scaling["max_replicas"]) == (1, 1)


def test_a_region_that_is_not_there_is_told_with_those_that_are() -> None:
    assert files.region_config("sa-east-1") == files.config_of("sa-east-1")
    for unknown in ("sa-east-2", "local", "base", "../configs/sa-east-1"):
        with pytest.raises(ConfigurationError, match=f"there are {', '.join(REGIONS)}$"):
            files.region_config(unknown)


@pytest.fixture
def overlays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One folder, with a base above it, and two overlays in it."""
    monkeypatch.setattr(files, "CONFIGS", tmp_path)
    (tmp_path / "overlays").mkdir()
    (tmp_path / "base.yaml").write_text("a: 1\n", encoding="utf-8")
    for name in ("local", "sa-east-1"):
        (tmp_path / "overlays" / f"{name}.yaml").write_text("b: 2\n", encoding="utf-8")
    return tmp_path / "overlays"


@pytest.mark.parametrize(
    "name", ["base.yaml", "template.yaml", "eu-west-1 (copy).yaml", "EU.yaml", "xx.yml", "xx.yaml.orig", "notes"]
)
def test_what_is_no_overlay_is_named(overlays: Path, name: str) -> None:
    assert files.names() == ["local", "sa-east-1"]
    (overlays / ".sa-east-1.yaml.swp").touch()  # an editor's, while it is open
    assert files.names() == ["local", "sa-east-1"]
    (overlays / name).touch()
    with pytest.raises(ConfigurationError) as refused:
        files.names()
    assert f"rename {name} in" in refused.value.message


@pytest.mark.parametrize("name", ["base-2", "my-base", "template2"])
def test_names_that_only_sound_like_ours_are_well(overlays: Path, name: str) -> None:
    (overlays / f"{name}.yaml").touch()
    assert name in files.names()


@pytest.mark.usefixtures("overlays")
def test_a_region_that_is_not_made_yet_is_told_with_what_makes_it() -> None:
    with pytest.raises(ConfigurationError, match=r"sa-east-1\.yaml is not there yet: `make configs` makes it"):
        files.region_config("sa-east-1")


def test_an_overlay_that_is_no_text_is_named(overlays: Path) -> None:
    (overlays / "sa-east-1.yaml").write_bytes("# São Paulo\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"sa-east-1\.yaml is no text"):
        files.made("sa-east-1")


@pytest.mark.parametrize(
    ("deployment", "changes"),
    [
        ("Gateway", {"user_config": {"max_conversations": 70, "scaling": {"spare_places": 1}}}),
        ("Gateway", {"autoscaling_config": {"min_replicas": 3, "max_replicas": 9, "target_ongoing_requests": 50}}),
        ("LocalWhisper", {"autoscaling_config": {"min_replicas": 0, "downscale_delay_s": 1}}),
        ("Vad", {"max_ongoing_requests": 40, "max_surge_percent": 50, "health_check_period_s": 5}),
        ("Gateway", {"graceful_shutdown_timeout_s": 700}),
    ],
)
def test_numbers_change_while_calls_go_on(deployment: str, changes: dict[str, Any]) -> None:
    assert not restarts(deployment, changes)


@pytest.mark.parametrize(
    ("deployment", "changes"),
    [
        ("Vad", {"ray_actor_options": {"num_cpus": 2}}),
        ("LocalWhisper", {"ray_actor_options": {"num_gpus": 1}}),
        ("Vad", {"max_replicas_per_node": 1}),
    ],
)
def test_what_restarts_replicas_is_known(deployment: str, changes: dict[str, Any]) -> None:
    assert restarts(deployment, changes)


@pytest.mark.parametrize("key", ["args", "autoscaling_policy", "runtime_env"])
def test_what_restarts_all_replicas_is_known(key: str) -> None:
    config = yaml.safe_load(text_of("sa-east-1"))
    config["applications"][0][key] = {"changed": True}
    assert version(config, "Vad").requires_actor_restart(version(yaml.safe_load(text_of("sa-east-1")), "Vad"))


def restarts(deployment: str, changes: dict[str, Any]) -> bool:
    """Whether Serve would restart its replicas for it. By its own judgement."""
    old, new = yaml.safe_load(text_of("sa-east-1")), yaml.safe_load(text_of("sa-east-1"))
    target = deployments(new)[deployment]
    for key, value in changes.items():
        target[key] = target[key] | value if isinstance(value, dict) else value
    assert new != old
    return bool(version(old, deployment).requires_actor_restart(version(new, deployment)))


def version(config: dict[str, Any], deployment: str) -> DeploymentVersion:
    """As the controller reckons it when it is given the config."""
    (application,) = taken_by_serve(config).applications
    options = next(each for each in application.deployments if each.name == deployment)
    said = options.model_dump(exclude_unset=True)
    numbers = {key: value for key, value in said.items() if key in DeploymentConfig.model_fields}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The `metrics_interval_s` field", DeprecationWarning)
        taken = DeploymentConfig.from_default(**numbers)
    return DeploymentVersion(
        get_app_code_version(application),
        taken,
        said["ray_actor_options"],
        max_replicas_per_node=said.get("max_replicas_per_node"),
    )


def deployments(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in config["applications"][0]["deployments"]}
