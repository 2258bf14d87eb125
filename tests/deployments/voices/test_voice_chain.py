import asyncio
from contextlib import aclosing

import pytest

from deployments.voices.espeak import EspeakVoice
from deployments.voices.voice_chain import VoiceChain
from serve_app.audio.pcm import level_db
from serve_app.conversation.breaker import PROBE_AFTER_S, State
from serve_app.errors import SpeechError
from serve_app.ports import Fallback, SpeechChunk
from tests.deployments.voices.scripted_engine import FORMAT, LETTER_S, VOICE, ScriptedEngine, collect, timed_text
from tests.virtual_time import run

TEXT = "um dois três"
Items = list[SpeechChunk | Fallback]


def chain(*engines: ScriptedEngine) -> VoiceChain:
    return VoiceChain([(engine.name, engine) for engine in engines])


async def say(voices: VoiceChain, text: str = TEXT) -> Items:
    return await collect(voices.speak(text, language="pt", voice=VOICE))


def fallbacks(items: Items) -> list[Fallback]:
    return [item for item in items if isinstance(item, Fallback)]


def seconds(items: Items) -> float:
    return sum(FORMAT.seconds(len(item.audio)) for item in items if isinstance(item, SpeechChunk))


def test_the_first_engine_speaks_alone() -> None:
    first, second = ScriptedEngine("first"), ScriptedEngine("second")
    items = run(say(chain(first, second)))
    assert timed_text(items) == TEXT
    assert fallbacks(items) == []
    assert second.asked == []


def test_the_second_speaks_for_one_that_refuses() -> None:
    first, second = ScriptedEngine("first", letters=0, fails=True), ScriptedEngine("second")
    items = run(say(chain(first, second)))
    assert items[0] == Fallback("tts", "first", "the first broke", "second")
    assert timed_text(items) == TEXT
    assert second.asked == [TEXT]


def test_it_goes_on_with_the_word_in_which_the_first_broke_off() -> None:
    first, second = ScriptedEngine("first", letters=5, fails=True), ScriptedEngine("second")
    items = run(say(chain(first, second)))
    assert second.asked == ["dois três"]
    assert items.index(Fallback("tts", "first", "the first broke", "second")) == 5
    assert timed_text(items) == TEXT
    assert seconds(items) == pytest.approx((5 + len("dois três")) * LETTER_S)


def test_an_engine_that_broke_off_after_its_last_word_was_enough() -> None:
    first, second = ScriptedEngine("first", letters=len(TEXT), fails=True), ScriptedEngine("second")
    items = run(say(chain(first, second)))
    assert timed_text(items) == TEXT
    assert (fallbacks(items), second.asked) == ([], [])


@pytest.mark.parametrize("letters", [0, 5])
@pytest.mark.parametrize("deaf", [False, True])
def test_silence_of_an_engine_is_a_failure(letters: int, deaf: bool) -> None:
    """And so is that of one which does not even end."""
    first, second = ScriptedEngine("first", letters=letters, hangs=True, deaf=deaf), ScriptedEngine("second")

    async def main() -> tuple[Items, float]:
        return await say(chain(first, second)), asyncio.get_running_loop().time()

    items, took_s = run(main())
    assert fallbacks(items) == [Fallback("tts", "first", "no audio for 0.9 s", "second")]
    assert timed_text(items) == TEXT
    assert took_s == pytest.approx(0.9, abs=0.11)


def test_an_engine_that_ends_without_audio_has_failed() -> None:
    items = run(say(chain(ScriptedEngine("first", letters=0), ScriptedEngine("second"))))
    assert fallbacks(items) == [Fallback("tts", "first", "it ended without audio", "second")]
    assert timed_text(items) == TEXT


def test_a_text_without_words_is_asked_of_nobody() -> None:
    engine = ScriptedEngine()
    assert run(say(chain(engine), " …!")) == []
    assert engine.asked == []


def test_three_engines() -> None:
    engines = [ScriptedEngine(name, letters=3, fails=True) for name in ("first", "second")]
    third = ScriptedEngine("third")
    items = run(say(chain(*engines, third)))
    assert [(each.failed, each.instead) for each in fallbacks(items)] == [("first", "second"), ("second", "third")]
    assert engines[1].asked == ["dois três"]
    assert third.asked == ["dois três"]
    assert timed_text(items) == TEXT


def test_when_all_fail_the_error_names_them_and_why() -> None:
    voices = chain(ScriptedEngine("first", letters=0, fails=True), ScriptedEngine("second", letters=0, hangs=True))
    with pytest.raises(SpeechError, match=r"^first: the first broke; second: no audio for 0\.9 s$"):
        run(say(voices))


