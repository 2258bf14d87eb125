"""The agents that callers talk to: one for each language, audio format, voice and manner of answering."""

from typing import Any

from serve_app.conversation.agent import (
    Agent,
    ConversationConfig,
    Hearing,
    Permissions,
    Persona,
    PlatformSettings,
    Prompt,
    Rules,
    Turn,
    Voice,
)
from tests.feel import script
from tests.feel.microphone import audio_format
from tests.feel.score import Kind, Score

EVENTS = (
    "conversation_initiation_metadata",
    "ping",
    "audio",
    "interruption",
    "user_transcript",
    "agent_response",
    "agent_response_correction",
)
STEADY = "steady"
"""A voice whose level never changes, so that a duck shows at once."""
SPOKEN = "spoken"
"""One whose echo sounds like somebody."""
TALKATIVE, BRIEF = "Answer at length", "Answer briefly"
"""How the first question is answered; a prompt is one of them, and the language."""
PATIENT = Turn(turn_timeout=30.0, initial_wait_time=300.0)
"""No score is about a caller who says nothing."""


def agent_id(score: Score) -> str:
    role = "brief" if score.kind is Kind.PAUSE else "talkative" if score.first else "greeting"
    return "-".join((score.language, audio_format(score.line).codec, role, voice_id(score)))


def voice_id(score: Score) -> str:
    return SPOKEN if score.line.echo else STEADY


def agent(score: Score) -> Agent:
    greets = score.kind is not Kind.PAUSE and not score.first
    name = audio_format(score.line).name
    manner = TALKATIVE if score.kind is not Kind.PAUSE and score.first else BRIEF
    prompt = Prompt(f"{manner} in {score.language}.")
    greeting = script.GREETINGS[score.language] if greets else ""
    return Agent(
        agent_id(score),
        ConversationConfig(
            agent=Persona(language=score.language, first_message=greeting, prompt=prompt),
            asr=Hearing(user_input_audio_format=name),
            tts=Voice(voice_id=voice_id(score), agent_output_audio_format=name),
            turn=PATIENT,
            conversation=Rules(client_events=EVENTS),
        ),
        PlatformSettings(overrides=Permissions({"conversation": {"client_events": True}})),
    )


def answer(messages: list[dict[str, Any]]) -> list[str]:
    """What the language model says to these messages, in tokens: at length to a talkative agent's first question."""
    asked = [message["content"] for message in messages if message["role"] == "user"]
    told = " ".join(message["content"] for message in messages if message["role"] == "system")
    long = TALKATIVE in told and len(asked) == 1
    language = next(language for language in script.ANSWERS if f" in {language}." in told)
    return tokens(language, long=long)


def tokens(language: str, *, long: bool) -> list[str]:
    text = (script.ANSWERS if long else script.SHORT_ANSWERS)[language]
    return [f"{word} " for word in text.split()]
