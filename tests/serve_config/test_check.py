"""Every slip in a region's config is refused, and told with its line."""

import copy
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve_app.errors import ConfigurationError
from serve_app.serve_config import files

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, on import
    from ray.serve._private.build_app import build_app

    from serve_app import app
    from serve_app.serve_config.check import check, checked
    from serve_app.serve_config.graph import USER_CONFIGS, deployment_names
    from serve_app.serve_config.problem import Problem, told

REGION = files.config_of("sa-east-1").read_text(encoding="utf-8")
LAPTOP = files.config_of("local").read_text(encoding="utf-8")

WHOLE, GATEWAY, VAD, WHISPER, TTS = "", "Gateway", "Vad", "LocalWhisper", "TtsProxy"
SELECTOR, GROUP = "label_selector:", "ray.io/node-group: gateway"
OF, IN = "\n          ", "\n            "
"""New lines of ray_actor_options, and of a selector in it."""
FALLBACK = "deployments.LocalWhisper.ray_actor_options.fallback_strategy"

# Where (a deployment, or the whole), what becomes of what, what stands in the line that is told, and the message.
MUTATIONS = [
    # a key that nobody knows
    (WHOLE, "proxy_location:", "proxy_locations:", "proxy_locations:", "did you mean proxy_location"),
    (WHOLE, "  host:", "  hosts:", "  hosts:", "http_options.hosts: .* did you mean host"),
    (WHOLE, "log_level:", "loglevel:", "loglevel:", "logging_config.loglevel: .* did you mean log_level"),
    (WHOLE, "route_prefix:", "route:", "route:", "applications.hello.route: Serve knows no such key"),
    (WHOLE, "whisper_device:", "device:", "device:", "applications.hello.args.device: .* whisper_device"),
    (WHOLE, "{policy_function:", "{function:", "{function:", r"autoscaling_policy\.function: .* policy_function"),
    (
        GATEWAY,
        "max_ongoing_requests",
        "max_ongoin",
        "max_ongoin:",
        r"deployments\.Gateway\.max_ongoin: .* mean max_ongo",
    ),
    (
        VAD,
        "upscale_delay_s",
        "upscale_delay",
        "upscale_delay:",
        r"Vad\.autoscaling_config\.upscale_delay: .* upscale_d",
    ),
    (TTS, "num_cpus", "num_cpu", "num_cpu:", r"TtsProxy\.ray_actor_options\.num_cpu: .* mean num_cpus"),
    (
        GATEWAY,
        "max_conversations:",
        "conversations:",
        " conversations: 80",
        r"Gateway\.user_config\.conversations: our user",
    ),
    (GATEWAY, "turns: null", "turn: null", "turn: null", r"a_minute_per_conversation\.turn: .* turns"),
    (GATEWAY, "until:", "to:", " to:", r"scaling\.schedule\.0\.to: our user_config knows no"),
    (GATEWAY, "Vad: 4", "vad: 4", "vad: 4", r"schedule\.0\.replicas\.vad: .* mean Vad"),
    (TTS, GROUP, f"{GROUP}{IN}ray.io/market: spot", "market: spot", r"TtsProxy.*Ray knows no .*/market-type"),
    (TTS, SELECTOR, f"fallback_strategy: [{{labels: {{}}}}]{OF}{SELECTOR}", "labels: {}", r"\.0\.labels: Ray knows no"),
    # on the wrong level
    (VAD, "          min_replicas: 2", "        min_replicas: 2", " max_replicas: 10", "no YAML"),
    (
        VAD,
        "          min_replicas: 2\n",
        "          min_replicas: 2\n        upscale_delay_s: 1\n",
        " max_replicas",
        "no YAML",
    ),
    (
        TTS,
        "        user_config:",
        "        generations: 9\n        user_config:",
        " generations: 9",
        "TtsProxy.generations: Se",
    ),
    (
        GATEWAY,
        "        user_config:",
        "        max_conversations: 9\n        user_config:",
        "ions: 9",
        "move it to the block",
    ),
    (
        TTS,
        "          generations: 10",
        "          max_replicas: 10",
        "max_replicas: 10",
        "user_config.max_replicas: our user",
    ),
    (
        WHOLE,
        "http_options:",
        "max_surge_percent: 100\nhttp_options:",
        "max_surge",
        "^max_surge_percent: Serve knows no",
    ),
    # a key that is gone
    (WHOLE, "proxy_location: EveryNode\n", "", "# Made by", "proxy_location: it is missing"),
    (WHOLE, "    import_path: serve_app.app:build\n", "", "- name: hello", "import_path: it is missing"),
    (WHOLE, "  encoding: JSON\n", "", "logging_config:", r"logging_config\.encoding: it is missing: say JSON"),
    (GATEWAY, "        graceful_shutdown_timeout_s: 690", "        #", "- name: Gateway", "timeout_s: it is missing"),
    (VAD, "        max_surge_percent: 100\n", "", "- name: Vad", r"Vad\.max_surge_percent: it is missing"),
    (
        VAD,
        "          min_replicas: 2\n",
        "",
        "autoscaling_config:",
        r"Vad\.autoscaling_config\.min_replicas: it is miss",
    ),
    (
        TTS,
        "          num_cpus: 0.5\n",
        "",
        "ray_actor_options:",
        r"TtsProxy\.ray_actor_options\.num_cpus: it is missing",
    ),
    (TTS, "          generations: 10\n", "", "user_config:", r"TtsProxy\.user_config: Expected `object`, got `null`"),
    (
        VAD,
        "      - name: Vad\n",
        "      - name: Wad\n",
        "- name: Wad",
        "there is no such deployment: there are Gateway, L",
    ),
    (GATEWAY, "          ping_every_s: 15\n", "", "user_config:", "ping_every_s: it is missing: say 15.0 if"),
    (GATEWAY, '                from: "07:45"\n', "", "- days: [mon", "schedule.0.from: it is missing"),
    (GATEWAY, "            spare_places: 64", "            #", " scaling:", "scaling.spare_places: it is missing"),
    (WHOLE, "      whisper_device: cuda\n", "", "    args:", 'whisper_device: it is missing: say "cpu" if'),
    (
        WHISPER,
        "          downscale_to_zero_delay_s: 1800\n",
        "",
        "autoscaling_config:",
        "to_zero_delay_s: it is missing: say how long it",
    ),
    # nodes that nobody has
    (WHISPER, "node-group: gpu", "node-group: gpus", ": gpus", "node-group: say gpu: it takes a share of a GPU"),
    (VAD, "node-group: gateway", "node-group: gate", "gate\n", "say gateway or gpu: no nodes of ours are in another"),
    (VAD, "region: sa-east-1", "region: us-east-1", "us-east-1", "say sa-east-1: this config is that region's"),
    (
        TTS,
        "            ray.io/availability-region: sa-east-1\n",
        "",
        "label_selector:",
        "say the region's name, or it runs in any",
    ),
    (TTS, GROUP, f"{GROUP}{IN}ray.io/market-type: cheap", "cheap", "say spot or on-demand"),
    # the wrong type, or out of bounds
    (WHOLE, "  port: 8000", "  port: 80000", "80000", "ports are 1 to 65535"),
    (WHOLE, "0.0.0.0", "localhost", "localhost", "host: say 0.0.0.0"),
    (WHOLE, "route_prefix: /", "route_prefix: /hello", "/hello", "route_prefix: say /: clients ask for /v1"),
    (WHOLE, "whisper_device: cuda", "whisper_device: gpu", ": gpu", "Input should be 'cpu' or 'cuda'"),
    (WHOLE, "EveryNode", "Everywhere", "Everywhere", "proxy_location: .*'EveryNode', not Everywhere"),
    (GATEWAY, "max_ongoing_requests: 120", 'max_ongoing_requests: "120"', '"120"', 'valid integer, not "120"'),
    (GATEWAY, "max_ongoing_requests: 120", "max_ongoing_requests: yes", ": yes", "valid integer, not yes"),
    (GATEWAY, "max_conversations: 80", "max_conversations: 80.5", "80.5", "Expected `int`, got `float`"),
    (
        GATEWAY,
        "speculation: tts",
        "speculation: all",
        ": all",
        r"Gateway\.user_config\.speculation: Invalid enum value",
    ),
    (GATEWAY, "America/Sao_Paulo", "America/Rio", " scaling:", "there is no timezone"),
    (GATEWAY, '"07:45"', '"7:45"', '"7:45"', r"schedule\.0\.from: Expected `str` matching"),
    (WHISPER, "batch_wait_s: 0.0", "batch_wait_s: 1", "batch_wait_s: 1", "Expected `float` <= 0.1"),
    (
        VAD,
        "max_surge_percent: 100",
        "max_surge_percent: 0",
        "percent: 0",
        "say 1 to 100: Serve would stop old replicas",
    ),
    (VAD, "max_surge_percent: 100", "max_surge_percent: 200", "percent: 200", "less than or equal to 100, not 200"),
    (
        VAD,
        "max_replicas: 10",
        "max_replicas: 1",
        "autoscaling_config:",
        "must be greater than or equal to min_replicas",
    ),
    (WHISPER, "num_gpus: 0.5", "num_gpus: half", ": half", "valid number, not half"),
    (WHOLE, "JSON", "TEXT", "TEXT", "encoding: say JSON"),
    # what is never said
    (WHOLE, "  port: 8000", "  port: 8000\n  request_timeout_s: 60", "timeout_s: 60", "it would cut live calls"),
    (
        VAD,
        "        autoscaling_config:",
        "        num_replicas: 2\n        autoscaling_config:",
        "num_replicas: 2",
        "place of",
    ),
    (
        VAD,
        "          min_replicas: 2",
        "          min_replicas: 2\n          policy: {}",
        " policy:",
        "one policy scales",
    ),
    (
        VAD,
        "        ray_actor_options:",
        "        user_config: {}\n        ray_actor_options:",
        "user_config: {}",
        "nothing to",
    ),
    # twice, or of something else
    (
        WHOLE,
        "proxy_location: EveryNode",
        "proxy_location: EveryNode\nproxy_location: HeadOnly",
        "HeadOnly",
        "stands twice",
    ),
    (TTS, "name: TtsProxy", "name: Vad", "- name: Vad", r"deployments\.Vad\.name: it stands here for the second time"),
    (TTS, "name: TtsProxy", "name: Vad", "    deployments:", "deployments: TtsProxy is missing"),
    (WHOLE, "serve_app.app:build", "serve_app.app:make", "app:make", "this is made for serve_app.app:build"),
    (WHOLE, "policy:scale", "policy:grow", "policy:grow", "there is no function grow in serve_app.scaling.policy"),
    (WHOLE, "scaling.policy:", "scaling.politics:", "politics", "cannot be imported: No module named"),
    # numbers that do not fit each other
    (GATEWAY, "max_ongoing_requests: 120", "max_ongoing_requests: 95", "requests: 95", "say 96 or more"),
    (GATEWAY, "requests: 64", "requests: 90", "requests: 90", "callers would be refused .* max_conversations"),
    (TTS, "requests: 7", "requests: 70", "requests: 70", "no more than max_ongoing_requests .64. in"),
    (GATEWAY, "timeout_s: 690", "timeout_s: 590", "timeout_s: 590", "the longest call of the agents takes 600 s"),
    (VAD, "look_back_period_s: 30", "look_back_period_s: 1", "period_s: 1", "say more than metrics_interval_s"),
    (VAD, "min_replicas: 2", "min_replicas: 0", "min_replicas: 0", "only LocalWhisper may sleep"),
    (GATEWAY, "Vad: 4", "Vad: 11", "Vad: 11", r"schedule\.0\.replicas\.Vad: Vad has max_replicas 10"),
    (GATEWAY, "{LocalWhisper: 2}", "{LocalWhisper: 9}", "Whisper: 9", r"LocalWhisper: LocalWhisper has max_replicas 8"),
    (WHISPER, "num_gpus: 0.5", "num_gpus: 0", "num_gpus: 0", "which share of a GPU"),
    (WHOLE, "whisper_device: cuda", "whisper_device: cpu", "num_gpus: 0.5", "whisper_device is not cuda"),
]


