"""What the tests of the ElevenLabs client share."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

from deployments.voices.elevenlabs import ElevenLabsVoice
from deployments.voices.elevenlabs_wire import Account, Opening
from serve_app.ports import Fallback, SpeechChunk, Voice

KEY = "sk_0123456789abcdef"
CLAUSE = "good morning"


def with_voice(base_url: str, scenario: Callable[[ElevenLabsVoice], Awaitable[None]], **settings: Any) -> None:
    """Run a scenario, and see that the voice leaves no task and no generation behind."""

    async def main() -> None:
        voice = ElevenLabsVoice(KEY, base_url, **settings)
        try:
            await scenario(voice)
        finally:
            await voice.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert voice._generations.running == 0
        assert voice.sockets == 0

    asyncio.run(main())


def with_way(way: Any, scenario: Callable[[], Awaitable[None]]) -> None:
    """The same for one way alone."""

    async def main() -> None:
        try:
            await scenario()
        finally:
            await way.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def account(base_url: str) -> Account:
    return Account(KEY, base_url)


def opening(**settings: Any) -> Opening:
    """`settings` are fields of a Voice."""
    return Opening("en-US", Voice(**{"voice_id": "voice/1"} | settings))


def told(voice: ElevenLabsVoice, text: str = CLAUSE, **settings: Any) -> Any:
    """What a clause gives, Fallbacks too, as an async generator."""
    language, spoken_by = opening(**settings)
    return voice.speak(text, language=language, voice=spoken_by)


async def said(voice: ElevenLabsVoice, text: str = CLAUSE, **settings: Any) -> list[SpeechChunk]:
    """A clause that is spoken without a Fallback."""
    items = await all_of(told(voice, text, **settings))
    assert not [item for item in items if isinstance(item, Fallback)]
    return items


async def warmed(voice: ElevenLabsVoice, **settings: Any) -> None:
    language, spoken_by = opening(**settings)
    await voice.warm(language=language, voice=spoken_by)


async def all_of(items: AsyncIterable[Any]) -> list[Any]:
    return [item async for item in items]


async def begun(speech: Any) -> None:
    """Hear the first piece, and leave."""
    async with aclosing(speech):
        await anext(speech)


async def until(condition: Callable[[], Any]) -> None:
    """Wait for what the server's thread sees."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.005)


def audio(items: Iterable[SpeechChunk]) -> bytes:
    return b"".join(item.audio for item in items)


def aligned_text(items: Iterable[SpeechChunk]) -> str:
    return "".join("".join(item.alignment.chars) for item in items if item.alignment)
