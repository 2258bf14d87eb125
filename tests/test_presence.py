import asyncio

from serve_app.presence import Presence
from tests.fakes.ports import Wire
from tests.virtual_time import run


def test_the_clock_stands_still_while_nobody_is_there() -> None:
    async def scenario() -> None:
        presence = Presence()
        presence.socket = Wire()
        await asyncio.sleep(5)
        presence.leave()
        await asyncio.sleep(30)
        assert presence.now() == 5
        assert presence.wakes_at(7) is None
        assert presence.come(Wire()) == 30
        await asyncio.sleep(1)
        assert presence.now() == 6
        assert presence.wakes_at(7) == asyncio.get_running_loop().time() + 1

    run(scenario())


def test_who_takes_the_place_of_somebody_has_not_been_away() -> None:
    async def scenario() -> None:
        presence = Presence()
        presence.socket = Wire()
        await asyncio.sleep(5)
        assert presence.come(Wire()) == 0
        assert presence.now() == 5

    run(scenario())