def mutated(deployment: str, old: str, new: str) -> tuple[str, int]:
    """The region's config with one thing changed in that deployment's part of it, and where this part begins."""
    start = REGION.index(f"      - name: {deployment}\n") if deployment else 0
    assert old in REGION[start:]
    return REGION[:start] + REGION[start:].replace(old, new, 1), start


def line_of(text: str, snippet: str, start: int) -> int:
    """Of the first one after `start`, or else the last one before: blocks around it begin earlier."""
    found = text.find(snippet, start) if snippet in text[start:] else text.rindex(snippet)
    return text.count("\n", 0, found + len(snippet) - 1) + 1


@pytest.mark.parametrize(("deployment", "old", "new", "snippet", "message"), MUTATIONS)
def test_a_slip_is_told_with_its_line(deployment: str, old: str, new: str, snippet: str, message: str) -> None:
    text, start = mutated(deployment, old, new)
    _, problems = check(text)
    line = line_of(text, snippet, start)
    with pytest.raises(ConfigurationError, match=message):
        raise ConfigurationError("\n".join(told_here(problem) for problem in problems if problem.line == line))


def told_here(problem: Problem) -> str:
    return told(Path(), problem).partition(f":{problem.line}: ")[2]


def test_renaming_any_key_is_refused() -> None:
    lines = REGION.splitlines(keepends=True)
    for key in keys(yaml.compose(REGION, Loader=yaml.CSafeLoader)):
        number, column = key.end_mark.line, key.end_mark.column
        renamed = lines[number][:column] + "x" + lines[number][column:]
        _, problems = check("".join([*lines[:number], renamed, *lines[number + 1 :]]))
        assert number + 1 in [problem.line for problem in problems], renamed


