"""A voice's child is killed, hangs, is slow to be heard: what that costs, with the real espeak-ng."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import pytest

from deployments.voices.espeak import PROGRAM
from deployments.voices.voice_process import Asked, Program, VoiceProcess
from serve_app.errors import SpeechError

LONG = "Esta é uma frase bastante comprida que ninguém quer ouvir até o fim. " * 400
NOT_THERE = Program("deployments.no_such_voice", patience_s=1)


async def spoken(process: VoiceProcess, text: str = "hi") -> int:
    """Bytes of sound."""
    async with process.asked(text, ("pt-br",), 1.0) as asked:
        return await rest_of(asked)


async def rest_of(asked: Asked) -> int:
    heard = 0
    while sound := await asked.next():
        heard += len(sound.pcm)
    return heard


async def end_of(process: VoiceProcess) -> None:
    assert process._child._reading
    await asyncio.wait([process._child._reading], timeout=10)


def with_a_process(scenario: Callable[[VoiceProcess], Awaitable[None]], program: Program = PROGRAM) -> None:
    async def main() -> None:
        process = VoiceProcess(program)
        try:
            await scenario(process)
        finally:
            process.close()

    asyncio.run(main())


def pid_of(process: VoiceProcess) -> int:
    return process._child._process.pid


def test_a_killed_child_costs_only_what_was_being_spoken() -> None:
    async def scenario(process: VoiceProcess) -> None:
        whole = await spoken(process)
        async with process.asked(LONG, ("pt-br",), 1.0) as asked:
            assert await asked.next()
            clauses = [asyncio.create_task(spoken(process, LONG)) for _ in range(20)]
            await asyncio.sleep(0)
            assert len(process._child._waiting) == 21
            killed = pid_of(process)
            os.kill(killed, signal.SIGKILL)
            with pytest.raises(SpeechError, match="it ended"):
                await rest_of(asked)
        ends = await asyncio.gather(*clauses, return_exceptions=True)
        assert all(isinstance(end, SpeechError) for end in ends)
        assert await asyncio.gather(*(spoken(process) for _ in range(20))) == pytest.approx([whole] * 20, rel=0.1)
        assert pid_of(process) != killed

    with_a_process(scenario)


def test_a_child_killed_between_clauses_costs_one_clause_at_most() -> None:
    async def scenario(process: VoiceProcess) -> None:
        await spoken(process)
        os.kill(pid_of(process), signal.SIGKILL)
        try:
            await spoken(process)
        except SpeechError:
            pass
        assert await spoken(process)

    with_a_process(scenario)


def test_a_child_that_hangs_is_noticed_and_replaced() -> None:
    async def scenario(process: VoiceProcess) -> None:
        await spoken(process)
        os.kill(pid_of(process), signal.SIGSTOP)
        asked_at = time.monotonic()
        with pytest.raises(SpeechError, match="hung"):
            await spoken(process)
        assert 0.7 < time.monotonic() - asked_at < 3  # 0.8 on an idle machine
        assert await spoken(process)

    with_a_process(scenario)


def test_a_child_that_hangs_midway_is_noticed() -> None:
    async def scenario(process: VoiceProcess) -> None:
        async with process.asked(LONG, ("pt-br",), 1.0) as asked:
            assert await asked.next()
            os.kill(pid_of(process), signal.SIGSTOP)
            with pytest.raises(SpeechError, match="hung"):
                await rest_of(asked)
        assert await spoken(process)

    with_a_process(scenario)


def test_a_child_that_hangs_is_replaced_even_if_nobody_waited_so_long() -> None:
    async def scenario(process: VoiceProcess) -> None:
        await spoken(process)
        os.kill(pid_of(process), signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await spoken(process)
        await end_of(process)
        assert await spoken(process)

    with_a_process(scenario)


def test_a_loop_that_was_held_up_does_not_take_that_for_silence() -> None:
    async def scenario(process: VoiceProcess) -> None:
        await spoken(process)
        async with process.asked("hi", ("pt-br",), 1.0) as asked:
            time.sleep(0.6)  # noqa: ASYNC251
            assert await asked.next()

    with_a_process(scenario, PROGRAM._replace(patience_s=0.4))


def test_a_child_that_is_busy_with_others_does_not_hang() -> None:
    """Clauses of ten minutes: the last waits for longer than the child may be silent."""

    async def scenario(process: VoiceProcess) -> None:
        await process.warm()
        started, first_heard = time.monotonic(), []

        async def first_sound() -> None:
            async with process.asked(LONG[:9000], ("pt-br",), 1.0) as asked:
                assert await asked.next()
                first_heard.append(time.monotonic() - started)
                await rest_of(asked)

        await asyncio.gather(*(first_sound() for _ in range(3)))
        assert max(first_heard) > 0.4

    with_a_process(scenario, PROGRAM._replace(patience_s=0.4))


def test_no_task_outlives_it() -> None:
    async def main() -> None:
        process = VoiceProcess(PROGRAM)
        await spoken(process)
        process.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_warm_makes_it_ready() -> None:
    async def scenario(process: VoiceProcess) -> None:
        await process.warm()
        first = pid_of(process)
        os.kill(first, signal.SIGKILL)
        await end_of(process)
        await process.warm()
        assert pid_of(process) != first
        assert await spoken(process)

    with_a_process(scenario)


@pytest.mark.filterwarnings("ignore")
def test_what_does_not_start_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    async def scenario(process: VoiceProcess) -> None:
        await process.warm()
        with pytest.raises(SpeechError, match="does not start"):
            await spoken(process)

    with_a_process(scenario, NOT_THERE)
    process = VoiceProcess(NOT_THERE)
    with pytest.raises(SpeechError, match="ended as soon as it started"):
        process.wait()
    process.close()
    assert "no_such_voice" in capfd.readouterr().err


def test_the_child_dies_with_its_parent() -> None:
    """A parent that is killed cleans nothing up; the child sees its socket end."""
    script = (
        "import os\n"
        "from deployments.voices.espeak import PROGRAM\n"
        "from deployments.voices.voice_process import VoiceProcess\n"
        "process = VoiceProcess(PROGRAM)\n"
        "print(process._child._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environ, text=True)
    handle = _open_process(int(parent.stdout))
    if handle is not None:
        assert _ended(handle, within_s=10)


def _open_process(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _ended(pidfd: int, within_s: float) -> bool:
    try:
        return bool(select.select([pidfd], [], [], within_s)[0])
    finally:
        os.close(pidfd)
