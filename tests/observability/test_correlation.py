import asyncio

from serve_app.observability import correlation
from serve_app.observability.correlation import (
    UNRECORDED,
    Recorded,
    carried,
    carrier,
    conversation_id,
    note,
    trace_headers,
    work_for,
)


class Piece(Recorded):
    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent
        self.noted: dict[str, object] = {}

    def note(self, **attributes: object) -> None:
        self.noted |= attributes


def test_whoever_works_for_nobody_sends_nothing_along() -> None:
    assert carrier() == trace_headers() == {}
    note(anything=1)
    with UNRECORDED as span:
        span.mark("first")
        span.count("pieces")
    assert carrier() == {}


def test_a_piece_of_work_is_known_where_it_runs_and_to_what_it_starts() -> None:
    async def main() -> None:
        outer, inner = Piece("00-outer"), Piece("00-inner")
        with outer:
            with inner:
                started = asyncio.create_task(started_inside())
                assert trace_headers() == {"traceparent": "00-inner"}
            note(where="outside")
            assert trace_headers() == {"traceparent": "00-outer"}
            await started
        assert (outer.noted, inner.noted) == ({"where": "outside"}, {"where": "inside"})
        assert trace_headers() == {}

    async def started_inside() -> None:
        note(where="inside")

    asyncio.run(main())


def test_the_conversation_travels_as_baggage() -> None:
    async def main() -> None:
        work_for("conv_1; a=ç")
        sent = carrier()
        assert sent == {"baggage": "conversation_id=conv_1%3B%20a%3D%C3%A7"}
        work_for("conv_2")
        with carried(sent):
            assert conversation_id.get() == "conv_1; a=ç"
        assert conversation_id.get() == "conv_2"

    asyncio.run(main())


def test_other_baggage_is_left_alone() -> None:
    with carried({"baggage": "user=7, conversation_id = conv_3 ;secret"}):
        assert conversation_id.get() == "conv_3"
    with carried({"baggage": "xconversation_id=conv_3"}):
        assert conversation_id.get() == ""
    with carried(None):
        assert carrier() == {}


def test_a_task_keeps_what_it_works_for_to_itself() -> None:
    async def main() -> None:
        await asyncio.create_task(another())
        assert conversation_id.get() == ""

    async def another() -> None:
        work_for("conv_1")
        assert conversation_id.get() == "conv_1"

    asyncio.run(main())


def test_a_generator_that_is_closed_elsewhere_does_no_harm() -> None:
    async def main() -> None:
        async def work() -> object:
            with Piece("00-a"), carried({"baggage": "conversation_id=conv_1"}):
                yield 1

        generator = work()
        await asyncio.create_task(anext(generator))
        await asyncio.create_task(generator.aclose())
        assert correlation.traceparent() == ""

    asyncio.run(main())
