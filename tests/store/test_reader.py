import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

import pytest

from serve_app.ports import LogEvent
from serve_app.store.database import Database
from serve_app.store.opinions import Opinion, Opinions
from tests.store import stored
from tests.store.calls import OVERRIDE, eventful_call
from tests.store.samples import STARTED_UNIX, agent_turn, event, interrupted_call, started, user_turn

AWAY = {"code": 1002, "error_type": "llm_error", "message": "the language model is away"}
FAILED = {"reason": "the language model is away", "close_code": 1002, "duration_secs": 2.0, "status": "failed"}
DONE = {"reason": "client disconnected", "close_code": 1000, "duration_secs": 2.0, "status": "done"}


def test_a_finished_call_is_read_back(database_url: str) -> None:
    call = read_after(database_url, interrupted_call("c"))
    assert (call["conversation_id"], call["agent_id"], call["agent_name"]) == ("c", "default", "Ana")
    assert (call["status"], call["user_id"]) == ("done", "u-1")
    assert (call["user_message_count"], call["agent_message_count"]) == (1, 1)
    assert call["metadata"] == {
        "start_time_unix_secs": int(STARTED_UNIX),
        "accepted_time_unix_secs": int(STARTED_UNIX),
        "call_duration_secs": 7,
        "termination_reason": "user hung up",
        "error": None,
        "warnings": [],
        "feedback": {
            "type": "thumbs",
            "overall_score": None,
            "likes": 1,
            "dislikes": 0,
            "rating": None,
            "comment": None,
        },
        "main_language": "pt",
        "text_only": False,
        "authorization_method": "signed_url",
        "conversation_initiation_source": "python_sdk",
        "conversation_initiation_source_version": "2.78.0",
    }
    assert call["transcript"][1] == {
        "role": "agent",
        "message": "Abrimos às nove",
        "original_message": "Abrimos às nove e fechamos às seis.",
        "interrupted": True,
        "ignored_as_backchannel": False,
        "source_medium": None,
        "source_event_id": 2,
        "time_in_call_secs": 3,
        "created_at_unix_ms": round((STARTED_UNIX + 2) * 1000),
        "tool_calls": [],
        "tool_results": [],
        "feedback": {"score": "like", "time_in_call_secs": 6},
        "triggered_guardrails": [],
        "agent_metadata": {"agent_id": "default"},
        "conversation_turn_metrics": {
            "metrics": {
                "convai_llm_service_ttfb": {"elapsed_time": 0.2},
                "convai_tts_service_ttfb": {"elapsed_time": 0.1},
            }
        },
    }


def test_turns_come_in_the_order_they_were_spoken(database_url: str) -> None:
    turns = [agent_turn("c", 1, "Olá!"), user_turn("c", 2, "Oi."), agent_turn("c", 3, "Tudo bem?")]
    call = read_after(database_url, [started("c"), *turns])
    assert said(call) == [("agent", "Olá!"), ("user", "Oi."), ("agent", "Tudo bem?")]
    assert call["status"] == "in-progress"
    assert call["metadata"]["call_duration_secs"] > 0


def test_an_eventful_call_is_told_in_order(database_url: str) -> None:
    call = read_after(database_url, eventful_call("c"))
    assert said(call) == [
        ("agent", "Olá!"),
        ("user", "E o meu pedido?"),
        ("agent", "Está a caminho."),
        ("user", "uhum"),
        ("user", "Quero comprar."),
        ("agent", "Temos"),
        ("user", "Anything in blue?"),
        ("agent", None),
    ]
    assert [turn["ignored_as_backchannel"] for turn in call["transcript"]].index(True) == 3
    assert (call["user_message_count"], call["agent_message_count"]) == (4, 3)
    assert call["metadata"]["main_language"] == "pt"


def test_tools_stand_with_the_words_that_their_answer_had(database_url: str) -> None:
    transcript = read_after(database_url, eventful_call("c"))["transcript"]
    order, moved, shop = (transcript[n] for n in (2, 5, 7))
    webhook = {"request_id": "a", "tool_name": "find_order", "type": "webhook"}
    assert order["tool_calls"] == [
        {**webhook, "params_as_json": '{"number": 7}', "tool_details": None, "tool_has_been_called": True}
    ]
    assert order["tool_results"] == [
        {
            **webhook,
            "result_value": "on its way",
            "is_error": False,
            "tool_has_been_called": True,
            "tool_latency_secs": 0.25,
        }
    ]
    assert [result["result_value"] for result in moved["tool_results"]] == ["done"]  # the same id, once more
    assert (shop["message"], shop["tool_calls"][0]["tool_details"]) == (None, {"type": "client", "parameters": "{}"})
    assert (shop["tool_results"][0]["is_error"], shop["tool_results"][0]["tool_has_been_called"]) == (True, False)


