import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from deployments.voices.budget import CLOSE_S, in_time
from serve_app.errors import SpeechError
from serve_app.ports import Fallback, SpeechChunk
from tests.deployments.voices.scripted_engine import VOICE, ScriptedEngine, collect, timed_text
from tests.virtual_time import run


def timely(engine: ScriptedEngine, text: str = "abc") -> AsyncGenerator[SpeechChunk | Fallback, None]:
    return in_time(engine.speak(text, language="en", voice=VOICE), first_s=0.9, gap_s=0.5)


async def fails_after(engine: ScriptedEngine, told: str) -> float:
    with pytest.raises(SpeechError, match=told):
        await collect(timely(engine))
    return asyncio.get_running_loop().time()


def test_speech_in_time_is_left_as_it_is() -> None:
    engine = ScriptedEngine(delay_s=0.4)
    assert timed_text(run(collect(timely(engine)))) == "abc"
    assert engine.open == 0


def test_the_first_audio_has_a_budget() -> None:
    assert run(fails_after(ScriptedEngine(hangs=True, letters=0), r"^no audio for 0\.9 s$")) == pytest.approx(0.9)


def test_so_has_every_gap() -> None:
    engine = ScriptedEngine(hangs=True, letters=2, delay_s=0.2)
    assert run(fails_after(engine, r"^no audio for 0\.5 s$")) == pytest.approx(0.4 + 0.5)
    assert engine.open == 0


def test_only_audio_is_a_sign_of_life() -> None:
    engine = ScriptedEngine(hangs=True, letters=0, first=Fallback("tts", "one", "it broke", "another"))
    assert run(fails_after(engine, "no audio")) == pytest.approx(0.9)


def test_a_listener_who_takes_his_time_is_no_gap() -> None:
    async def main() -> int:
        count = 0
        async with aclosing(timely(ScriptedEngine(delay_s=0.1))) as speech:
            async for _ in speech:
                count += 1
                await asyncio.sleep(3)
        return count

    assert run(main()) == 3


def test_a_failure_arrives_as_it_was() -> None:
    assert run(fails_after(ScriptedEngine(fails=True, letters=1), r"^the engine broke$")) == 0


def test_an_engine_that_does_not_end_is_not_waited_for() -> None:
    async def main() -> None:
        engine = ScriptedEngine(hangs=True, letters=0, deaf=True)
        assert await fails_after(engine, "no audio") == pytest.approx(0.9 + CLOSE_S)
        assert engine.open == 1
        await asyncio.sleep(5)
        assert engine.open == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_nor_does_anybody_hear_how_it_failed_in_the_end(caplog: pytest.LogCaptureFixture) -> None:
    class Late(ScriptedEngine):
        async def speak(self, *args: object, **kwargs: object) -> AsyncGenerator[SpeechChunk | Fallback, None]:  # type: ignore[override]
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(1)
                raise SpeechError("too late")
            yield SpeechChunk(b"")

    async def main() -> None:
        await fails_after(Late(), "no audio")
        await asyncio.sleep(2)

    run(main())
    assert caplog.text == ""


@pytest.mark.parametrize("leave", ["close", "cancel"])
def test_who_leaves_ends_the_engine_at_once(leave: str) -> None:
    engine = ScriptedEngine(hangs=True, letters=1)

    async def listen(heard: asyncio.Event) -> None:
        async with aclosing(timely(engine)) as speech:
            async for _ in speech:
                heard.set()
                if leave == "close":
                    break

    async def main() -> float:
        heard = asyncio.Event()
        listening = asyncio.create_task(listen(heard))
        await heard.wait()
        if leave == "cancel":
            listening.cancel()
        await asyncio.wait([listening])
        assert listening.cancelled() == (leave == "cancel")
        assert engine.open == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return asyncio.get_running_loop().time()

    assert run(main()) == 0
