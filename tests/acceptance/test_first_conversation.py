"""The official Python SDK, unmodified, against a running server: three turns a language, one of them a barge-in."""

import re
import time
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deployments.whisper_engine import Utterance, WhisperEngine
from deployments.whisper_weights import find_weights
from tests.acceptance.caller import RATE, Caller
from tests.acceptance.server import Server
from tests.espeak import render

LANGUAGES = {
    "pt": ("bom dia", "ajuda", "boa noite"),
    "en": ("good morning", "help", "thank you"),
}
"""Small talk, a question with a long answer, and what is said over that answer. The first and last are answered with
phrases that the bundled recogniser knows."""


@pytest.fixture(scope="module")
def recogniser() -> WhisperEngine:
    return WhisperEngine(find_weights(None))


FADE_ARRIVES_S = 0.03
"""After the interruption: it is sent at once, and the next answer is not there yet."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_three_turns_with_a_barge_in(server: Server, recogniser: WhisperEngine, language: str) -> None:
    small_talk, question, interruption = LANGUAGES[language]
    with Caller(server.url) as caller:
        microphone = caller.microphone
        caller.until_answered()
        assert caller.answers, "the agent greets"

        microphone.say(render(small_talk, language))
        caller.until(lambda: caller.said == [small_talk])
        asked = microphone.spoke_until
        caller.until_answered(asked)
        assert microphone.voiced_since(asked)
        assert words(recognised(recogniser, microphone.agent_samples(asked), language)) == words(caller.answers[-1])

        microphone.say(render(question, language))
        caller.until(lambda: caller.said == [small_talk, question])
        asked = microphone.spoke_until
        caller.until(lambda: len(microphone.agent_samples(asked)) > 3 * RATE)
        microphone.say(render(interruption, language))
        caller.until(lambda: bool(microphone.interrupted_at))
        stopped = microphone.interrupted_at[0]
        caller.until(lambda: bool(caller.corrections))
        original, corrected = caller.corrections[0]
        assert original == caller.answers[2]
        assert original.startswith(corrected)
        assert 0 < len(corrected) < len(original)

        caller.until(lambda: caller.said == [small_talk, question, interruption])
        caller.until(lambda: len(caller.answers) == 4)
        # Short words may stop the agent only when they have been recognised: after they were said.
        answered = max(microphone.spoke_until, stopped + FADE_ARRIVES_S)
        leftover = microphone.agent_samples(stopped, answered)
        assert len(leftover) <= 0.060 * RATE, "one fade of the old answer, then nothing of it"
        caller.until_answered(answered)
        assert words(recognised(recogniser, microphone.agent_samples(answered), language)) == words(caller.answers[-1])

        check_record(caller, [small_talk, question, interruption], corrected)


def check_record(caller: Caller, said: list[str], corrected: str) -> None:
    """The finished call, read back through the official client."""
    conversation_id = caller.hang_up()
    deadline = time.monotonic() + 5
    while (record := read(caller, conversation_id)).status != "done":
        assert time.monotonic() < deadline, record.status
        time.sleep(0.1)
    turns = [(turn.role, turn.message) for turn in record.transcript]
    answers = list(caller.answers)
    answers[2] = corrected
    exchanges = zip(said, answers[1:], strict=True)
    assert turns == [("agent", answers[0]), *(turn for u, a in exchanges for turn in (("user", u), ("agent", a)))]
    assert record.metadata.call_duration_secs > 5
    assert record.metadata.authorization_method == "public"


def read(caller: Caller, conversation_id: str) -> Any:
    return caller.client.conversational_ai.conversations.get(conversation_id)


def recognised(recogniser: WhisperEngine, samples: NDArray[np.int16], language: str) -> str:
    [transcript] = recogniser.transcribe([Utterance(samples.tobytes(), language)])
    return transcript.text


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
