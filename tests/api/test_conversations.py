"""The route as the official client sees it, over HTTP."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager

import httpx
import pytest
import uvicorn
from elevenlabs.client import ElevenLabs
from elevenlabs.core.api_error import ApiError
from starlette.applications import Starlette

from serve_app.api.conversations import routes
from serve_app.store.database import Database
from serve_app.store.log import PostgresLog
from serve_app.store.reader import ConversationReader
from tests.store.samples import interrupted_call


def test_the_official_client_reads_a_conversation(database_url: str) -> None:
    asyncio.run(log_a_call(database_url, "conv_1"))
    with client_of(database_url) as client:
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
    with client_of(database_url) as client, pytest.raises(ApiError) as refusal:
        client.conversational_ai.conversations.get("conv_unknown")
    assert refusal.value.status_code == 404
    assert refusal.value.body["detail"]["status"] == "conversation_not_found"


def test_without_the_store_the_client_is_told_to_try_later_and_the_operator_why(
    absent_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with client_of(absent_url) as client, pytest.raises(ApiError) as refusal:
        client.conversational_ai.conversations.get("conv_1", request_options={"max_retries": 0})
    assert refusal.value.status_code == 503
    assert refusal.value.body["detail"]["status"] == "store_unavailable"
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "'conv_1' could not be read: PostgreSQL is away" in record.getMessage()


async def log_a_call(url: str, conversation_id: str) -> None:
    async with aclosing(Database(url)) as database, aclosing(PostgresLog(database)) as log:
        log.start()
        for each in interrupted_call(conversation_id):
            log.append(each)


@contextmanager
def client_of(database_url: str) -> Iterator[ElevenLabs]:
    """The official client of a server, on a loopback port of its own, that serves this database."""
    database = Database(database_url)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with aclosing(database):
            yield

    app = Starlette(routes=routes(ConversationReader(database)), lifespan=lifespan)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, ws="none"))
    socket = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        with httpx.Client() as http:  # the SDK never closes one of its own
            yield ElevenLabs(base_url=f"http://127.0.0.1:{socket.getsockname()[1]}", api_key="x", httpx_client=http)
    finally:
        server.should_exit = True
        thread.join()
        socket.close()
