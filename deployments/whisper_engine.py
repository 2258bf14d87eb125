"""Speech to text with faster-whisper on short encoder windows.

Stock Whisper pads every utterance to 30 s, so a one-second "yes" costs what half a minute of speech does (tiny, int8,
one core: 450 ms of encoder, against 60 ms for 10 s). Here the encoder sees the utterance and a margin.
"""

import json
import math
from collections import defaultdict
from collections.abc import Sequence

import ctranslate2
import msgspec
import numpy as np
from ctranslate2 import StorageView
from ctranslate2.models import WhisperGenerationResult
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from msgspec.structs import replace
from numpy.typing import NDArray

from deployments.whisper_hypothesis import Hypothesis, join_hypotheses
from deployments.whisper_weights import WhisperWeights
from serve_app.audio.pcm import FULL_SCALE
from serve_app.errors import ConfigurationError, TranscriptionError
from serve_app.ports import Transcript

SAMPLE_RATE = 16_000
FRAMES_PER_SECOND = 100  # of the log-mel spectrogram
LONGEST_WINDOW = 3_000  # frames: Whisper has positions for 30 s

# Whisper was trained on 30 s windows. A floor of 10 s and a margin of 2 s cost no accuracy on the clips compared by
# handy-computer/transcribe.cpp (PR 149); shorter windows make the decoder repeat itself (faster-whisper issue 1006).
FLOOR_FRAMES = 1_000
MARGIN_FRAMES = 200
# The bundled model was trained on windows of the utterance's own length and a little silence; with less of it, it hears
# short words twice ("four four"). Of 351 renderings of its phrases, cut off where the word ends, it got 295 right with
# 10 frames, 341 with 20, 350 with 30, all with 40; of those that end in silence of their own, all with any.
BUNDLED_MARGIN_FRAMES = 40

# Fast Portuguese is about 7 tokens a second. A decoder that loops must not hold the call up for longer than this.
TOKENS_PER_SECOND = 10
SPARE_TOKENS = 16

DEFAULT_COMPUTE_TYPES = {"cpu": "int8", "cuda": "float16"}
# Utterances that are best decoded together (benchmarks/whisper_batches.py): a CPU core gains 1.2 to 1.4x with 4 and, of
# short ones, loses with 8. A GPU gets all that a replica lets in. Those of the bundled one hardly ever share a window.
BATCH_SIZES = {"cpu": 4, "cuda": 16}
BUNDLED_BATCH_SIZE = 1
# A GPU encodes a longer window in hardly more time, so there utterances of unlike lengths get one window, and share it.
WINDOW_STEPS = {"cpu": 2, "cuda": 600}


class Utterance(msgspec.Struct, frozen=True):
    """One stretch of speech: s16le, 16 kHz, mono. `language` is ISO 639-1; None: detect it. `keywords`: expect them."""

    pcm: bytes
    language: str | None
    keywords: tuple[str, ...] = ()


class Speech(msgspec.Struct, frozen=True):
    """An utterance made ready: samples within -1..1, its language if it is one that the model knows, and the words
    that the model is to expect, as the text that would have come before.
    """

    samples: NDArray[np.float32]
    language: str | None
    hotwords: str | None

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


