"""The fake is what ElevenLabs is on the wire: order of messages, formats, alignment, faults."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from serve_app.audio.pcm import AudioFormat, level_db
from tests.fakes.elevenlabs_server import FakeElevenLabs, Fault

INIT = {"text": " ", "voice_settings": {"stability": 0.5}}
END = {"text": ""}


@pytest.fixture
def server() -> Iterator[FakeElevenLabs]:
    with FakeElevenLabs() as fake:
        yield fake


def converse(server: FakeElevenLabs, *messages: dict[str, Any], query: str = "output_format=pcm_16000") -> list[Any]:
    """Send messages, return every answer; the close code, unless it is 1000, comes last."""

    async def run() -> list[Any]:
        url = f"{server.url.replace('http', 'ws')}/v1/text-to-speech/anyone/stream-input?{query}"
        answers: list[Any] = []
        async with connect(url, additional_headers={"xi-api-key": "secret"}) as socket:
            try:
                for message in messages:
                    await socket.send(json.dumps(message))
                while True:
                    answers.append(json.loads(await socket.recv()))
            except ConnectionClosed as e:
                code = e.rcvd.code if e.rcvd else 1006
        return answers if code == 1000 else [*answers, code]

    return asyncio.run(run())


def sound(answers: list[Any]) -> bytes:
    return b"".join(base64.b64decode(answer["audio"]) for answer in answers if answer.get("audio"))


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


def test_auto_mode_and_flush_speak_before_the_end(server: FakeElevenLabs) -> None:
    for text, query in (({"text": "hi ", "flush": True}, ""), ({"text": "hi "}, "&auto_mode=true")):
        query = f"output_format=pcm_16000&inactivity_timeout=0.3{query}"
        *audio, error, code = converse(server, INIT, text, query=query)
        assert sound(audio)
        assert error["error"] == "input_timeout_exceeded"
        assert code == 1008


def test_a_stream_begins_with_a_space(server: FakeElevenLabs) -> None:
    error, code = converse(server, {"text": "hello "}, END)
    assert (error["error"], error["code"], code) == ("invalid_message", 1008, 1008)


@pytest.mark.parametrize(("fault", "status"), [(Fault.BAD_KEY, 401), (Fault.FORBIDDEN, 403), (Fault.RATE_LIMIT, 429)])
def test_handshakes_are_refused(server: FakeElevenLabs, fault: Fault, status: int) -> None:
    server.fault = fault
    with pytest.raises(InvalidStatus) as refusal:
        converse(server, INIT, END)
    assert refusal.value.response.status_code == status


def test_faults_of_a_clause(server: FakeElevenLabs) -> None:
    answers = {}
    for fault in (Fault.ERROR, Fault.EARLY_CLOSE, Fault.NO_AUDIO, Fault.IDLE):
        server.fault = fault
        answers[fault] = converse(server, INIT, {"text": "good morning ", "flush": True}, END)
    assert answers[Fault.ERROR][0]["error"] == "quota_exceeded"
    assert answers[Fault.ERROR][1] == 1008
    assert sound(answers[Fault.EARLY_CLOSE])
    assert not any(answer.get("isFinal") for answer in answers[Fault.EARLY_CLOSE])
    assert answers[Fault.NO_AUDIO] == [{"audio": None, "isFinal": True}]
    assert answers[Fault.IDLE][-1] == 1008
