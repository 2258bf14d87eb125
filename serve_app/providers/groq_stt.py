"""Speech recognition by Groq's hosted Whisper. One request an utterance: the service knows no partial results."""

import asyncio
import io
import math
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import groq
import msgspec
from httpx import Limits

from serve_app.errors import TranscriptionError
from serve_app.observability.correlation import note, trace_headers
from serve_app.ports import Transcript
from serve_app.providers.refusals import refusal
from serve_app.providers.request_ids import request_id
from serve_app.providers.whisper_languages import language_code

SAMPLE_RATE = 16_000  # Hz; what the port takes, and what Whisper hears

# Text without segments has nothing to judge it by. Neither sure (1.0) nor in doubt: between the two.
UNJUDGED = 0.8
# Below whatever an undoubted segment can have: exp(-1) = 0.37.
DOUBTFUL = 0.3

# Groq refuses prompts of more than 896 characters; Whisper reads the last 224 tokens. In its vocabulary a token of
# Portuguese or English keywords is 2.4-3.1 bytes, of made-up brands and of Japanese names 1.8-1.9.
PROMPT_BYTES = 400

# 99 in 100 of its answers come within 1.54 s, as Pipecat measured them: what is later does not come.
BUDGET_S = 2.0

# The SDK drops an idle connection after 5 s, less than one answer takes: a new TLS handshake for every utterance.
LIMITS = Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=120)


class Segment(msgspec.Struct, frozen=True):
    """What Whisper says of a stretch of speech; `start` and `end` in seconds, often whole ones."""

    start: float
    end: float
    text: str
    avg_logprob: float
    temperature: float
    compression_ratio: float
    no_speech_prob: float

    @property
    def silent(self) -> bool:
        """Whisper's own rule. Neither half is enough: the turbo model reports 0 for most no_speech_prob."""
        return self.no_speech_prob > 0.6 and self.avg_logprob < -1

    @property
    def doubtful(self) -> bool:
        """Whisper's own thresholds for "decode it again": it repeats itself, guesses, or has had to try again."""
        return self.compression_ratio > 2.4 or self.avg_logprob < -1 or self.temperature > 0


class Transcription(msgspec.Struct, frozen=True):
    """The parts of Groq's verbose_json that matter here. `language` is a name: "English"."""

    text: str
    language: str = ""
    segments: list[Segment] | None = None


class GroqTranscriber:
    """Sends utterances to Groq at `base_url` (without its `/openai/v1`), each within `budget_s` seconds.

    Nothing is retried: a caller is waiting.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str,
        *,
        model: str = "whisper-large-v3-turbo",
        budget_s: float = BUDGET_S,
    ) -> None:
        self._model = model
        self._budget_s = budget_s
        self._client = groq.AsyncGroq(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            timeout=None,  # the budget above bounds the whole request, not each read
            http_client=groq.DefaultAsyncHttpxClient(limits=LIMITS),
        )

    async def transcribe(
        self, pcm: bytes, *, language: str | None, keywords: Sequence[str] = (), tentative: bool = False
    ) -> Transcript:
        """Recognise one utterance: s16le, 16 kHz, mono. Cancelling closes the request. Raises TranscriptionError.

        To Groq all requests are alike, `tentative` or not.
        """
        hint = language_code(language) if language else None
        with self._translated_errors():
            async with asyncio.timeout(self._budget_s):
                response = await self._client.audio.transcriptions.with_raw_response.create(
                    file=("utterance.wav", _wav(pcm)),
                    model=self._model,
                    language=hint or groq.omit,
                    prompt=_prompt(keywords) or groq.omit,
                    response_format="verbose_json",
                    extra_headers=trace_headers(),
                )
                note(model=self._model, request_id=request_id(response.headers))
                body = await response.read()
            heard = msgspec.json.decode(body, type=Transcription)
        return _transcript(heard, fallback_language=hint or "en")

    async def aclose(self) -> None:
        """Close the connections. Nothing may be transcribed afterwards."""
        await self._client.close()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as e:
            raise TranscriptionError(f"Groq transcribed nothing within {self._budget_s:g} s") from e
        except groq.APIStatusError as e:
            raise TranscriptionError(f"Groq answered {refusal(e.status_code)}") from e
        except groq.APIConnectionError as e:
            raise TranscriptionError("no connection to Groq; check GROQ_BASE_URL and the network") from e
        except (groq.GroqError, msgspec.MsgspecError, RecursionError) as e:  # of a body too deep
            raise TranscriptionError("Groq answered with something that is not a transcription") from e


def _prompt(keywords: Sequence[str]) -> str:
    """What Whisper takes to come before, and goes by in its spelling: as many keywords as fit, the first ones."""
    prompt = ""
    for keyword in keywords:
        longer = f"{prompt}, {keyword}" if prompt else keyword
        if len(longer.encode()) > PROMPT_BYTES:
            break
        prompt = longer
    return prompt


def _wav(pcm: bytes) -> bytes:
    """Wrap s16le mono samples as a WAV file, the format with the lowest latency."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(pcm)
    return file.getvalue()


def _transcript(heard: Transcription, *, fallback_language: str) -> Transcript:
    """Drop the segments without speech, and judge the rest."""
    spoken = [segment for segment in heard.segments or () if not segment.silent]
    text = "".join(segment.text for segment in spoken) if heard.segments else heard.text
    return Transcript(
        text=text.strip(),
        language=language_code(heard.language) or fallback_language,
        confidence=_confidence(spoken) if text.strip() else 0.0,
    )


def _confidence(spoken: list[Segment]) -> float:
    """Geometric mean of the token probabilities, 0..1: exp of avg_logprob averaged over the segments' durations.

    One doubtful segment makes the whole utterance doubtful: what it got wrong may be the word that matters.
    """
    if not spoken:
        return UNJUDGED
    weights = [max(segment.end - segment.start, 0.1) for segment in spoken]  # 0 s is possible: times are rounded
    logprob = sum(w * segment.avg_logprob for w, segment in zip(weights, spoken, strict=True)) / sum(weights)
    confidence = math.exp(min(logprob, 0.0))
    return min(confidence, DOUBTFUL) if any(segment.doubtful for segment in spoken) else confidence