class WhisperEngine:
    """A Whisper model in memory. Calls block and must not overlap: give it one thread of its own.

    `device` is "cpu" or "cuda"; `compute_type` is CTranslate2's name, by default int8 or float16.
    Raises ConfigurationError if the model does not load so, or does not run.
    """

    def __init__(
        self, weights: WhisperWeights, *, device: str = "cpu", compute_type: str | None = None, cpu_threads: int = 1
    ) -> None:
        compute_type = compute_type or DEFAULT_COMPUTE_TYPES.get(device, "default")
        self._bundled = weights.bundled
        self._step = WINDOW_STEPS.get(device, 2)
        self.is_quick = weights.bundled or device == "cuda"
        self.batch_size = BUNDLED_BATCH_SIZE if weights.bundled else BATCH_SIZES.get(device, 1)
        try:
            self._model = WhisperModel(
                str(weights.folder), device=device, compute_type=compute_type, cpu_threads=cpu_threads
            )
            self._languages = _trained_languages(self._model, weights)
            self._mels = len(self._model.feature_extractor.mel_filters)
            self._warm_up()
        except Exception as e:  # tokenizers raises just this for a file it cannot read
            raise ConfigurationError(_why_not(weights, device, compute_type, e)) from e

    def _warm_up(self) -> None:
        """Libraries are loaded and memory is taken in the first run: not while a caller waits, and not to fail then."""
        silence = self._speech(Utterance(b"", None))
        self._transcribe_short(self._window(silence) or LONGEST_WINDOW, [silence])

    def transcribe(self, utterances: Sequence[Utterance]) -> list[Transcript | TranscriptionError]:
        """Recognise utterances, in their order. A bad one becomes an error in its place; its neighbours are untouched.

        Those with the same window and keywords (CTranslate2 wants prompts of one length) are decoded together: with a
        real Whisper nearly all of an agent, because of its floor; with the bundled model hardly any, and at a few
        milliseconds each that is no loss.
        """
        outcomes: dict[int, Transcript | TranscriptionError] = {}
        windows: dict[tuple[int | None, str | None], dict[int, Speech]] = defaultdict(dict)
        for index, utterance in enumerate(utterances):
            if len(utterance.pcm) % 2:
                outcomes[index] = TranscriptionError("the utterance is not s16le: it has an odd number of bytes")
                continue
            speech = self._speech(utterance)
            windows[self._window(speech), speech.hotwords][index] = speech
        for (frames, _), group in windows.items():
            outcomes |= zip(group, self._attempt(frames, list(group.values())), strict=True)
        return [outcomes[index] for index in range(len(utterances))]

    def _speech(self, utterance: Utterance) -> Speech:
        samples = np.frombuffer(utterance.pcm, "<i2").astype(np.float32) / np.float32(FULL_SCALE)
        too_short = self._model.feature_extractor.n_fft - len(samples)  # for one spectrum
        if too_short > 0:
            samples = np.pad(samples, (0, too_short))
        language = utterance.language if utterance.language in self._languages else None
        # The bundled model was never trained on prompts: after one it hears nothing.
        return Speech(samples, language, None if self._bundled else ", ".join(utterance.keywords) or None)

    def _window(self, speech: Speech) -> int | None:
        """How many frames the encoder gets to see, an even number since it halves them. None: more than it can."""
        frames = math.ceil(speech.seconds * FRAMES_PER_SECOND)
        if frames > LONGEST_WINDOW:
            return None
        window = frames + BUNDLED_MARGIN_FRAMES if self._bundled else max(frames, FLOOR_FRAMES) + MARGIN_FRAMES
        window = min(math.ceil(window / self._step) * self._step, LONGEST_WINDOW)
        # CTranslate2 takes encoder output with as many positions as there are mel bands for a spectrogram, encodes it
        # once more, and hears nonsense.
        return window + 2 if window == 2 * self._mels else window

    def _attempt(self, frames: int | None, group: Sequence[Speech]) -> Sequence[Transcript | TranscriptionError]:
        """Whatever the samples are, CTranslate2 fails for want of memory or of a device: then for the whole group."""
        try:
            if frames is None:
                return [self._transcribe_padded(speech) for speech in group]
            return self._transcribe_short(frames, group)
        except (RuntimeError, ValueError) as e:
            return [_failure(e) for _ in group]

    def _transcribe_short(self, frames: int, group: Sequence[Speech]) -> list[Transcript]:
        encoded = self._encode(frames, group)
        languages = self._spoken_languages(encoded, group)
        tokenizers = [self._tokenizer(language) for language in languages]
        results = self._generate(encoded, tokenizers, group)
        transcripts = []
        for speech, tokenizer, result in zip(group, tokenizers, results, strict=True):
            hypothesis = _hypothesis(result, tokenizer, speech.seconds)
            if hypothesis.is_doubtful and not self._bundled:
                # The short window may be to blame.
                transcripts.append(self._transcribe_padded(replace(speech, language=tokenizer.language_code)))
            else:
                transcripts.append(join_hypotheses([hypothesis], tokenizer.language_code))
        return transcripts

    def _encode(self, frames: int, group: Sequence[Speech]) -> StorageView:
        extract = self._model.feature_extractor
        features = np.zeros((len(group), self._mels, frames), np.float32)
        for row, speech in zip(features, group, strict=True):
            spectrogram = extract(speech.samples)[:, :frames]
            row[:, : spectrogram.shape[1]] = spectrogram
        return self._model.encode(features)

    def _spoken_languages(self, encoded: StorageView, group: Sequence[Speech]) -> list[str]:
        if len(self._languages) == 1:
            return [*self._languages] * len(group)
        if all(speech.language for speech in group):
            return [speech.language for speech in group if speech.language]
        detected = self._model.model.detect_language(encoded)  # [(token, probability), ...] each, best first
        return [speech.language or _code(ranking[0][0]) for speech, ranking in zip(group, detected, strict=True)]

    def _tokenizer(self, language: str) -> Tokenizer:
        return Tokenizer(self._model.hf_tokenizer, self._model.model.is_multilingual, "transcribe", language)

    def _generate(
        self, encoded: StorageView, tokenizers: Sequence[Tokenizer], group: Sequence[Speech]
    ) -> list[WhisperGenerationResult]:
        prompts = [self._prompt(tokenizer, group[0].hotwords) for tokenizer in tokenizers]
        new_tokens = SPARE_TOKENS + math.ceil(TOKENS_PER_SECOND * max(speech.seconds for speech in group))
        results: list[WhisperGenerationResult] = self._model.model.generate(
            encoded,
            prompts,
            beam_size=1,
            # CTranslate2 stops at this length, prompt included, and at half of it, prompt not included.
            max_length=min(max(len(prompts[0]) + new_tokens, 2 * new_tokens), self._model.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            return_logits_vocab=self._bundled,  # a few kilobytes a word; with the vocabulary of a real one a megabyte
        )
        return results

    def _prompt(self, tokenizer: Tokenizer, hotwords: str | None) -> list[int]:
        """At most 224 tokens of keywords, the model's own limit, and the start of a transcript without timestamps."""
        prompt: list[int] = self._model.get_prompt(tokenizer, [], without_timestamps=True, hotwords=hotwords)
        return prompt

    def _transcribe_padded(self, speech: Speech) -> Transcript:
        """Whisper as it was published: one 30 s window after another."""
        segments, info = self._model.transcribe(
            speech.samples,
            language=speech.language,
            hotwords=speech.hotwords,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
        )
        hypotheses = [
            Hypothesis(segment.text.strip(), segment.end - segment.start, segment.avg_logprob, segment.no_speech_prob)
            for segment in segments
        ]
        return join_hypotheses(hypotheses, info.language)


def _trained_languages(model: WhisperModel, weights: WhisperWeights) -> frozenset[str]:
    """ISO 639-1 codes. A multilingual vocabulary names a hundred; the model's own list says which it was trained on."""
    if not model.model.is_multilingual:
        return frozenset({"en"})
    tokens = json.loads((weights.folder / "config.json").read_bytes()).get("lang_ids")
    if not tokens:
        return frozenset(model.supported_languages)
    return frozenset(_code(model.hf_tokenizer.id_to_token(token)) for token in tokens)


def _code(token: str) -> str:
    return token.removeprefix("<|").removesuffix("|>")


def _hypothesis(result: WhisperGenerationResult, tokenizer: Tokenizer, seconds: float) -> Hypothesis:
    tokens = result.sequences_ids[0]
    # CTranslate2 divides the sum by the tokens; Whisper counts the end of text, whose probability is in it, as one too.
    mean_logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
    text = tokenizer.decode(tokens).strip()
    return Hypothesis(text, seconds, mean_logprob, result.no_speech_prob, _weakest(result, [*tokens, tokenizer.eot]))


def _weakest(result: WhisperGenerationResult, tokens: Sequence[int]) -> float | None:
    """The least log-probability among those of the tokens, the end of text included. None: it was not asked for."""
    if not result.logits:
        return None
    steps = [np.asarray(logits, np.float64).ravel() for logits in result.logits[0]]
    # Cut off by the limit of its length, a text has no end, and so one step less.
    return min(float(step[token] - np.logaddexp.reduce(step)) for step, token in zip(steps, tokens, strict=False))


def _why_not(weights: WhisperWeights, device: str, compute_type: str, cause: Exception) -> str:
    """What to set, where it can be known; else what the model's library says."""
    if device not in DEFAULT_COMPUTE_TYPES:
        return f"whisper_device is {device!r}: it can be cpu or cuda"
    if device == "cuda" and not ctranslate2.get_cuda_device_count():
        return "whisper_device is cuda, but CUDA finds no device: install NVIDIA's driver, or set whisper_device to cpu"
    if compute_type not in (types := ctranslate2.get_supported_compute_types(device)):
        return f"whisper_compute_type is {compute_type!r}: on this {device} it can be {', '.join(sorted(types))}"
    return f"Whisper in {weights.folder} does not run as {compute_type} on {device}: {cause}"


def _failure(cause: Exception) -> TranscriptionError:
    error = TranscriptionError(f"Whisper failed: {cause}")
    error.__cause__ = cause
    return error
