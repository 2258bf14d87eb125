"""What is wrong with a traffic file is said with its line."""

import shutil
from pathlib import Path

import pytest

from serve_app.errors import ConfigurationError
from serve_app.planning.traffic import minute_of, read_traffic
from serve_app.serve_config.files import CONFIGS, regions

SHIPPED = CONFIGS / "traffic"
REGIONS = regions()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Of a region's file; base.yaml is beside it."""
    for name in ("base", "sa-east-1"):
        shutil.copy(SHIPPED / f"{name}.yaml", tmp_path)
    return tmp_path / "sa-east-1.yaml"


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_has_one(region: str) -> None:
    traffic = read_traffic(SHIPPED / f"{region}.yaml")
    assert traffic.calls.a_day > 0
    assert len(traffic.calls.hourly) == 24


def test_a_regions_own_numbers_stand_over_those_of_all(copy: Path) -> None:
    before = read_traffic(copy)
    copy.write_text(copy.read_text() + "speech: {turns_a_minute: 9}\n")
    after = read_traffic(copy)
    assert after.speech.turns_a_minute == 9
    assert after.speech.clauses == before.speech.clauses


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("sa-east-1", "a_day: 40000", "a_dya: 40000", "calls.a_dya: Object contains unknown field `a_dya`"),
        ("sa-east-1", "a_day: 40000", "a_day: many", "calls.a_day: Expected `float`, got `str`"),
        ("sa-east-1", "a_day: 40000", "a_day: 0", "calls.a_day: Expected `float` > 0.0"),
        ("sa-east-1", "a_day: 40000", "a_day: 1e20", "calls.a_day: Expected `float`, got `str`"),  # 1.0e+20 in YAML
        ("sa-east-1", "a_day: 40000", "a_day: 1.0e+20", "calls.a_day: Expected `float` <= 1000000.0"),
        ("sa-east-1", "calls: 600}", "calls: -1}", "calls.bursts.0.calls: Expected `float` > 0.0"),
        ("sa-east-1", '"10:30"', '"25:30"', "calls.bursts.0.at: Expected `str` matching regex"),
        ("sa-east-1", '"10:30"', "10:30", "calls.bursts.0.at: Expected `str`, got `int`: put 10:30 in quotes"),
        (
            "sa-east-1",
            "elevenlabs_at_once: 80",
            "elevenlabs_at_once: 80.5",
            "providers.elevenlabs_at_once: Expected `int`, got `float`",
        ),
        (
            "sa-east-1",
            "  gateway: {start_s: 180, ",
            "  gateway: {",
            "nodes.gateway: Object missing required field `start_s`",
        ),
        (
            "sa-east-1",
            "  gpu-spot: {start_s: 360, ",
            "  gpu-spot: {start_s: soon, ",
            "nodes.gpu-spot.start_s: Expected `float`, got `str`",
        ),
        ("sa-east-1", "\nnodes:", "\nnode:", "node: Object contains unknown field `node`"),
        ("base", "  typed: 0.1", "  typd: 0.1", "calls.typd: Object contains unknown field `typd`"),
        ("base", "  bursts: []", "  burst: []", "calls.burst: Object contains unknown field `burst`"),
        ("base", "\nseed: 1", "\nsed: 1", "sed: Object contains unknown field `sed`"),
        ("base", "\nseed: 1", "\nseed: -1", "seed: Expected `int` >= 0"),
        ("base", "spread: 0.9", "spread: 1.0e+200", "calls.minutes.spread: Expected `float` <= 10.0"),
        ("base", "saturday: 0.45", "saturday: 45 %", "calls.weekdays.saturday: Expected `float`, got `str`"),
        ("base", "saturday: 0.45", "satturday: 0.45", "calls.weekdays.satturday: Invalid enum value 'satturday'"),
        ("base", "groq_outages: []", "groq_outages: [{at: 15:00, minutes: 20}]", "put 15:00 in quotes"),
        ("base", "updates: []", "updates: [14:00]", "updates.0: Expected `str`, got `int`: put 14:00 in quotes"),
    ],
)
def test_what_is_wrong_is_told_with_its_file_and_line(copy: Path, file: str, old: str, new: str, said: str) -> None:
    path = copy.with_name(f"{file}.yaml")
    before, there, _ = path.read_text().partition(old)
    assert there
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigurationError) as raised:
        read_traffic(copy)
    line = before.count("\n") + 1 + old.count("\n")
    assert raised.value.message.startswith(f"{path}:{line}: ")
    assert said in raised.value.message


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("a_day: 40000", "a_day: 40000\n  a_day: 3", 4, "a_day stands twice in this block"),
        ("  a_day: 40000", "\ta_day: 40000", 3, "this is no YAML"),
        ("a_day: 40000", "a_day: 40000\n  hourly: [1, 2, 3]", 4, "calls.hourly: Expected `array` of length >= 24"),
        ("a_day: 40000", f"a_day: 40000\n  hourly: {[0] * 24}", 4, "calls.hourly: all of `hourly` is zero"),
        ("a_day: 40000", "a_day: 1\n  typed: all of them", 4, "calls.typed: Expected `float`, got `str`"),
    ],
)
def test_what_a_region_adds_is_told_with_its_line(copy: Path, old: str, new: str, line: int, said: str) -> None:
    copy.write_text(copy.read_text().replace(old, new))
    with pytest.raises(ConfigurationError) as raised:
        read_traffic(copy)
    assert raised.value.message.startswith(f"{copy}:{line}: {said}")


@pytest.mark.parametrize("text", ["", "# as everywhere\n", "- calls\n", "calls\n"])
def test_a_file_without_keys_is_said_to_be_that(copy: Path, text: str) -> None:
    copy.write_text(text)
    with pytest.raises(ConfigurationError, match=r"sa-east-1\.yaml:1: there are no keys here"):
        read_traffic(copy)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*base\.yaml: No such file"):
        read_traffic(tmp_path / "sa-east-1.yaml")


def test_no_text_is_no_traffic(copy: Path) -> None:
    copy.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="is no text"):
        read_traffic(copy)


def test_a_drain_is_what_the_nodes_are_told() -> None:
    environment = (CONFIGS / "aws" / "node.env").read_text()
    for region in REGIONS:
        drain_s = read_traffic(SHIPPED / f"{region}.yaml").times.drain_s
        assert f"RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S={drain_s:.0f}\n" in environment


def test_a_clock_is_read_in_minutes() -> None:
    assert [minute_of(clock) for clock in ("00:00", "09:05", "23:59")] == [0, 545, 1439]
