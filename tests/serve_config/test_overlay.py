import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.serve_config.overlay import layered
from serve_app.serve_config.rendering import rendered
from serve_app.serve_config.tree import read

BASE = """\
proxy_location: EveryNode
every_deployment:
  # what a surge is
  surge: 100
  scaling: {interval: 1}
applications:
  - name: hello
    deployments:
      - name: Gateway
        # what it is for
        grace: 690 # why so long
        scaling: {least: 2, interval: 5}
        levels: [1, 2]
      - name: Vad
"""


def made(*layers: str) -> str:
    return rendered(layered([read(layer)[0] for layer in layers]))


def deployments(text: str) -> dict[str, dict[str, object]]:
    return {each["name"]: each for each in yaml.safe_load(text)["applications"][0]["deployments"]}


def overlay(deployment: str, **values: object) -> str:
    application = {"name": "hello", "deployments": [{"name": deployment, **values}]}
    return yaml.safe_dump({"applications": [application]})


def test_what_all_share_comes_under_what_one_says() -> None:
    gateway, vad = deployments(made(BASE)).values()
    assert gateway == {
        "name": "Gateway",
        "grace": 690,
        "scaling": {"least": 2, "interval": 5},
        "levels": [1, 2],
        "surge": 100,
    }
    assert vad == {"name": "Vad", "surge": 100, "scaling": {"interval": 1}}
    assert "every_deployment" not in made(BASE)


def test_what_an_overlay_says_of_all_comes_over_what_the_base_says_of_one() -> None:
    every = "every_deployment: {grace: 6, scaling: {least: 1}}\n"
    gateway, vad = deployments(made(BASE, every)).values()
    assert (gateway["grace"], gateway["scaling"]) == (6, {"least": 1, "interval": 5})
    assert (vad["grace"], vad["scaling"]) == (6, {"interval": 1, "least": 1})
    both = every + overlay("Vad", grace=9)
    assert deployments(made(BASE, both))["Vad"]["grace"] == 9


@pytest.mark.parametrize("nothing", ["", " {}", " # later", " null"])
def test_an_empty_block_of_what_all_share_changes_nothing(nothing: str) -> None:
    assert made(BASE, f"every_deployment:{nothing}\n") == made(BASE)


def test_anchors_of_values_are_good_for_all() -> None:
    layer = "every_deployment: {grace: &grace 6, scaling: {interval: *grace }}\n" + overlay("Vad", grace=9)
    text = made(BASE, layer)
    assert "&" not in text
    gateway, vad = deployments(text).values()
    assert (gateway["grace"], gateway["scaling"]) == (6, {"least": 2, "interval": 6})
    assert (vad["grace"], vad["scaling"]) == (9, {"interval": 6})


def test_deployments_are_found_by_name_and_other_lists_replaced() -> None:
    gateway, vad, new = deployments(made(BASE, overlay("Vad", grace=3), overlay("New"), overlay("Gateway", levels=[])))
    assert (gateway, vad, new) == ("Gateway", "Vad", "New")
    values = deployments(made(BASE, overlay("Vad", grace=3), overlay("Gateway", levels=[3])))
    assert values["Vad"]["grace"] == 3
    assert values["Gateway"]["levels"] == [3]


def test_null_replaces() -> None:
    assert deployments(made(BASE, overlay("Gateway", scaling=None)))["Gateway"]["scaling"] is None


def test_a_comment_beside_a_value_goes_with_it_and_one_above_stays() -> None:
    text = made(BASE, overlay("Gateway", grace=6))
    assert "        # what it is for\n        grace: 6\n" in text
    assert "why so long" in made(BASE)
    assert "why so long" not in text
    own = "applications: [{name: hello, deployments: [{name: Gateway, grace: 6}]}]"
    assert made(BASE, own) == text


def test_what_all_share_is_explained_once() -> None:
    assert made(BASE).count("# what a surge is") == 1


names = st.sampled_from("abc")
configs = st.recursive(
    st.none() | st.integers(),
    lambda inner: st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=8,
)
mappings = st.dictionaries(names, configs, max_size=3)


def expected(below: object, above: object) -> object:
    """The rule again, on plain values without names."""
    if isinstance(below, dict) and isinstance(above, dict) and below and above:
        return below | {key: expected(below[key], value) if key in below else value for key, value in above.items()}
    return above


@settings(max_examples=40, deadline=None)
@given(mappings, mappings)
def test_mappings_are_merged_key_by_key(below: dict[str, object], above: dict[str, object]) -> None:
    merged = made(yaml.safe_dump(below), yaml.safe_dump(above))
    assert (yaml.safe_load(merged) or {}) == (expected(below, above) if above else below)
