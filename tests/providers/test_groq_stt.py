"""Transcription against a server that speaks Groq's wire, and breaks it."""

import asyncio
import math
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.errors import TranscriptionError
from serve_app.ports import Transcript
from serve_app.providers.groq_stt import (
    DOUBTFUL,
    PROMPT_BYTES,
    UNJUDGED,
    GroqTranscriber,
    Segment,
    _confidence,
    _prompt,
)
from tests.fakes.groq_server import FakeGroq, Fault
from tests.providers.groq_faults import TOLD, one_error

KEY = "gsk_secret"
SECOND = bytes(range(1, 251)) * 128  # 32 000 bytes


@pytest.fixture
def fake(fake: FakeGroq) -> FakeGroq:
    fake.hear = lambda pcm: "my number is 123"
    return fake


def transcribe(
    url: str, pcm: bytes = SECOND, language: str | None = None, keywords: Sequence[str] = (), **options: Any
) -> Transcript:
    async def once() -> Transcript:
        transcriber = GroqTranscriber(KEY, url, **options)
        try:
            async with asyncio.timeout(5):  # a budget that is not kept fails here
                return await transcriber.transcribe(pcm, language=language, keywords=keywords)
        finally:
            await transcriber.aclose()

    return asyncio.run(once())


def segment(**changes: Any) -> dict[str, Any]:
    usual = {"start": 0, "end": 1, "text": " hi", "avg_logprob": -0.1, "temperature": 0, "compression_ratio": 0.8}
    return {**usual, "no_speech_prob": 0, **changes}


def test_hears_exactly_the_callers_samples(fake: FakeGroq) -> None:
    fake.hear = lambda pcm: "hello" if pcm == SECOND else "something else"
    assert transcribe(fake.url) == Transcript("hello", "en", math.exp(-0.29))


def test_sends_the_model_the_key_and_the_language(fake: FakeGroq) -> None:
    assert transcribe(fake.url, language="pt-BR").language == "pt"
    [received] = fake.received
    assert received.authorization == f"Bearer {KEY}"
    assert received.fields == {
        "model": "whisper-large-v3-turbo",
        "language": "pt",
        "response_format": "verbose_json",
    }


def test_sends_the_keywords_as_what_was_said_before(fake: FakeGroq) -> None:
    transcribe(fake.url, keywords=("Nubank", "segunda via", "Pix"))
    assert fake.received[0].fields["prompt"] == "Nubank, segunda via, Pix"


@given(st.lists(st.text(min_size=1, max_size=120), max_size=12))
def test_a_prompt_is_as_many_keywords_as_fit(keywords: list[str]) -> None:
    fitting = [", ".join(keywords[:count]) for count in range(len(keywords) + 1)]
    assert _prompt(keywords) == [text for text in fitting if len(text.encode()) <= PROMPT_BYTES][-1]


@pytest.mark.parametrize("language", [None, "tlh"])
def test_lets_whisper_detect_the_language(fake: FakeGroq, language: str | None) -> None:
    fake.transcription = {"language": "Portuguese"}
    assert transcribe(fake.url, language=language).language == "pt"
    assert "language" not in fake.received[0].fields


@pytest.mark.parametrize(("hint", "language"), [("pt", "pt"), (None, "en")])
def test_an_unknown_language_is_the_one_asked_for(fake: FakeGroq, hint: str | None, language: str) -> None:
    fake.transcription = {"language": "Klingon"}
    assert transcribe(fake.url, language=hint).language == language


@pytest.mark.parametrize("segments", [None, []])
def test_text_without_segments_is_neither_sure_nor_in_doubt(fake: FakeGroq, segments: list[Any] | None) -> None:
    fake.transcription = {"segments": segments}
    transcript = transcribe(fake.url)
    assert transcript.text == "my number is 123"
    assert transcript.confidence == UNJUDGED


def test_confidence_is_weighed_by_duration(fake: FakeGroq) -> None:
    fake.transcription = {"segments": [segment(end=3, avg_logprob=-0.1), segment(start=3, end=4, avg_logprob=-0.5)]}
    assert transcribe(fake.url).confidence == pytest.approx(math.exp(-0.2))


