"""A speaker that has ready what is known beforehand: it is heard at once, and whatever else fails."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import NamedTuple

from serve_app.conversation.known_clauses import KnownClause
from serve_app.errors import SpeechError
from serve_app.observability.correlation import note
from serve_app.ports import Fallback, Speaker, SpeechChunk, Voice

RETRY_FIRST_S = 1.0
RETRY_LAST_S = 300.0
"""Doubling in between: what came in another voice is made anew about as long after a failure as that lasted."""
OTHERS_BYTES = 32 << 20
"""Of audio in voices that clients ask for: a quarter of an hour of pcm_16000."""


class _Key(NamedTuple):
    text: str
    language: str
    voice: Voice

    @classmethod
    def of(cls, text: str, language: str, voice: Voice) -> "_Key":
        """What was heard as "pt" is the agent's "pt-BR": voices take a language and no country."""
        return cls(text, language.lower().partition("-")[0], voice)

    @property
    def sound(self) -> tuple[str, str]:
        """What a clip has in common with one that can stand in for it."""
        return self.text, self.voice.agent_output_audio_format


class _Clip(NamedTuple):
    """A clause as it came once."""

    items: tuple[SpeechChunk | Fallback, ...]

    @property
    def chunks(self) -> list[SpeechChunk]:
        return [item for item in self.items if isinstance(item, SpeechChunk)]

    @property
    def is_own(self) -> bool:
        """The voice itself spoke: nothing took its place."""
        return len(self.chunks) == len(self.items)

    @property
    def size(self) -> int:
        return sum(len(chunk.audio) for chunk in self.chunks)


class PreparedSpeaker:
    """Speaks `known` from memory, once `prepare` has had it spoken by `speaker`; who speaks everything else.

    A known text is kept in other voices too, when they have spoken it, and any of them stands in where `speaker` fails.
    What came in place of a voice that failed is given, with its Fallback, until that voice works again.
    """

    def __init__(self, speaker: Speaker, known: Iterable[KnownClause]) -> None:
        self._speaker = speaker
        self._known = {_Key.of(clause.text, clause.language, clause.voice): clause.language for clause in known}
        self._texts = {key.text for key in self._known}
        self._clips: dict[_Key, _Clip] = {}
        self._others: OrderedDict[_Key, _Clip] = OrderedDict()  # the least recently used first
        self._others_bytes = 0

    @property
    def ready(self) -> tuple[int, int]:
        """How many of the known clauses can be spoken from memory, and how many there are."""
        return len(self._clips), len(self._known)

    async def warm(self, *, language: str, voice: Voice) -> None:
        """See `serve_app.ports.Speaker`."""
        await self._speaker.warm(language=language, voice=voice)

    async def speak(self, text: str, *, language: str, voice: Voice) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        """See `serve_app.ports.Speaker`."""
        key = _Key.of(text, language, voice)
        if clip := self._kept(key):
            note(prepared=True)
            for item in clip.items:
                yield item
            return
        heard = False
        try:
            async with aclosing(self._spoken_now(key, language)) as speech:
                async for item in speech:
                    heard = heard or isinstance(item, SpeechChunk)
                    yield item
        except SpeechError as e:
            clip = None if heard else self._stand_in(key)
            if clip is None:
                raise
            yield Fallback("tts", "voice", e.message, "prepared audio")
            for chunk in clip.chunks:
                yield chunk

    async def prepare(self) -> None:
        """Have each known clause spoken, one at a time, and again until it was in its own voice; then return."""
        missing = deque(self._known)
        wait_s = RETRY_FIRST_S
        while missing:
            key = missing.popleft()
            if await self._improved(key):
                wait_s = RETRY_FIRST_S
            else:
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, RETRY_LAST_S)
            if not self._is_own(key):
                missing.append(key)

    async def _improved(self, key: _Key) -> bool:
        """Try to get a clause. Whether there is audio now where there was none, or the voice's own at last."""
        had_any = key in self._clips
        try:
            async with aclosing(self._spoken_now(key, self._known[key])) as speech:
                async for _ in speech:
                    pass
        except SpeechError:
            return False
        return self._is_own(key) or (not had_any and key in self._clips)

    async def _spoken_now(self, key: _Key, language: str) -> AsyncGenerator[SpeechChunk | Fallback, None]:
        items = []
        speech = self._speaker.speak(key.text, language=language, voice=key.voice)
        async with aclosing(speech):
            async for item in speech:
                if key.text in self._texts:
                    items.append(item)
                yield item
        self._keep(key, _Clip(tuple(items)))

    # ---- memory

    def _is_own(self, key: _Key) -> bool:
        return key in self._clips and self._clips[key].is_own

    def _kept(self, key: _Key) -> _Clip | None:
        if key in self._others:
            self._others.move_to_end(key)
        return self._clips.get(key) or self._others.get(key)

    def _stand_in(self, key: _Key) -> _Clip | None:
        clips = {**self._others, **self._clips}
        return next((clip for other, clip in clips.items() if other.sound == key.sound), None)

    def _keep(self, key: _Key, clip: _Clip) -> None:
        if not clip.chunks:
            return
        if key in self._known:
            if clip.is_own or not self._is_own(key):
                self._clips[key] = clip
        elif clip.is_own and key not in self._others:  # two calls may have asked for it at once
            self._others[key] = clip
            self._others_bytes += clip.size
            while self._others_bytes > OTHERS_BYTES:
                _, oldest = self._others.popitem(last=False)
                self._others_bytes -= oldest.size
