"""The routes as the official client sees them, over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx
import pytest
from elevenlabs.core.api_error import ApiError
from starlette.applications import Starlette

from serve_app.api.conversations import LONGEST_BODY, routes
from serve_app.api_keys import ApiKeys
from serve_app.store.database import Database
from serve_app.store.deletion import Deletion
from serve_app.store.listing import ConversationList
from serve_app.store.opinions import Opinions
from tests.api.official_client import client_of
from tests.store.calls import eventful_call
from tests.store.samples import interrupted_call, started
from tests.store.stored import reader, store_calls

ALL = "v1/convai/conversations"


def test_the_official_client_reads_a_conversation(database_url: str) -> None:
    asyncio.run(store_calls(database_url, interrupted_call("conv_1")))
    with client_of(app_of(database_url)) as client:
        call = client.conversational_ai.conversations.get("conv_1")
    assert (call.conversation_id, call.status, call.metadata.call_duration_secs) == ("conv_1", "done", 7)
    heard, said = call.transcript
    assert (heard.role, heard.message, heard.source_medium) == ("user", "Quero saber o horário.", "audio")
    assert (said.message, said.interrupted, said.time_in_call_secs) == ("Abrimos às nove", True, 3)
    assert said.original_message == "Abrimos às nove e fechamos às seis."
    assert said.feedback is not None
    assert said.feedback.score == "like"
    assert said.conversation_turn_metrics is not None
    assert said.conversation_turn_metrics.metrics is not None
    assert said.conversation_turn_metrics.metrics["convai_tts_service_ttfb"].elapsed_time == 0.1


def test_the_official_client_reads_tools_and_what_the_call_began_with(database_url: str) -> None:
    asyncio.run(store_calls(database_url, eventful_call("conv_1")))
    with client_of(app_of(database_url)) as client:
        call = client.conversational_ai.conversations.get("conv_1", format="opentelemetry")
    [tool], [result] = call.transcript[2].tool_calls or [], call.transcript[2].tool_results or []
    assert (tool.tool_name, tool.type, tool.params_as_json) == ("find_order", "webhook", '{"number": 7}')
    assert (result.request_id, result.result_value, result.tool_latency_secs) == (tool.request_id, "on its way", 0.25)
    assert call.conversation_initiation_client_data is not None
    assert call.conversation_initiation_client_data.dynamic_variables == {"plan": "gold", "age": 41}
    assert call.otlp_traces is not None
    [spans] = [scope["spans"] for each in call.otlp_traces["resourceSpans"] for scope in each["scopeSpans"]]
    assert "elevenlabs.tool.find_order" in [span["name"] for span in spans]


def test_the_official_client_walks_through_all_pages(database_url: str) -> None:
    calls = [interrupted_call(f"conv_{number}") for number in range(5)]
    asyncio.run(store_calls(database_url, *calls))
    seen, cursor = [], None
    with client_of(app_of(database_url)) as client:
        for _ in range(3):
            page = client.conversational_ai.conversations.list(
                cursor=cursor, page_size=2, agent_id="default", exclude_statuses=["failed", "in-progress"]
            )
            seen += [each.conversation_id for each in page.conversations]
            cursor = page.next_cursor
    assert sorted(seen) == [f"conv_{number}" for number in range(5)]
    assert (page.has_more, cursor) == (False, None)
    assert (page.conversations[0].message_count, page.conversations[0].call_successful) == (2, "unknown")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"tag_ids": ["t1"]}, "tag_ids cannot be filtered by"),
        ({"page_size": 200}, "page_size"),
        ({"cursor": "elsewhere"}, "next_cursor"),
        ({"dynamic_variable_params": ["plan"]}, "name:op:value"),
    ],
)
def test_the_official_client_is_told_what_cannot_be_listed(absent_url: str, query: dict[str, Any], reason: str) -> None:
    with client_of(app_of(absent_url)) as client, pytest.raises(ApiError) as refusal:
        client.conversational_ai.conversations.list(**query)
    assert (refusal.value.status_code, refusal.value.body["detail"]["status"]) == (422, "invalid_filter")
    assert reason in refusal.value.body["detail"]["message"]


def test_the_official_client_deletes_what_is_over(database_url: str) -> None:
    asyncio.run(store_calls(database_url, interrupted_call("conv_1"), [started("conv_2")]))
    with client_of(app_of(database_url)) as client:
        conversations = client.conversational_ai.conversations
        conversations.delete("conv_1")
        assert refused(lambda: conversations.get("conv_1")) == (404, "conversation_not_found")
        assert refused(lambda: conversations.delete("conv_1")) == (404, "conversation_not_found")
        assert refused(lambda: conversations.delete("conv_2")) == (422, "conversation_in_progress")
        assert [each.conversation_id for each in conversations.list().conversations] == ["conv_2"]


def test_an_opinion_is_taken_from_everybody(database_url: str) -> None:
    """As the JS client sends it, and the Python client with a key that is none."""
    asyncio.run(store_calls(database_url, interrupted_call("conv_1")))
    with client_of(app_of(database_url, "key_1"), "none of the keys") as client:
        client.conversational_ai.conversations.feedback.create("conv_1", feedback="dislike")
    one, another = app_of(database_url, "key_1"), app_of(database_url, "key_1")
    assert asyncio.run(posted(one, "conv_1", b'{"rating": 4, "comment": "Boa!"}')) == (200, None)
    assert asyncio.run(posted(another, "conv_2", b'{"feedback": "like"}')) == (404, "conversation_not_found")
    with client_of(app_of(database_url, "key_1"), "key_1") as client:
        feedback = client.conversational_ai.conversations.get("conv_1").metadata.feedback
    assert feedback is not None
    assert (feedback.type, feedback.overall_score, feedback.likes) == ("rating", "dislike", 1)
    assert (feedback.rating, feedback.comment) == (4, "Boa!")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"", (422, "invalid_feedback")),
        (b"{}", (422, "invalid_feedback")),
        (b'{"feedback": null}', (422, "invalid_feedback")),
        (b'{"feedback": "meh"}', (422, "invalid_feedback")),
        (b'{"rating": 6}', (422, "invalid_feedback")),
        (b'{"comment": "\\u0000"}', (422, "invalid_feedback")),
        (b'{"comment": "%s"}' % (b"a" * 2001), (422, "invalid_feedback")),
        (b" " * (LONGEST_BODY + 1), (413, "too_long")),
    ],
)
def test_what_is_no_opinion_is_refused(absent_url: str, body: bytes, refusal: tuple[int, str]) -> None:
    assert asyncio.run(posted(app_of(absent_url), "conv_1", body)) == refusal


def test_the_compact_form(database_url: str) -> None:
    asyncio.run(store_calls(database_url, eventful_call("conv_1")))

    async def scenario() -> tuple[httpx.Response, list[int]]:
        async with over_http(app_of(database_url, "key_1")) as http:
            found = await http.get("/v1/conversations/conv_1/metrics", headers={"xi-api-key": "key_1"})
            unknown = await http.get("/v1/conversations/conv_2/metrics", headers={"xi-api-key": "key_1"})
            keyless = await http.get("/v1/conversations/conv_1/metrics")
        return found, [unknown.status_code, keyless.status_code]

    found, refusals = asyncio.run(scenario())
    call = found.json()
    assert (call["conversation_id"], call["duration"], call["message_count"]) == ("conv_1", 27.5, 7)
    assert call["metrics"]["turn_transitions"] == [350.0]
    assert refusals == [404, 401]


def test_an_unknown_conversation_is_not_found(database_url: str) -> None:
    with client_of(app_of(database_url)) as client:
        assert refused(lambda: client.conversational_ai.conversations.get("conv_unknown")) == (
            404,
            "conversation_not_found",
        )


def test_a_format_that_there_is_not_is_refused(absent_url: str) -> None:
    with client_of(app_of(absent_url)) as client:
        assert refused(lambda: client.conversational_ai.conversations.get("c", format="xml")) == (422, "invalid_format")


def test_with_api_keys_conversations_are_for_those_who_hold_one(database_url: str) -> None:
    asyncio.run(store_calls(database_url, interrupted_call("conv_1")))
    with client_of(app_of(database_url, "key_1"), "key_2") as client:
        conversations = client.conversational_ai.conversations
        for request in (
            lambda: conversations.get("conv_1"),
            lambda: conversations.list(),
            lambda: conversations.delete("conv_1"),
        ):
            assert refused(request) == (401, "invalid_api_key")
    with client_of(app_of(database_url, "key_1"), "key_1") as client:
        assert client.conversational_ai.conversations.get("conv_1").agent_id == "default"


def test_without_the_store_the_client_is_told_to_try_later_and_the_operator_why(
    absent_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    once = {"max_retries": 0}
    with client_of(app_of(absent_url)) as client:
        conversations = client.conversational_ai.conversations
        for request in (
            lambda: conversations.get("conv_1", request_options=once),
            lambda: conversations.list(request_options=once),
            lambda: conversations.delete("conv_1", request_options=once),
            lambda: conversations.feedback.create("conv_1", feedback="like", request_options=once),
        ):
            assert refused(request) == (503, "store_unavailable")
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(told) == 4
    assert f"GET of /{ALL}/{{conversation_id}} was not possible: PostgreSQL is away" in told[0]


def refused(request: Callable[[], object]) -> tuple[int | None, str]:
    with pytest.raises(ApiError) as refusal:
        request()
    return refusal.value.status_code, refusal.value.body["detail"]["status"]


async def posted(app: Starlette, conversation_id: str, body: bytes) -> tuple[int, str | None]:
    """Status, and the refusal's name."""
    async with over_http(app) as http:
        answer = await http.post(f"/{ALL}/{conversation_id}/feedback", content=body)
    return answer.status_code, answer.json().get("detail", {}).get("status")


@asynccontextmanager
async def over_http(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    """A plain client."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://hello") as http,
    ):
        yield http


def app_of(database_url: str, *keys: str) -> Starlette:
    database = Database(database_url)

    async def delete_recording(_: str) -> None:
        pass

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with aclosing(database):
            yield

    parts = (reader(database), ConversationList(database, {}), Deletion(database, delete_recording))
    return Starlette(routes=routes(*parts, Opinions(database), ApiKeys(keys)), lifespan=lifespan)
