"""What the tests of the ElevenLabs client share."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from deployments.elevenlabs import ElevenLabsVoice
from serve_app.ports import SpeechChunk, Voice

KEY = "sk_0123456789abcdef"
CLAUSE = "good morning"


def with_voice(base_url: str, scenario: Callable[[ElevenLabsVoice], Awaitable[None]]) -> None:
    """Run a scenario, and see that the voice leaves no task behind."""

    async def main() -> None:
        voice = ElevenLabsVoice(KEY, base_url)
        try:
            await scenario(voice)
        finally:
            await voice.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


async def said(voice: ElevenLabsVoice, text: str = CLAUSE, **settings: Any) -> list[SpeechChunk]:
    """`settings` are fields of a Voice."""
    chunks = voice.speak(text, language="en-US", voice=Voice(**{"voice_id": "voice/1"} | settings))
    return [chunk async for chunk in chunks]


async def until(condition: Callable[[], Any]) -> None:
    """Wait for what the server's thread sees."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.005)


def aligned_text(chunks: list[SpeechChunk]) -> str:
    return "".join("".join(chunk.alignment.chars) for chunk in chunks if chunk.alignment)