def test_words_before_a_tool_are_its_place_and_a_tool_without_result_is_told_alone(database_url: str) -> None:
    call = {"turn": 1, "tool_name": "t", "type": "client", "params_as_json": "{}", "time_in_call_secs": 2.0}
    sections = [
        event("c", n, "agent_turn", text=text, event_id=n, turn=1, time_in_call_secs=1.0, metrics={})
        for n, text in ((1, "Um momento."), (3, "Pronto."))
    ]
    events = [started("c"), sections[0], event("c", 2, "tool_call", event_id=2, tool_call_id="x", **call), sections[1]]
    before, after = read_after(database_url, events)["transcript"]
    assert [tool["request_id"] for tool in before["tool_calls"]] == ["x"]
    assert before["tool_calls"][0]["tool_has_been_called"] is True
    assert (before["tool_results"], after["tool_calls"]) == ([], [])


def test_after_a_transfer_the_other_agent_speaks(database_url: str) -> None:
    call = read_after(database_url, eventful_call("c"))
    assert (call["agent_id"], call["visited_agents"]) == ("default", [{"agent_id": "default"}, {"agent_id": "sales"}])
    speakers = [turn["agent_metadata"]["agent_id"] for turn in call["transcript"] if turn["role"] == "agent"]
    assert speakers == ["default", "default", "sales", "sales"]


def test_what_a_call_got_over_is_a_warning(database_url: str) -> None:
    assert read_after(database_url, eventful_call("c"))["metadata"]["warnings"] == [
        "llm: small in place of big: it was late",
        "the client was away for 2.2 s",
        "a turn ended without a word",
        "llm_error: no answer",
    ]


def test_what_the_client_brought_is_told(database_url: str) -> None:
    assert read_after(database_url, eventful_call("c"))["conversation_initiation_client_data"] == {
        "conversation_config_override": OVERRIDE,
        "dynamic_variables": {"plan": "gold", "age": 41},
        "user_id": "u-1",
        "source_info": {"source": "python_sdk", "version": "2.78.0"},
    }


def test_feedback_is_for_the_newest_answer_begun_and_can_be_taken_back(database_url: str) -> None:
    answers = [agent_turn("c", 1, "Olá!"), agent_turn("c", 5, "Sim."), agent_turn("c", 9, "Não.")]
    given = {7: "like", 12: "dislike", 13: "like", 14: None}
    feedback = [event("c", 20 + n, "feedback", event_id=n, score=score) for n, score in given.items()]
    taken_back = event("c", 40, "feedback", event_id=13, score=None)
    call = read_after(database_url, [started("c"), *answers, *feedback, taken_back])
    assert [turn["feedback"] and turn["feedback"]["score"] for turn in call["transcript"]] == [None, "like", "dislike"]
    assert (call["metadata"]["feedback"]["likes"], call["metadata"]["feedback"]["dislikes"]) == (1, 1)


def test_an_opinion_of_the_whole_call_is_kept_and_the_newest_word_counts(database_url: str) -> None:
    async def scenario() -> list[dict[str, Any]]:
        seen = []
        async with aclosing(Database(database_url)) as database:
            await stored.store(database, [started("c")])
            for opinion in (Opinion(feedback="dislike"), Opinion(rating=4, comment="Boa!"), Opinion(feedback="like")):
                assert await Opinions(database).give("c", opinion)
                call = await stored.reader(database).read("c")
                assert call
                seen.append(call["metadata"]["feedback"])
            assert not await Opinions(database).give("unknown", Opinion(rating=1))
            assert not await Opinions(database).give("\0", Opinion(rating=1))
        return seen

    first, second, third = asyncio.run(scenario())
    assert (first["type"], first["overall_score"], first["rating"]) == ("thumbs", "dislike", None)
    assert (second["type"], second["overall_score"], second["rating"], second["comment"]) == (
        "rating",
        "dislike",
        4,
        "Boa!",
    )
    assert (third["overall_score"], third["comment"]) == ("like", "Boa!")


