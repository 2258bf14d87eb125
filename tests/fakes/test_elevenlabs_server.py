"""The fake is what ElevenLabs is on the wire: order of messages, contexts, formats, alignment, faults."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from serve_app.audio.pcm import AudioFormat, level_db
from tests.fakes.elevenlabs_client import END, INIT, PCM, converse, post, said_in, several, sound
from tests.fakes.elevenlabs_server import MULTI, SINGLE, FakeElevenLabs, Fault


@pytest.fixture
def server() -> Iterator[FakeElevenLabs]:
    with FakeElevenLabs() as fake:
        yield fake


def test_a_text_is_spoken_when_the_stream_ends(server: FakeElevenLabs) -> None:
    *audio, final = converse(server, INIT, {"text": "good "}, {"text": "morning "}, END)
    assert final == {"audio": None, "isFinal": True}
    assert "".join(char for message in audio for char in (message["alignment"] or {"chars": []})["chars"]) == (
        "good morning "
    )
    assert level_db(AudioFormat("pcm", 16000).decode(sound(audio))) > -40
    assert server.received[0].messages == [INIT, {"text": "good "}, {"text": "morning "}, END]
    assert server.received[0].closed.wait(5)


def test_alignment_lies_within_its_own_audio(server: FakeElevenLabs) -> None:
    for message in converse(server, INIT, {"text": "one two three "}, END)[:-1]:
        if alignment := message["alignment"]:
            ends = map(sum, zip(alignment["charStartTimesMs"], alignment["charDurationsMs"], strict=True))
            assert max(ends) <= len(sound([message])) / 32 + 1


@pytest.mark.parametrize(
    ("audio_format", "bytes_per_s"), [("pcm_8000", 16000), ("pcm_44100", 88200), ("ulaw_8000", 8000)]
)
def test_the_format_asked_for_is_sent(server: FakeElevenLabs, audio_format: str, bytes_per_s: int) -> None:
    spoken = sound(converse(server, INIT, {"text": "good morning "}, END, query=f"output_format={audio_format}"))
    assert 0.6 < len(spoken) / bytes_per_s < 1.2


def test_speed_is_a_setting_of_the_first_message(server: FakeElevenLabs) -> None:
    lengths = []
    for speed in (0.7, 1.2):
        init = {"text": " ", "voice_settings": {"speed": speed}}
        lengths.append(len(sound(converse(server, init, {"text": "good morning "}, END))))
    assert lengths[0] > 1.4 * lengths[1]


@pytest.mark.parametrize("way", [SINGLE, MULTI])
def test_auto_mode_and_flush_speak_before_the_end(server: FakeElevenLabs, way: str) -> None:
    for text, query in (({"text": "hi ", "flush": True}, ""), ({"text": "hi "}, "&auto_mode=true")):
        *audio, error, code = converse(server, INIT, text, way=way, query=f"{PCM}&inactivity_timeout=0.3{query}")
        assert sound(audio)
        assert error["error"] == "input_timeout_exceeded"
        assert code == 1008


def test_a_stream_begins_with_a_space(server: FakeElevenLabs) -> None:
    error, code = converse(server, {"text": "hello "}, END)
    assert (error["error"], error["code"], code) == ("invalid_message", 1008, 1008)


def test_contexts_are_spoken_side_by_side_and_each_is_final(server: FakeElevenLabs) -> None:
    answers = several(server, *said_in("a", "good morning "), *said_in("b", "good night "), {"close_socket": True})
    for id, text in (("a", "good morning "), ("b", "good night ")):
        *audio, final = [answer for answer in answers if answer["contextId"] == id]
        assert final == {"audio": None, "isFinal": True, "contextId": id}
        assert "".join(char for answer in audio if answer["alignment"] for char in answer["alignment"]["chars"]) == text
    assert [(context.id, context.text, context.closed, context.final) for context in server.contexts] == [
        ("a", "good morning ", True, True),
        ("b", "good night ", True, True),
    ]
    assert server.characters == len("good morning good night ")
    assert server.received[0].closed.wait(5)
    assert server.live_contexts == 0


def test_without_a_close_a_context_is_never_final(server: FakeElevenLabs) -> None:
    answers = several(server, *said_in("a", "hi ")[:2], query=f"{PCM}&inactivity_timeout=0.3")
    assert not any(answer.get("isFinal") for answer in answers[:-1])


def test_what_was_not_flushed_is_not_spoken(server: FakeElevenLabs) -> None:
    _, text, close = said_in("a", "hi ")
    answers = several(server, INIT | {"context_id": "a"}, text | {"flush": False}, close, {"close_socket": True})
    assert answers == [{"audio": None, "isFinal": True, "contextId": "a"}]


@pytest.mark.parametrize("sixth", [{"text": "hi "}, {"flush": True}, {"text": "", "flush": False}])
def test_a_sixth_context_closes_the_socket(server: FakeElevenLabs, sixth: dict[str, Any]) -> None:
    """A flush or a text for an id that is not known begins a context."""
    five = [{"text": " ", "context_id": str(number)} for number in range(5)]
    error, code = several(server, *five, sixth | {"context_id": "6"})
    assert (error["error"], error["code"], code) == ("max_active_conversations", 1008, 1008)


def test_a_closed_context_makes_room_when_it_is_final(server: FakeElevenLabs) -> None:
    server.fault = Fault.STALL
    closed = [message for number in range(5) for message in said_in(str(number), "hi ")]
    assert several(server, *closed, *said_in("6", "hi "))[-1] == 1008
    server.fault = None
    assert several(server, *said_in("1", "hi "), {"text": ""}, {"close_socket": True})[-1]["isFinal"]
    assert server.received[0].most_live == 5


def test_settings_are_set_once(server: FakeElevenLabs) -> None:
    changed = {"text": "hi ", "context_id": "a", "voice_settings": {"stability": 0.9}}
    assert several(server, INIT | {"context_id": "a"}, changed)[-1] == 1008
    late = [{"text": "", "context_id": "a"}, INIT | {"context_id": "a"}]
    assert several(server, *late)[-1] == 1008


def test_http_streams_lines_whose_times_count_from_the_start(server: FakeElevenLabs) -> None:
    lines = [json.loads(line) for line in post(server, "one two three").text.splitlines() if line]
    assert len(lines) > 1
    timings = [line["alignment"] for line in lines if line["alignment"]]
    assert "".join(char for timing in timings for char in timing["characters"]) == "one two three"
    starts = [start for timing in timings for start in timing["character_start_times_seconds"]]
    audio = b"".join(base64.b64decode(line["audio_base64"]) for line in lines)
    assert starts == sorted(starts)
    assert 0.5 < starts[-1] < len(audio) / 32000
    assert audio == server.contexts[0].sent
    assert server.characters == len("one two three")


def test_the_first_audio_is_as_late_as_it_is_told_to_be(server: FakeElevenLabs) -> None:
    server.delay_s, server.jitter_s = 0.1, 0.1
    several(server, *said_in("a", "hi "), {"close_socket": True})
    [context] = server.contexts
    assert context.spoke_at
    assert 0.1 <= context.spoke_at - context.texts[0][0] < 0.5