def test_an_engines_own_fallback_passes_through() -> None:
    inner = Fallback("tts", "one way", "refused", "another way")
    assert fallbacks(run(say(chain(ScriptedEngine(first=inner))))) == [inner]


def test_an_engine_that_keeps_failing_is_left_alone_until_it_is_well() -> None:
    first, second = ScriptedEngine("first", letters=0, fails=True), ScriptedEngine("second")
    states: list[tuple[str, State]] = []
    voices = VoiceChain([("first", first), ("second", second)], lambda name, state: states.append((name, state)))

    async def main() -> None:
        for _ in range(3):
            await say(voices)
        assert len(first.asked) == 3
        items = await say(voices)
        assert len(first.asked) == 3
        assert fallbacks(items) == [Fallback("tts", "first", "left alone for now: it failed again and again", "second")]
        await asyncio.sleep(PROBE_AFTER_S)
        first.letters, first.fails = 1000, False
        assert fallbacks(await say(voices)) == []
        assert timed_text(await say(voices)) == TEXT
        assert len(first.asked) == 5

    run(main())
    of_first = [state for name, state in states if name == "first"]
    assert of_first == [State.CLOSED, State.OPEN, State.HALF_OPEN, State.CLOSED]
    assert [state for name, state in states if name == "second"] == [State.CLOSED]


def test_dying_midway_again_and_again_opens_the_breaker_too() -> None:
    first, second = ScriptedEngine("first", letters=2, fails=True), ScriptedEngine("second")
    voices = chain(first, second)

    async def main() -> None:
        for _ in range(5):
            await say(voices)

    run(main())
    assert len(first.asked) == 3


def test_the_last_engine_is_never_left_alone() -> None:
    last = ScriptedEngine("last", letters=0, fails=True)
    voices = chain(last)

    async def main() -> None:
        for _ in range(5):
            with pytest.raises(SpeechError):
                await say(voices)
        last.letters, last.fails = 1000, False
        assert timed_text(await say(voices)) == TEXT

    run(main())
    assert len(last.asked) == 6


@pytest.mark.parametrize("leave", ["close", "cancel"])
def test_who_does_not_listen_to_the_end_says_nothing_about_the_engine(leave: str) -> None:
    first, second = ScriptedEngine("first", letters=3, hangs=True), ScriptedEngine("second")
    voices = chain(first, second)

    async def listen(heard: asyncio.Event) -> None:
        async with aclosing(voices.speak(TEXT, language="pt", voice=VOICE)) as speech:
            async for _ in speech:
                heard.set()
                if leave == "close":
                    break

    async def main() -> None:
        for _ in range(5):
            heard = asyncio.Event()
            listening = asyncio.create_task(listen(heard))
            await heard.wait()
            if leave == "cancel":
                listening.cancel()
            await asyncio.wait([listening])
            assert first.open == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())
    assert len(first.asked) == 5, "its breaker has not opened"
    assert second.asked == []


def test_an_abandoned_probe_makes_room_for_the_next() -> None:
    first, second = ScriptedEngine("first", letters=0, fails=True), ScriptedEngine("second")
    voices = chain(first, second)

    async def main() -> None:
        for _ in range(3):
            await say(voices)
        await asyncio.sleep(PROBE_AFTER_S)
        first.letters, first.fails = 1000, False
        async with aclosing(voices.speak(TEXT, language="pt", voice=VOICE)) as speech:
            await anext(speech)
        assert fallbacks(await say(voices)) == []

    run(main())
    assert len(first.asked) == 5


def test_all_engines_are_warmed() -> None:
    engines = ScriptedEngine("first"), ScriptedEngine("second")
    voices = chain(*engines)
    run(voices.warm(language="pt", voice=VOICE))
    assert [engine.warmed for engine in engines] == [[("pt", VOICE)]] * 2
    assert voices.describe() == "the first, then the second"


def test_the_local_voice_speaks_the_rest() -> None:
    """In sound that can be heard."""

    async def main() -> Items:
        local = EspeakVoice()
        try:
            first = ScriptedEngine("first", letters=len("um dois t"), fails=True)
            return await say(VoiceChain([("first", first), ("espeak", local)]))
        finally:
            await local.aclose()

    items = asyncio.run(main())
    assert timed_text(items) == TEXT
    switch = items.index(Fallback("tts", "first", "the first broke", "espeak"))
    audio = b"".join(item.audio for item in items[switch:] if isinstance(item, SpeechChunk))
    assert level_db(FORMAT.decode(audio)) > -30
    assert 0.2 < FORMAT.seconds(len(audio)) < 1.2