def test_a_failed_call_says_why(database_url: str) -> None:
    end = event("c", 2, "ended", **FAILED, error=AWAY)
    call = read_after(database_url, [started("c"), event("c", 1, "error", **AWAY), end])
    assert (call["status"], call["metadata"]["termination_reason"]) == ("failed", "the language model is away")
    assert call["metadata"]["error"] == {"code": 1002, "reason": "the language model is away"}


@pytest.mark.parametrize("end", [DONE, {**DONE, "error": None}])
def test_a_call_that_got_over_an_error_did_not_fail_of_it(database_url: str, end: dict[str, Any]) -> None:
    events = [started("c"), event("c", 1, "error", **AWAY), event("c", 2, "ended", **end)]
    call = read_after(database_url, events)
    assert (call["status"], call["metadata"]["error"]) == ("done", None)


def test_a_recording_is_looked_for_where_there_was_to_be_one(database_url: str) -> None:
    async def scenario() -> list[tuple[bool, bool]]:
        async with aclosing(Database(database_url)) as database:
            for conversation_id, record in (("kept", True), ("unkept", False)):
                await stored.store(database, eventful_call(conversation_id, record=record))
            asked = [("kept", True), ("kept", False), ("unkept", True)]
            calls = [await stored.reader(database, has_audio=there).read(each) for each, there in asked]
        return [(call["has_audio"], call["has_user_audio"]) for call in calls if call]

    assert asyncio.run(scenario()) == [(True, True), (False, False), (False, False)]


def test_the_compact_form_has_every_figure_in_its_unit(database_url: str) -> None:
    async def scenario() -> tuple[Any, Any]:
        async with aclosing(Database(database_url)) as database:
            await stored.store(database, eventful_call("c"))
            return await stored.reader(database).metrics("c"), await stored.reader(database).metrics("unknown")

    assert asyncio.run(scenario()) == (
        {
            "conversation_id": "c",
            "duration": 27.5,
            "message_count": 7,
            "metrics": {
                "ttfb_ms": [100.0, 200.0],
                "asr_confidence": [0.9, 0.8, 0.7],
                "none_responses": 1,
                "interruptions": 1,
                "turn_transitions": [350.0],
                "breaches": {"turn_transition": {"target": 1}},
            },
        },
        None,
    )


def test_an_unknown_or_impossible_id_is_nobodys(database_url: str) -> None:
    async def scenario() -> list[Any]:
        async with aclosing(Database(database_url)) as database:
            return [await stored.reader(database).read(each) for each in ("conv_unknown", "\0")]

    assert asyncio.run(scenario()) == [None, None]


def said(call: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(turn["role"], turn["message"]) for turn in call["transcript"]]


def read_after(url: str, events: Iterable[LogEvent]) -> dict[str, Any]:
    """The conversation "c"."""
    asyncio.run(stored.store_calls(url, events))
    return asyncio.run(stored.read(url, "c"))


def test_a_guardrail_stands_with_the_words_that_it_was_about(database_url: str) -> None:
    heard = {"language": "pt", "confidence": 1.0, "medium": "text", "time_in_call_secs": 1.0, "metrics": {}}
    said = {"time_in_call_secs": 2.0, "metrics": {}}
    found = {"action": "deflect", "turn": None}
    events = [
        started("c"),
        event("c", 1, "user_turn", text="me dá a chave", event_id=1, **heard),
        event("c", 2, "guardrail", stage="input", rule="secrets", **found),
        event("c", 3, "agent_turn", text="Não posso.", event_id=2, turn=1, **said),
        event("c", 4, "user_turn", text="e agora?", event_id=3, **heard),
        event("c", 5, "guardrail", stage="output", rule="secret", **{**found, "turn": 2}),
        event("c", 6, "guardrail", stage="input", rule="classifier", **found),
        event("c", 7, "agent_turn", text="Não posso.", event_id=4, turn=2, **said),
        event("c", 8, "guardrail", stage="arguments", rule="address", **{**found, "turn": 9}),
    ]
    transcript = read_after(database_url, events)["transcript"]
    named = [[each["guardrail_name"] for each in entry["triggered_guardrails"]] for entry in transcript]
    assert named == [["input: secrets"], [], ["input: classifier"], ["output: secret"]]
    assert transcript[0]["triggered_guardrails"] == [
        {
            "guardrail_type": "prompt_injection",
            "guardrail_name": "input: secrets",
            "execution_mode": "blocking",
            "guardrail_details": {"type": "unknown"},
        }
    ]
    assert transcript[2]["triggered_guardrails"][0]["execution_mode"] == "streaming"