def test_taking_any_key_out_is_refused() -> None:
    """With all that is below it. A floor may go: then there is none."""
    config = yaml.safe_load(REGION)
    for way in ways(config):
        if way[-2:-1] not in [("replicas",), ("while_stt_fails",)]:
            rest = copy.deepcopy(config)
            block = rest
            for step in way[:-1]:
                block = block[step]
            del block[way[-1]]
            assert check(yaml.dump(rest, Dumper=yaml.CSafeDumper))[1], way


def ways(value: Any, *above: str | int) -> Iterator[tuple[str | int, ...]]:
    """To every key."""
    for key, below in value.items() if isinstance(value, dict) else ():
        yield (*above, key)
        yield from ways(below, *above, key)
    for number, below in enumerate(value if isinstance(value, list) else ()):
        yield from ways(below, *above, number)


def keys(node: yaml.Node) -> Iterator[yaml.Node]:
    for part in node.value if isinstance(node, yaml.CollectionNode) else []:
        if isinstance(part, tuple):
            yield part[0]
        yield from keys(part[1] if isinstance(part, tuple) else part)


def test_a_config_without_an_application_is_refused() -> None:
    text = REGION[: REGION.index("applications:")] + "applications: []\n"
    assert [problem.where for problem in check(text)[1]] == ["applications"]


