"""What Whisper believes it heard, and how far to believe it."""

import math
from collections.abc import Sequence

import msgspec
from faster_whisper.transcribe import get_compression_ratio

from serve_app.ports import Transcript

# Whisper's own thresholds (Radford et al. 2022, section 4.5): text that compresses better than this repeats itself,
# a mean log-probability below this is guesswork, and above this the window holds no speech.
REPETITION_RATIO = 2.4
GUESSWORK_LOGPROB = -1.0
NO_SPEECH_PROBABILITY = 0.6

REPETITION_CONFIDENCE = 0.2  # a loop is recited with great certainty: its probabilities say nothing


class Hypothesis(msgspec.Struct, frozen=True):
    """The text of one window or segment, with Whisper's own figures about it.

    `weakest_logprob`: of its least certain token, where tokens are whole words; None where they are pieces of words.
    """

    text: str
    seconds: float
    mean_logprob: float
    no_speech_probability: float
    weakest_logprob: float | None = None

    @property
    def is_speech(self) -> bool:
        return bool(self.text) and self.no_speech_probability <= NO_SPEECH_PROBABILITY

    @property
    def is_doubtful(self) -> bool:
        return repeats_itself(self.text) or self.mean_logprob < GUESSWORK_LOGPROB


def repeats_itself(text: str) -> bool:
    return bool(text) and get_compression_ratio(text) > REPETITION_RATIO


def join_hypotheses(hypotheses: Sequence[Hypothesis], language: str) -> Transcript:
    """One transcript of consecutive hypotheses. Where nothing was said: "" with confidence 0.

    Confidence is exp of the mean log-probability per token, weighted by duration: the geometric mean of the tokens'
    probabilities, about how likely a token of it is to be right. Where tokens are words it is not more than the
    probability of the least certain one: a sentence with a wrong word is a wrong sentence, however sure the others are.
    """
    spoken = [hypothesis for hypothesis in hypotheses if hypothesis.is_speech]
    if not spoken:
        return Transcript(text="", language=language, confidence=0.0)
    text = " ".join(hypothesis.text for hypothesis in spoken)
    total = sum(hypothesis.seconds * hypothesis.mean_logprob for hypothesis in spoken)
    confidence = math.exp(min(0.0, total / sum(hypothesis.seconds for hypothesis in spoken)))
    weakest = [hypothesis.weakest_logprob for hypothesis in spoken if hypothesis.weakest_logprob is not None]
    confidence = min(confidence, math.exp(min(0.0, *weakest))) if weakest else confidence
    if any(repeats_itself(candidate) for candidate in (text, *(hypothesis.text for hypothesis in spoken))):
        confidence = min(confidence, REPETITION_CONFIDENCE)
    return Transcript(text=text, language=language, confidence=confidence)
