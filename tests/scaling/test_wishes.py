"""What a region wishes, as it is configured and as it is told."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from serve_app.scaling.wishes import Wishes, is_wish

NONE = {"floor_Gateway": 0.0, "floor_Vad": 0.0, "floor_LocalWhisper": 0.0, "floor_TtsProxy": 0.0}
SAO_PAULO: dict[str, Any] = {
    "lead_s": 45,
    "spare_places": 16,
    "timezone": "America/Sao_Paulo",
    "schedule": [
        {"days": ["mon", "tue"], "from": "08:00", "until": "20:00", "replicas": {"Gateway": 3, "LocalWhisper": 1}},
        {"from": "12:00", "until": "14:00", "replicas": {"Gateway": 5}},
    ],
    "while_stt_fails": {"LocalWhisper": 2},
}


def told(config: dict[str, Any], utc: str, *, stt_fails: bool = False) -> dict[str, float]:
    now = datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp()
    return msgspec.convert(config, Wishes).reported(now, stt_fails=stt_fails)


def test_nothing_is_wished_by_default() -> None:
    assert told({}, "2026-11-23 12:00") == {"lead_s": 20.0, "spare_places": 8.0, **NONE}


@pytest.mark.parametrize(
    ("utc", "gateways", "whispers"),
    [("2026-11-23 10:59", 0, 0), ("2026-11-23 11:00", 3, 1), ("2026-11-23 15:00", 5, 1), ("2026-11-25 15:00", 5, 0)],
)
def test_the_region_s_own_time_decides(utc: str, gateways: int, whispers: int) -> None:
    """UTC-3."""
    floors = {**NONE, "floor_Gateway": gateways, "floor_LocalWhisper": whispers}
    assert told(SAO_PAULO, utc) == {"lead_s": 45.0, "spare_places": 16.0, **floors}


def test_a_provider_that_fails_warms_what_stands_in_for_it() -> None:
    assert told(SAO_PAULO, "2026-11-23 03:00", stt_fails=True)["floor_LocalWhisper"] == 2.0
    assert told(SAO_PAULO, "2026-11-23 15:00", stt_fails=True)["floor_Gateway"] == 5.0


def test_without_a_provider_there_is_one_that_stands_in_whatever_is_configured() -> None:
    for floors in ({}, {"LocalWhisper": 0}, {"Vad": 2}):
        assert told({"while_stt_fails": floors}, "2026-11-23 12:00", stt_fails=True)["floor_LocalWhisper"] == 1.0


def test_what_is_told_is_known_from_load() -> None:
    assert all(map(is_wish, told(SAO_PAULO, "2026-11-23 03:00")))
    assert not any(map(is_wish, ["work", "strained", "running_requests"]))


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"timezone": "Brasil/Sampa"}, r"no timezone 'Brasil/Sampa': name one like America/Sao_Paulo"),
        ({"timezone": "../zone"}, "no timezone"),
        ({"timezone": "America"}, "no timezone"),
        ({"schedule": [{"replicas": {"Gatway": 1}}]}, r"'Gatway' .* `\$.schedule\[0\].replicas`"),
        ({"schedule": [{"replicas": {"Vad": -1}}]}, r">= 0 .* `\$.schedule\[0\].replicas"),
        ({"schedule": [{"replicas": {}, "until": 1080}]}, r"Expected `str`, got `int` - at `\$.schedule\[0\].until`"),
        ({"schedule": [{"replicas": {}, "until": "24:00"}]}, r"`\$.schedule\[0\].until`"),
        ({"schedule": [{"replicas": {}, "from": "8:00"}]}, r"`\$.schedule\[0\].from`"),
        ({"schedule": [{"replicas": {}, "days": []}]}, "length >= 1"),
        ({"schedule": [{"replicas": {}, "days": ["Monday"]}]}, "'Monday'"),
        ({"schedule": [{"from": "08:00"}]}, "missing required field `replicas`"),
        ({"lead_s": -1}, ">= 0"),
        ({"spare": 8}, "unknown field `spare`"),
    ],
)
def test_what_is_wrong_is_refused_by_name(config: dict[str, Any], complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(config, Wishes)