def test_a_name_that_is_no_text_is_refused() -> None:
    text, _ = mutated(VAD, "name: Vad", "name: []")
    assert [problem.message for problem in check(text)[1] if "deployments" in problem.where][:1] == [
        "Input should be a valid string, not nothing"
    ]


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = LAPTOP.replace("proxy_location", "proxy").replace("max_conversations: 80", "max_conversations: 200")
    path = tmp_path / "slips.yaml"
    path.write_text(text.replace("generations: 10", "generations: many"), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        checked(path)
    lines = refused.value.message.splitlines()
    assert [line.removeprefix(f"{path}:").split(": ", 2)[1] for line in lines] == [
        "proxy_location",
        "proxy",
        "deployments.Gateway.max_ongoing_requests",
        "deployments.TtsProxy.user_config.generations",
    ]


def test_a_laptop_need_not_outlast_its_calls_and_a_region_must() -> None:
    assert check(LAPTOP, 3600)[1] == []
    (problem,) = check(REGION, 691)[1]
    assert problem.where == "deployments.Gateway.graceful_shutdown_timeout_s"
    assert check(REGION, 690)[1] == []


def test_anchors_and_merge_keys_are_as_good_as_what_they_stand_for() -> None:
    first = "        health_check_period_s: 10\n        health_check_timeout_s: 30\n"
    before, others = LAPTOP.split(first, 1)
    anchored = before + "        <<: &health {health_check_period_s: 10, health_check_timeout_s: 30}\n"
    text = anchored + others.replace(first, "        <<: *health\n")
    tree, problems = check(text)
    assert (problems, tree.plain) == ([], yaml.safe_load(LAPTOP))
    _, problems = check(text.replace("health_check_period_s: 10", "health_check_period: 10"))
    assert {problem.line for problem in problems if "did you mean" in problem.message} == {before.count("\n") + 1}


def test_every_deployment_that_can_be_tuned_is_known() -> None:
    built = build_app(app.build(app.Arguments()), name="ours").deployments
    assert {each.name for each in built if hasattr(each.func_or_class, "reconfigure")} == USER_CONFIGS.keys()
    assert deployment_names() == {GATEWAY, VAD, WHISPER, TTS}


def test_numbers_that_are_missing_or_none_are_told_once() -> None:
    text, _ = mutated(GATEWAY, "max_conversations: 80", "max_conversations: none")
    assert [problem.where for problem in check(text)[1]] == ["deployments.Gateway.user_config.max_conversations"]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        checked(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("a: 1 # configuração".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="is no text"):
        checked(tmp_path / "latin.yaml")


def test_a_region_s_config_is_called_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was copied, with its labels, would start nothing."""
    monkeypatch.setattr(files, "CONFIGS", tmp_path)
    (tmp_path / "sa-east-1.yaml").write_text(REGION, encoding="utf-8")
    checked(tmp_path / "sa-east-1.yaml")
    (tmp_path / "sa-east-2.yaml").write_text(REGION, encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        checked(tmp_path / "sa-east-2.yaml")
    said = ["say sa-east-2: this config is that region's" in line for line in refused.value.message.splitlines()]
    assert said == [True] * REGION.count("ray.io/availability-region: sa-east-1")
    elsewhere = tmp_path / "of others" / "hello.yaml"
    elsewhere.parent.mkdir()
    elsewhere.write_text(REGION, encoding="utf-8")
    checked(elsewhere)


@pytest.mark.parametrize(
    ("markets", "refused"),
    [
        ([None], []),
        (["on-demand"], []),
        (["spot", "on-demand"], []),
        (["spot", None], []),
        (["spot"], [FALLBACK]),
        (["spot", "spot"], [FALLBACK]),
    ],
)
def test_spot_nodes_are_no_replica_s_only_way(markets: list[str | None], refused: list[str]) -> None:
    """Those of a selector, and of its fallbacks; none will do with either."""
    config = yaml.safe_load(REGION)
    (whisper,) = [each for each in config["applications"][0]["deployments"] if each["name"] == WHISPER]
    nodes = {"ray.io/availability-region": "sa-east-1", "ray.io/node-group": "gpu"}
    first, *others = [nodes | ({"ray.io/market-type": market} if market else {}) for market in markets]
    whisper["ray_actor_options"] = {"num_cpus": 1, "num_gpus": 0.5, "label_selector": first}
    if others:
        whisper["ray_actor_options"]["fallback_strategy"] = [{"label_selector": each} for each in others]
    assert [problem.where for problem in check(yaml.safe_dump(config))[1]] == refused


@pytest.mark.parametrize("deployment", [None, ["Vad"], "Vad", 3])
def test_a_deployment_that_is_no_mapping_is_told_with_its_line(deployment: object) -> None:
    config = yaml.safe_load(REGION)
    config["applications"][0]["deployments"] = [deployment]
    text = yaml.safe_dump(config)
    (told,) = [problem for problem in check(text)[1] if problem.where == "deployments.0"]
    assert told == (
        line_of(text, "\n  - ", 0),
        "deployments.0",
        "a deployment says its name, and how it runs: write both",
    )
