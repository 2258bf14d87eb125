import asyncio
from contextlib import aclosing

import msgspec
import pytest

from deployments.voices.espeak import EspeakVoice
from serve_app.audio.pcm import level_db
from serve_app.conversation.known_clauses import KnownClause
from serve_app.errors import SpeechError
from serve_app.ports import Fallback, SpeechChunk, Voice
from serve_app.providers import prepared_speaker
from serve_app.providers.prepared_speaker import RETRY_FIRST_S, RETRY_LAST_S, PreparedSpeaker
from tests.deployments.voices.scripted_engine import FORMAT, VOICE, ScriptedEngine, collect, timed_text
from tests.virtual_time import run

Items = list[SpeechChunk | Fallback]
KNOWN = [KnownClause(text, "pt-BR", VOICE) for text in ("Um momento.", "Até logo!", "Pode repetir?")]
OTHER_VOICE = msgspec.structs.replace(VOICE, voice_id="other")
LOCAL = Fallback("tts", "elevenlabs", "no audio for 0.9 s", "espeak")


async def say(speaker: PreparedSpeaker, text: str = "Um momento.", language: str = "pt", voice: Voice = VOICE) -> Items:
    return await collect(speaker.speak(text, language=language, voice=voice))


def test_what_is_prepared_is_spoken_at_once_and_without_the_voice() -> None:
    engine = ScriptedEngine(delay_s=0.1)
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        assert speaker.ready == (0, 3)
        await speaker.prepare()
        assert speaker.ready == (3, 3)
        assert engine.asked == [clause.text for clause in KNOWN]
        prepared = asyncio.get_running_loop().time()
        for clause in KNOWN:
            items = await say(speaker, clause.text)
            assert timed_text(items) == clause.text
            assert all(isinstance(item, SpeechChunk) and item.audio for item in items)
        assert asyncio.get_running_loop().time() == prepared
        assert len(engine.asked) == 3

    run(main())


def test_one_clause_is_prepared_at_a_time() -> None:
    engine = ScriptedEngine(delay_s=0.1)

    async def main() -> None:
        preparing = asyncio.create_task(PreparedSpeaker(engine, KNOWN).prepare())
        while not preparing.done():
            assert engine.open <= 1
            await asyncio.sleep(0.05)

    run(main())
    assert len(engine.asked) == 3


def test_agents_with_the_same_voice_share_what_is_prepared() -> None:
    engine = ScriptedEngine()
    same = [KnownClause(clause.text, "pt", msgspec.convert(msgspec.to_builtins(VOICE), Voice)) for clause in KNOWN]
    speaker = PreparedSpeaker(engine, [*KNOWN, *same])
    run(speaker.prepare())
    assert speaker.ready == (3, 3)
    assert len(engine.asked) == 3


def test_everything_else_is_spoken_now_and_forgotten() -> None:
    engine = ScriptedEngine()
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        for _ in range(2):
            assert timed_text(await say(speaker, "Seu saldo é zero.")) == "Seu saldo é zero."

    run(main())
    assert engine.asked == ["Seu saldo é zero."] * 2


def test_a_known_text_is_remembered_in_the_voices_that_clients_ask_for() -> None:
    engine = ScriptedEngine()
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        first = await say(speaker, voice=OTHER_VOICE)
        assert await say(speaker, voice=OTHER_VOICE) == first

    run(main())
    assert engine.asked == ["Um momento."]
    assert speaker.ready == (0, 3), "its own voice has not spoken it"


def test_what_was_not_spoken_to_the_end_is_not_kept() -> None:
    engine = ScriptedEngine()
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        async with aclosing(speaker.speak("Um momento.", language="pt", voice=VOICE)) as speech:
            await anext(speech)
        assert engine.open == 0
        assert timed_text(await say(speaker)) == "Um momento."

    run(main())
    assert len(engine.asked) == 2


def test_the_voices_of_clients_have_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    clip_bytes = FORMAT.bytes_for(len("Um momento.") * 0.1)
    monkeypatch.setattr(prepared_speaker, "OTHERS_BYTES", 2 * clip_bytes)
    engine = ScriptedEngine()
    speaker = PreparedSpeaker(engine, KNOWN)
    voices = [msgspec.structs.replace(VOICE, voice_id=name) for name in "abc"]

    async def main() -> None:
        await speaker.prepare()
        engine.asked.clear()
        for name in "ab", "a", "c":  # "b" has not been used for the longest time when "c" comes
            for index in map("abc".index, name):
                await say(speaker, voice=voices[index])
        assert len(engine.asked) == 3
        for index in (0, 2):
            await say(speaker, voice=voices[index])
        assert len(engine.asked) == 3
        await say(speaker, voice=voices[1])
        assert len(engine.asked) == 4
        await say(speaker)
        assert len(engine.asked) == 4, "the agents' own voices are not at stake"

    run(main())


