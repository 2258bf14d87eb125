"""Parts of the server that are killed during a call: Serve starts them again, and the call goes on.

By its name nearly the last of the files here: whoever comes next has to do with what was started again.
"""

import asyncio
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elevenlabs.conversational_ai.conversation import ConversationInitiationData

from deployments.whisper_engine import Utterance, WhisperEngine
from deployments.whisper_weights import find_weights
from serve_app.client import Conversation, Resumed
from serve_app.conversation.server_messages import AgentResponseComplete, Audio
from serve_app.errors import TranscriptionError
from tests.acceptance.caller import AUDIBLE, RATE, Caller
from tests.acceptance.server import Server
from tests.acceptance.tap import Tap
from tests.espeak import render

VOICE = "ServeReplica:hello:TtsProxy"
LOCAL_VOICE = "deployments.voices.espeak_child"
RECOGNISER = "ServeReplica:hello:LocalWhisper"

ASKS_FOR_MUCH, SMALL_TALK, GREETING = "help", "hello how are you today", "good morning"
ANSWERS = {SMALL_TALK: "Thank you! I am fine.", GREETING: "Good morning!"}
APOLOGY = "Sorry, I had a problem answering. Could you say that again, please?"

GATEWAY = "ServeReplica:hello:Gateway"
SENTENCE = "I want to talk to an agent."
"""Words that the bundled recogniser knows."""
HALF_OF_IT = 22
"""Messages of sound."""

SILENCE_S = 3.0
"""The rule is 2 s, on a machine that has nothing else to do."""
BACK_WITHIN_S = 30.0
KILLED_AFTER_S, HEARD_S = 1.0, 7.5
"""Of a long answer: in its first clause, and in its third, which is not asked for before the second is heard."""
HEARD_WORDS = 21
"""In that time, at least."""


@pytest.fixture
def caller(tap: Tap) -> Iterator[Caller]:
    """Nobody greets: they speak first."""
    config = ConversationInitiationData(conversation_config_override={"agent": {"first_message": ""}})
    with Caller(tap.url, "english", {"config": config}) as caller:
        yield caller


@pytest.mark.parametrize("part", [VOICE, LOCAL_VOICE])
def test_an_answer_whose_voice_is_killed_goes_on(server: Server, caller: Caller, part: str) -> None:
    asked = ask(caller, ASKS_FOR_MUCH)
    caller.until(lambda: seconds_heard(caller, asked) > KILLED_AFTER_S)
    killed = kill(server, part)
    caller.until(lambda: seconds_heard(caller, asked) > HEARD_S or APOLOGY in caller.answers, 20)
    if APOLOGY in caller.answers:
        caller.until_answered(asked)
    else:
        heard = words("".join("".join(each.chars) for each in caller.alignments))
        assert heard[:HEARD_WORDS] == words(caller.answers[0])[:HEARD_WORDS], "each word once"
    assert longest_silence(caller, asked) < SILENCE_S
    until_understood(caller, GREETING)
    assert pid_of(server, part) != killed
    check_record(caller)


@pytest.mark.parametrize("part", [VOICE, RECOGNISER])
def test_a_turn_that_finds_a_part_gone_is_answered_or_apologised_for(server: Server, caller: Caller, part: str) -> None:
    asked = ask(caller, SMALL_TALK, lambda: kill(server, part))
    caller.until(lambda: caller.answers[-1:] in ([APOLOGY], [ANSWERS[SMALL_TALK]]))
    caller.until_answered(asked)
    assert longest_silence(caller, asked) < SILENCE_S
    until_understood(caller, GREETING)
    check_record(caller)