@pytest.mark.parametrize("doubt", [{"compression_ratio": 2.5}, {"avg_logprob": -1.1}, {"temperature": 0.2}])
def test_one_doubtful_segment_makes_the_utterance_doubtful(fake: FakeGroq, doubt: dict[str, float]) -> None:
    fake.transcription = {"segments": [segment(), segment(**doubt)]}
    transcript = transcribe(fake.url)
    assert transcript.text == "hi hi"
    assert transcript.confidence <= DOUBTFUL


def test_a_segment_without_speech_is_left_out(fake: FakeGroq) -> None:
    silence = segment(text=" Thank you.", no_speech_prob=0.7, avg_logprob=-1.2)
    fake.transcription = {"segments": [segment(), silence]}
    assert transcribe(fake.url) == Transcript("hi", "en", math.exp(-0.1))


def test_segments_without_speech_are_nothing_said(fake: FakeGroq) -> None:
    fake.transcription = {"segments": [segment(no_speech_prob=0.7, avg_logprob=-1.2)]}
    assert transcribe(fake.url) == Transcript("", "en", 0.0)


@pytest.mark.parametrize("changes", [{"no_speech_prob": 0.9}, {"avg_logprob": -1.2}])
def test_half_a_reason_to_hear_silence_is_none(fake: FakeGroq, changes: dict[str, float]) -> None:
    fake.transcription = {"segments": [segment(**changes)]}
    assert transcribe(fake.url).text == "hi"


def test_empty_text_is_nothing_said(fake: FakeGroq) -> None:
    fake.transcription = {"text": " ", "segments": []}
    assert transcribe(fake.url) == Transcript("", "en", 0.0)


finite = st.floats(-1e6, 1e6)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.builds(Segment, finite, finite, st.text(), finite, finite, finite, finite)))
def test_confidence_stays_between_0_and_1(segments: list[Segment]) -> None:
    assert 0 <= _confidence(segments) <= 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        *TOLD,
        (Fault.MALFORMED, "not a transcription"),
        (Fault.HALF_OPEN, "within 0.1 s"),
        (Fault.STALL, "within 0.1 s"),
        (Fault.STALL_MIDWAY, "within 0.1 s"),
    ],
)
def test_a_fault_is_one_error_that_says_what_to_check(fake: FakeGroq, fault: Fault, message: str) -> None:
    fake.fault = fault
    budget_s = 0.1 if fault in (Fault.STALL, Fault.STALL_MIDWAY, Fault.HALF_OPEN) else 5.0
    with one_error(fake, TranscriptionError, message, secrets=(KEY, "123")):
        transcribe(fake.url, budget_s=budget_s)


@pytest.mark.parametrize("broken", [{"text": None}, {"segments": [{}]}, {"segments": 5}, {"language": 3}])
def test_an_answer_of_another_shape_is_an_error(fake: FakeGroq, broken: dict[str, Any]) -> None:
    fake.transcription = broken
    with pytest.raises(TranscriptionError, match="not a transcription"):
        transcribe(fake.url)


def test_a_body_too_deep_to_decode_is_an_error() -> None:
    class Deep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = b'{"text": "hi", "more": %b}' % (b"[" * 10_000 + b"]" * 10_000)
            self.rfile.read(int(self.headers["content-length"]))
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Deep) as server:
        Thread(target=server.handle_request).start()
        with pytest.raises(TranscriptionError, match="not a transcription"):
            transcribe(f"http://127.0.0.1:{server.server_port}")


def test_an_utterance_that_groq_refuses_is_an_error(fake: FakeGroq) -> None:
    with pytest.raises(TranscriptionError, match="HTTP 400"):
        transcribe(fake.url, pcm=b"")


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(TranscriptionError, match="check GROQ_BASE_URL"):
        transcribe("http://127.0.0.1:1")


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.STALL_MIDWAY])
def test_cancelling_hangs_up_at_once(fake: FakeGroq, fault: Fault) -> None:
    fake.fault = fault

    async def cancel() -> bool:
        transcriber = GroqTranscriber(KEY, fake.url)
        listener = asyncio.create_task(transcriber.transcribe(SECOND, language=None))
        await asyncio.to_thread(fake.stalling.wait, 5)
        listener.cancel()
        with pytest.raises(asyncio.CancelledError):  # and not our own error
            await listener
        hung_up = await asyncio.to_thread(fake.disconnected.wait, 5)
        await transcriber.aclose()
        return hung_up

    assert asyncio.run(cancel())