def test_preparing_goes_on_when_the_voice_is_back() -> None:
    engine = ScriptedEngine(letters=0, fails=True)
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        preparing = asyncio.create_task(speaker.prepare())
        await asyncio.sleep(100)
        assert speaker.ready == (0, 3)
        assert len(engine.asked) < 10
        engine.letters, engine.fails = 1000, False
        await asyncio.sleep(100)
        assert preparing.done()
        assert speaker.ready == (3, 3)

    run(main())


def test_one_clause_that_cannot_be_spoken_does_not_hold_up_the_others() -> None:
    class Picky(ScriptedEngine):
        def speak(self, text: str, *, language: str, voice: Voice):  # type: ignore[no-untyped-def]
            self.fails = text == "Um momento."
            self.letters = 0 if self.fails else 1000
            return super().speak(text, language=language, voice=voice)

    engine = Picky()
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        preparing = asyncio.create_task(speaker.prepare())
        await asyncio.sleep(2 * RETRY_FIRST_S)
        assert speaker.ready == (2, 3)
        asked = len(engine.asked)
        await asyncio.sleep(24 * 3600)
        assert len(engine.asked) - asked <= 24 * 3600 / RETRY_LAST_S + 10
        preparing.cancel()
        await asyncio.wait([preparing])
        assert preparing.cancelled()
        assert engine.open == 0

    run(main())


def test_what_another_voice_spoke_is_given_until_the_voice_is_back() -> None:
    engine = ScriptedEngine(first=LOCAL)
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        preparing = asyncio.create_task(speaker.prepare())
        await asyncio.sleep(10)
        assert speaker.ready == (3, 3)
        asked = len(engine.asked)
        items = await say(speaker)
        assert items[0] == LOCAL, "which is told"
        assert timed_text(items) == "Um momento."
        assert len(engine.asked) == asked
        engine.first = None
        await asyncio.sleep(20)
        assert preparing.done()
        assert LOCAL not in await say(speaker)

    run(main())


def test_the_voices_own_is_not_given_up_for_another() -> None:
    engine = ScriptedEngine()
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        slow = speaker.speak("Um momento.", language="pt", voice=VOICE)
        engine.first = LOCAL
        await anext(slow)  # asked before it is prepared, and answered later, by another voice
        engine.first = None
        await speaker.prepare()
        async for _ in slow:
            pass
        assert LOCAL not in await say(speaker)

    run(main())


def test_a_clients_voice_is_only_kept_as_itself() -> None:
    engine = ScriptedEngine(first=LOCAL)
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        assert LOCAL in await say(speaker, voice=OTHER_VOICE)
        engine.first = None
        assert LOCAL not in await say(speaker, voice=OTHER_VOICE)

    run(main())


def test_prepared_audio_stands_in_where_every_voice_fails() -> None:
    """In whichever voice and language tag it is there, if the caller can play it."""
    engine = ScriptedEngine()
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        await speaker.prepare()
        engine.letters, engine.fails = 0, True
        items = await say(speaker, language="en", voice=OTHER_VOICE)
        assert items[0] == Fallback("tts", "voice", "the engine broke", "prepared audio")
        assert timed_text(items) == "Um momento."
        with pytest.raises(SpeechError, match="the engine broke"):
            await say(speaker, "Seu saldo é zero.")
        phone = msgspec.structs.replace(OTHER_VOICE, agent_output_audio_format="ulaw_8000")
        with pytest.raises(SpeechError, match="the engine broke"):
            await say(speaker, voice=phone)

    run(main())


def test_it_does_not_begin_anew_what_broke_off_midway() -> None:
    engine = ScriptedEngine()
    speaker = PreparedSpeaker(engine, KNOWN)

    async def main() -> None:
        await speaker.prepare()
        engine.letters, engine.fails = 3, True
        with pytest.raises(SpeechError, match="the engine broke"):
            await say(speaker, voice=OTHER_VOICE)

    run(main())


def test_the_voice_is_warmed_through_it() -> None:
    engine = ScriptedEngine()
    run(PreparedSpeaker(engine, KNOWN).warm(language="pt", voice=VOICE))
    assert engine.warmed == [("pt", VOICE)]


def test_prepared_audio_can_be_heard() -> None:
    async def main() -> Items:
        local = EspeakVoice()
        speaker = PreparedSpeaker(local, KNOWN)
        await speaker.prepare()
        await local.aclose()  # the voice is gone; its words are not
        return await say(speaker, "Até logo!")

    items = asyncio.run(main())
    audio = b"".join(item.audio for item in items if isinstance(item, SpeechChunk))
    assert timed_text(items) == "Até logo!"
    assert level_db(FORMAT.decode(audio)) > -30