def test_a_sentence_goes_on_in_a_process_that_has_never_heard_of_it(server: Server) -> None:
    """The gateway is killed while it speaks: what was heard before and after, joined, are the words."""

    pid, audio, resumed = pid_of(server, GATEWAY), [], 0

    async def scenario() -> None:
        nonlocal resumed
        events = ["audio", "agent_response", "agent_response_complete"]
        config = {"agent": {"first_message": SENTENCE}, "conversation": {"client_events": events}}
        initiation = {"conversation_config_override": config}
        async with Conversation.connect(server.url, "english", initiation=initiation) as conversation:
            async for event in conversation:
                if isinstance(event, Audio):
                    audio.append(event)
                    if len(audio) == HALF_OF_IT:
                        os.kill(pid, signal.SIGKILL)
                resumed += isinstance(event, Resumed)
                if isinstance(event, AgentResponseComplete):
                    return

    asyncio.run(asyncio.wait_for(scenario(), BACK_WITHIN_S))
    ids = [event.event_id for event in audio]
    assert ids == sorted(set(ids))
    assert resumed == 1
    [transcript] = WhisperEngine(find_weights(None)).transcribe(
        [Utterance(b"".join(event.audio_base_64 for event in audio), "en")]
    )
    assert not isinstance(transcript, TranscriptionError)
    assert words(transcript.text) == words(SENTENCE)


# ---- what the caller does


def ask(caller: Caller, phrase: str, meanwhile: Callable[[], Any] = lambda: None) -> float:
    """Say it, with something happening `meanwhile`. When it was said."""
    begun = time.monotonic()
    clip = render(phrase, "en")
    caller.microphone.say(clip)
    caller.until(lambda: caller.microphone.spoke_until > begun)
    meanwhile()
    time.sleep(len(clip) / RATE)  # the rest of it, and some silence
    return caller.microphone.spoke_until


def until_understood(caller: Caller, phrase: str) -> None:
    """Say it, and again, until it is answered as it should be."""
    deadline = time.monotonic() + BACK_WITHIN_S
    while caller.answers[-1] != ANSWERS[phrase] or caller.said[-1] != phrase:
        assert time.monotonic() < deadline, f"not understood any more: {caller}"
        caller.until_answered(ask(caller, phrase))


# ---- what the caller hears


def seconds_heard(caller: Caller, since: float) -> float:
    return len(caller.microphone.agent_samples(since)) / RATE


def longest_silence(caller: Caller, since: float) -> float:
    """From `since` to the last sound so far, as a loudspeaker plays it."""
    longest_s, sounded_until, plays_until = 0.0, since, since
    for at, audio in list(caller.microphone.heard):
        if at < since:
            continue
        begins, samples = max(at, plays_until), np.frombuffer(audio, np.int16)
        plays_until = begins + len(samples) / RATE
        audible = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
        if len(audible):
            longest_s = max(longest_s, begins + float(audible[0]) / RATE - sounded_until)
            sounded_until = begins + float(audible[-1]) / RATE
    assert sounded_until > since, "nothing was heard"
    return longest_s


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


# ---- what is killed, and what is kept


def kill(server: Server, part: str) -> int:
    pid = pid_of(server, part)
    os.kill(pid, signal.SIGKILL)
    return pid


def pid_of(server: Server, part: str) -> int:
    """Of a part of this server, as soon as there is one alive."""
    deadline = time.monotonic() + BACK_WITHIN_S
    while time.monotonic() < deadline:
        found = [pid for pid in server.pids() if part in command(pid)]
        if len(found) == 1:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"no {part} among {server.left_running()}")


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def check_record(caller: Caller) -> None:
    """Read back through the official client: what was said, and what was heard, with nothing left out."""
    conversation_id = caller.hang_up()
    assert [end.reason for end in caller.disconnected] == ["user"]
    deadline = time.monotonic() + 5
    while (record := caller.client.conversational_ai.conversations.get(conversation_id)).status != "done":
        assert time.monotonic() < deadline, record.status
        time.sleep(0.1)
    heard = list(caller.answers)
    for answer, corrected in caller.corrections:
        heard[heard.index(answer)] = corrected
    by_role = {role: [turn.message for turn in record.transcript if turn.role == role] for role in ("user", "agent")}
    assert by_role == {"user": caller.said, "agent": heard}
