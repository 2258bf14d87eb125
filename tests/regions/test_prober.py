import asyncio

from websockets.asyncio.server import ServerConnection, serve

from tests.chaos.caller import until
from tests.regions.prober import Probe, probing

METADATA = '{"type": "conversation_initiation_metadata", "conversation_initiation_metadata_event": {}}'


def test_newcomers_are_told_apart_by_what_they_meet() -> None:
    """The first is taken, the second refused, the third answered with something else."""

    async def probe() -> list[Probe]:
        came = 0

        async def converse(line: ServerConnection) -> None:
            nonlocal came
            came += 1
            await line.recv()
            match came:
                case 1:
                    await line.send(METADATA)
                case 2:
                    await line.close(1013, "all lines are busy")
                case _:
                    await line.send('{"type": "error"}')

        async with serve(converse, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            async with probing(f"ws://127.0.0.1:{port}") as probes:
                assert await until(lambda: len(probes) >= 3, 5.0)
        return probes

    first, second, third, *_ = asyncio.run(probe())
    assert first.failure == ""
    assert "all lines are busy" in second.failure
    assert third.failure == "it began with error"
    assert first.at < second.at < third.at


def test_a_server_that_is_gone_is_a_failure() -> None:
    async def probe() -> list[Probe]:
        async with probing("ws://127.0.0.1:9") as probes:
            assert await until(lambda: bool(probes), 5.0)
        return probes

    assert asyncio.run(probe())[0].failure
