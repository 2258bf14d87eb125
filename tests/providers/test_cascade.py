"""One answer from several models, of which some fail. In virtual time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from serve_app.conversation.agent import Prompt
from serve_app.conversation.breaker import OPENS_AT, PROBE_AFTER_S, Breaker, State
from serve_app.conversation.notes import GO_ON_NOTE
from serve_app.errors import LanguageModelError
from serve_app.ports import Fallback, Message, ModelRequest, Reasoning, ToolCall
from serve_app.providers.cascade import ANSWER_S, TURN_S, Candidate, Cascade, Piece
from serve_app.providers.refusals import Hiccup, RequestRefused
from tests import virtual_time

REQUEST = ModelRequest((Message("user", "where is my order?"),), "en")
CALL = ToolCall("call_a", "get_order", "{}")

Step = str | float | Exception | Reasoning | ToolCall


class Model:
    """Each request gets the next of `answers`: pieces, seconds of waiting, and what is raised."""

    def __init__(self, *answers: list[Step]) -> None:
        self.answers = list(answers)
        self.asked: list[ModelRequest] = []
        self.open = 0

    async def reply(self, request: ModelRequest) -> AsyncGenerator[str | ToolCall | Reasoning | Fallback, None]:
        self.asked.append(request)
        self.open += 1
        try:
            for step in self.answers.pop(0):
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.open -= 1


def stall(name: str = "a") -> list[Step]:
    return [1.5, LanguageModelError(f"{name} sent nothing within 1.5 s")]


def candidates(*models: Model, request: ModelRequest = REQUEST) -> list[Candidate]:
    return [Candidate(model, request, Breaker(name)) for model, name in zip(models, "abc", strict=False)]


async def pieces(cascade: list[Candidate]) -> list[Piece]:
    async with aclosing(Cascade(cascade).reply()) as answer:
        return [piece async for piece in answer]


def ask(*models: Model, request: ModelRequest = REQUEST) -> list[Piece]:
    return virtual_time.run(pieces(candidates(*models, request=request)))


def why(*models: Model) -> str:
    with pytest.raises(LanguageModelError) as error:
        ask(*models)
    return error.value.message


def test_the_first_answers_if_it_can() -> None:
    first, second = Model([Reasoning("hm"), "It", 0.1, " is here.", CALL]), Model()
    assert ask(first, second) == [Reasoning("hm"), "It", " is here.", CALL]
    assert first.asked == [REQUEST]
    assert second.asked == []


@pytest.mark.parametrize(
    "failure", [[LanguageModelError("no")], [Hiccup("no")], [RequestRefused("no")], [1.5, Hiccup("no")]]
)
def test_the_next_answers_when_it_cannot(failure: list[Step]) -> None:
    first, second = Model(failure), Model(["Here."])
    assert ask(first, second) == [Fallback("llm", "a", "no", "b"), "Here."]
    assert second.asked == [REQUEST]


def test_thoughts_and_blanks_are_no_words() -> None:
    first, second = Model([Reasoning("hm"), " ", *stall()]), Model(["Here."])
    said = Fallback("llm", "a", "a sent nothing within 1.5 s", "b")
    assert ask(first, second) == [Reasoning("hm"), " ", said, "Here."]
    assert second.asked == [REQUEST]


def test_each_that_failed_is_told_before_who_answers() -> None:
    models = Model([LanguageModelError("a: no")]), Model([LanguageModelError("b: no")]), Model(["Here."])
    assert ask(*models) == [Fallback("llm", "a", "a: no", "b"), Fallback("llm", "b", "b: no", "c"), "Here."]


def test_when_none_is_left_all_reasons_are_told() -> None:
    assert why(Model([LanguageModelError("a: no")]), Model([LanguageModelError("b: no")])) == "a: no; b: no"
    assert why() == "no language model to ask"


def test_a_bug_is_not_taken_for_a_failure() -> None:
    with pytest.raises(ZeroDivisionError):
        ask(Model([ZeroDivisionError()]), Model(["Here."]))


# ---- midway


def test_the_next_goes_on_from_the_words_that_were_said() -> None:
    first, second = Model(["Your order", " is", *stall()]), Model(["on", " its way.", CALL])
    told = Fallback("llm", "a", "a sent nothing within 1.5 s", "b")
    assert ask(first, second) == ["Your order", " is", told, " on", " its way.", CALL]
    [asked] = second.asked
    said = Message("assistant", "Your order is")
    assert list(asked.messages) == [*REQUEST.messages, said, Message("system", GO_ON_NOTE)]


@pytest.mark.parametrize(
    ("said", "goes_on", "joined"),
    [
        ("It is", "here.", " here."),
        ("It is", " here.", " here."),
        ("It is ", "here.", "here."),
        ("It is", ", I think,", ", I think,"),
        ("Hello,", "sir.", " sir."),
        ('He said "', "no", "no"),
        ("well-", "known", "known"),
        ("R$ 5", "00", " 00"),
        ("Olá", "é", " é"),
    ],
)
def test_words_are_not_run_together(said: str, goes_on: str, joined: str) -> None:
    assert ask(Model([said, LanguageModelError("no")]), Model([goes_on, "."]))[2:] == [joined, "."]


def test_a_third_goes_on_from_both() -> None:
    models = Model(["One,", Hiccup("no")]), Model(["two,", Hiccup("no")]), Model(["three."])
    assert [piece for piece in ask(*models) if isinstance(piece, str)] == ["One,", " two,", " three."]
    assert models[2].asked[0].messages[1] == Message("assistant", "One, two,")


def test_words_are_given_before_the_answer_fails() -> None:
    async def answer(given: list[Piece]) -> None:
        async for piece in Cascade(candidates(Model(["One,", *stall()]))).reply():
            given.append(piece)  # noqa: PERF401 - what came before the error is wanted

    given: list[Piece] = []
    with pytest.raises(LanguageModelError, match="a sent nothing"):
        virtual_time.run(answer(given))
    assert given == ["One,"]


# ---- asked again


def test_the_last_is_asked_again_when_that_costs_little() -> None:
    alone = Model([0.1, Hiccup("reset")], ["Here."])
    assert ask(alone) == [Fallback("llm", "a", "reset", "a"), "Here."]
    last = Model([Hiccup("reset")], ["Here."])
    told = [Fallback("llm", "a", "a sent nothing within 1.5 s", "b"), Fallback("llm", "b", "reset", "b")]
    assert ask(Model(stall()), last) == [*told, "Here."]


def test_so_is_an_earlier_one_when_the_others_are_of_no_use() -> None:
    async def answer() -> list[Piece]:
        asked = candidates(Model([Hiccup("reset")], ["Here."]), Model(stall("b")), Model())
        for _ in range(OPENS_AT):
            asked[2].breaker.failed(0.0)
        return await pieces(asked)

    names = [(piece.failed, piece.instead) for piece in virtual_time.run(answer()) if isinstance(piece, Fallback)]
    assert names == [("a", "b"), ("b", "a"), ("c", "a")]


def test_also_midway() -> None:
    alone = Model(["One,", 1.0, " two,", Hiccup("reset")], ["three."])
    assert ask(alone) == ["One,", " two,", Fallback("llm", "a", "reset", "a"), " three."]


@pytest.mark.parametrize("failure", [[LanguageModelError("no")], [RequestRefused("no")], [0.6, Hiccup("no")]])
def test_but_not_where_it_would_not_help_or_takes_too_long(failure: list[Step]) -> None:
    alone = Model(failure, ["Here."])
    assert why(alone) == "no"
    assert len(alone.asked) == 1


def test_and_only_once() -> None:
    alone = Model([Hiccup("reset")], [Hiccup("reset")], ["Here."])
    assert why(alone) == "reset"
    assert len(alone.asked) == 2


# ---- time


def test_no_model_is_begun_when_the_turn_is_lost() -> None:
    slow = Model([TURN_S, LanguageModelError("a: no")])
    second = Model(["Here."])
    assert why(slow, second) == "a: no"
    assert second.asked == []


def test_a_turn_is_longer_for_an_agent_that_waits_longer() -> None:
    patient = ModelRequest(REQUEST.messages, "en", Prompt(cascade_timeout_seconds=8))
    slow = Model([8.0, LanguageModelError("a: no")])
    assert ask(slow, Model(["Here."]), request=patient) == [Fallback("llm", "a", "a: no", "b"), "Here."]


def test_words_give_the_turn_more_time() -> None:
    first = Model(["One,", TURN_S - 1, " two,", *stall()])
    assert ask(first, Model(["three."]))[-1] == " three."


def test_an_answer_has_an_end() -> None:
    endless = Model(["word ", 1.0] * 100)
    second = Model(["Here."])
    assert why(endless, second) == f"a had not ended its answer after {ANSWER_S:.0f} s"
    assert endless.open == 0
    assert second.asked == []


# ---- the breakers


def test_a_model_that_keeps_failing_is_left_alone_until_it_has_healed() -> None:
    async def turns() -> list[list[Piece]]:
        first = Model(*[stall()] * OPENS_AT, ["Back."], ["Back."])
        asked = candidates(first, Model(*[["Here."]] * 9))
        answers = [await pieces(asked) for _ in range(OPENS_AT + 1)]
        assert len(first.asked) == OPENS_AT
        await asyncio.sleep(PROBE_AFTER_S)
        answers += [await pieces(asked), await pieces(asked)]
        assert asked[0].breaker.state is State.CLOSED
        return answers[OPENS_AT:]

    alone, *healed = virtual_time.run(turns())
    assert alone == [
        Fallback("llm", "a", "a has failed several times in a row, and is left alone for now", "b"),
        "Here.",
    ]
    assert healed == [["Back."], ["Back."]]


def test_when_all_are_left_alone_that_is_the_reason() -> None:
    async def turn() -> None:
        [alone] = candidates(Model())
        for _ in range(OPENS_AT):
            alone.breaker.failed(0.0)
        await pieces([alone])

    with pytest.raises(LanguageModelError, match="a has failed several times in a row, and is left alone for now"):
        virtual_time.run(turn())


def test_a_model_that_breaks_off_each_time_is_left_alone_too() -> None:
    async def turns() -> State:
        asked = candidates(Model(*[["One,", LanguageModelError("no")]] * OPENS_AT), Model(*[["two."]] * OPENS_AT))
        for _ in range(OPENS_AT):
            await pieces(asked)
        return asked[0].breaker.state

    assert virtual_time.run(turns()) is State.OPEN


def test_a_request_that_is_at_fault_itself_says_nothing_of_the_model() -> None:
    async def turns() -> State:
        [asked] = candidates(Model(*[[RequestRefused("no")]] * (OPENS_AT + 1)))
        for _ in range(OPENS_AT + 1):
            with pytest.raises(LanguageModelError, match="no"):
                await pieces([asked])
        return asked.breaker.state

    assert virtual_time.run(turns()) is State.CLOSED


def test_neither_does_a_caller_who_goes_on() -> None:
    async def turns() -> tuple[State, State, int]:
        first, second = Model(*[["One", 9.0]] * OPENS_AT), Model(*[[9.0]] * OPENS_AT)
        talking, silent = candidates(first), candidates(second)
        for _ in range(OPENS_AT):
            async with aclosing(Cascade(talking).reply()) as answer:
                assert await anext(answer) == "One"
            waiting = asyncio.create_task(pieces(silent))
            await asyncio.sleep(0.1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert len(asyncio.all_tasks()) == 1
        return talking[0].breaker.state, silent[0].breaker.state, first.open + second.open

    assert virtual_time.run(turns()) == (State.CLOSED, State.CLOSED, 0)
