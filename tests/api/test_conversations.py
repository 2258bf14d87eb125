"""The route as the official client sees it, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from elevenlabs.core.api_error import ApiError
from starlette.applications import Starlette

from serve_app.api.conversations import routes
from serve_app.api_keys import ApiKeys
from serve_app.store.database import Database
from serve_app.store.log import PostgresLog
from serve_app.store.reader import ConversationReader
from tests.api.official_client import client_of
from tests.store.samples import interrupted_call


def test_the_official_client_reads_a_conversation(database_url: str) -> None:
    asyncio.run(log_a_call(database_url, "conv_1"))
    with client_of(app_of(database_url)) as client:
        call = client.conversational_ai.conversations.get("conv_1")
    assert (call.conversation_id, call.status, call.metadata.call_duration_secs) == ("conv_1", "done", 7)
    heard, said = call.transcript
    assert (heard.role, heard.message, heard.source_medium) == ("user", "Quero saber o horário.", "audio")
    assert (said.message, said.interrupted, said.time_in_call_secs) == ("Abrimos às nove", True, 3)
    assert said.original_message == "Abrimos às nove e fechamos às seis."
    assert said.conversation_turn_metrics is not None
    assert said.conversation_turn_metrics.metrics is not None
    assert said.conversation_turn_metrics.metrics["convai_tts_service_ttfb"].elapsed_time == 0.1


def test_an_unknown_conversation_is_not_found(database_url: str) -> None:
    with client_of(app_of(database_url)) as client, pytest.raises(ApiError) as refusal:
        client.conversational_ai.conversations.get("conv_unknown")
    assert refusal.value.status_code == 404
    assert refusal.value.body["detail"]["status"] == "conversation_not_found"


def test_with_api_keys_a_conversation_is_for_those_who_hold_one(database_url: str) -> None:
    asyncio.run(log_a_call(database_url, "conv_1"))
    with client_of(app_of(database_url, "key_1"), "key_2") as client, pytest.raises(ApiError) as refusal:
        client.conversational_ai.conversations.get("conv_1")
    assert (refusal.value.status_code, refusal.value.body["detail"]["status"]) == (401, "invalid_api_key")
    with client_of(app_of(database_url, "key_1"), "key_1") as client:
        assert client.conversational_ai.conversations.get("conv_1").agent_id == "default"


def test_without_the_store_the_client_is_told_to_try_later_and_the_operator_why(
    absent_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with client_of(app_of(absent_url)) as client, pytest.raises(ApiError) as refusal:
        client.conversational_ai.conversations.get("conv_1", request_options={"max_retries": 0})
    assert refusal.value.status_code == 503
    assert refusal.value.body["detail"]["status"] == "store_unavailable"
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "'conv_1' could not be read: PostgreSQL is away" in record.getMessage()


def test_the_official_client_is_told_where_feedback_is_taken(absent_url: str) -> None:
    with client_of(app_of(absent_url, "key_1"), "none of the keys") as client, pytest.raises(ApiError) as refusal:
        client.conversational_ai.conversations.feedback.create("conv_1", feedback="like")
    assert (refusal.value.status_code, refusal.value.body["detail"]["status"]) == (404, "not_found")
    assert "over the WebSocket" in refusal.value.body["detail"]["message"]


async def log_a_call(url: str, conversation_id: str) -> None:
    async with aclosing(Database(url)) as database, aclosing(PostgresLog(database)) as log:
        log.start()
        for each in interrupted_call(conversation_id):
            log.append(each)


def app_of(database_url: str, *keys: str) -> Starlette:
    database = Database(database_url)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with aclosing(database):
            yield

    return Starlette(routes=routes(ConversationReader(database), ApiKeys(keys)), lifespan=lifespan)
