"""What callers tell of themselves, in any way, stays in the conversation: no log, metric, trace or dump has it."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.acceptance.planted import Person, found, people
from tests.acceptance.server import API_KEY, Server
from tests.acceptance.test_metrics import exposition
from tests.fakes.otlp_receiver import OtlpReceiver

CONVERSATIONS = 50
AT_ONCE = 10
LOGGED_WITHIN_S = 5.0


def test_what_callers_tell_is_in_no_log_metric_trace_or_dump(server: Server, collector: OtlpReceiver) -> None:
    persons = people(CONVERSATIONS)
    told = asyncio.run(all_tell(server, persons))
    asyncio.run(nonsense_over_rest(server, persons))
    logs = (server.data_dir / "run").resolve()
    until_logged(logs, told)
    assert [*found(persons, logs, server.output, server.data_dir / "postgres" / "pgdata" / "log")] == []
    metrics = exposition(server).encode()
    assert [trace for person in persons for trace in person.traces if trace in metrics] == []
    collector.until(lambda spans: {span.attributes["conversation_id"] for span in spans} >= set(told))
    spans = str(collector.spans).encode()
    assert [trace for person in persons for trace in person.traces if trace in spans] == []
    assert {limit(pid) for pid in replicas(server)} == {"0"}, "a crash leaves no core"


async def all_tell(server: Server, persons: list[Person]) -> list[str]:
    """Their conversations' ids."""
    room = asyncio.Semaphore(AT_ONCE)

    async def tell(number: int, person: Person) -> str:
        async with room:
            return await tells(server, person, FAULTS[number % len(FAULTS)](person))

    return await asyncio.gather(*(tell(number, person) for number, person in enumerate(persons)))


async def tells(server: Server, person: Person, fault: str | bytes) -> str:
    """All of it, in words, names, arguments and results of tools, and in the message at which the call ends."""
    url = f"{server.ws_url}/v1/convai/conversation?agent_id=tools&user_id={quote(person.typed_cpf)}"
    async with connect(url, additional_headers={"User-Agent": person.phone}) as ws:
        names = {"customer": f"Ana, CPF {person.typed_cpf}"}
        opening = {"user_id": person.cpf, "dynamic_variables": names}
        await ws.send(json.dumps({"type": "conversation_initiation_client_data", **opening}))
        metadata = await until(ws, "conversation_initiation_metadata")
        await ws.send(json.dumps({"type": "contextual_update", "text": person.introduction}))
        await types(ws, f"Bom dia! {person.introduction}")
        await until(ws, "agent_response_correction", "agent_response")
        await types(ws, f"Consulte {person.introduction}")
        await until(ws, "agent_tool_response")
        await types(ws, "Que horas são?")
        call = await until(ws, "client_tool_call")
        result = {"tool_call_id": call["client_tool_call"]["tool_call_id"], "result": person.introduction}
        await ws.send(json.dumps({"type": "client_tool_result", **result, "is_error": True}))
        await until(ws, "agent_tool_response")
        await ws.send(json.dumps({"type": "client_tool_result", "tool_call_id": person.card, "result": person.phone}))
        await ws.send(fault)
        with pytest.raises(ConnectionClosed) as closed:
            await until(ws, "no such message")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008
    return str(metadata["conversation_initiation_metadata_event"]["conversation_id"])


FAULTS = (
    lambda person: person.introduction,
    lambda person: person.introduction.encode(),
    lambda person: json.dumps({"type": "user_message", "text": [person.introduction]}),
    lambda person: json.dumps({"type": "pong", "event_id": person.typed_cpf}),
    lambda person: json.dumps({"user_audio_chunk": person.typed_card}),
    lambda person: json.dumps({"type": "user_message", "text": person.introduction * 2000}),
)
"""Each is the end of a call: it is no valid message."""


async def types(ws: ClientConnection, text: str) -> None:
    await ws.send(json.dumps({"type": "user_message", "text": text}))


async def until(ws: ClientConnection, *kinds: str) -> dict[str, Any]:
    while True:
        message: dict[str, Any] = json.loads(await ws.recv())
        if message["type"] in kinds:
            return message
        if message["type"] == "ping":
            await ws.send(json.dumps({"type": "pong", "event_id": message["ping_event"]["event_id"]}))


async def nonsense_over_rest(server: Server, persons: list[Person]) -> None:
    """Requests that name nothing there is, by personal data."""
    async with httpx.AsyncClient(base_url=server.url, headers={"xi-api-key": API_KEY}) as client:
        for person in persons[:5]:
            nowhere = (
                f"/{person.typed_cpf}",
                f"?cursor={person.cpf}",
                f"/{person.card}/audio",
                f"/{person.phone}/what",
            )
            feedback = {"feedback": "like", "comment": person.introduction}
            for answer in (
                *[await client.get(f"/v1/convai/conversations{target}") for target in nowhere],
                await client.post(f"/v1/convai/conversations/{person.cpf}/feedback", json=feedback),
                await client.get("/v1/convai/conversations", headers={"xi-api-key": person.typed_card}),
            ):
                assert answer.is_client_error


def until_logged(logs: Path, conversation_ids: list[str]) -> None:
    """Their turns have lines: what is looked at is what is written."""
    [gateway] = logs.glob("session_2*/logs/serve/replica_*Gateway*")
    deadline = time.monotonic() + LOGGED_WITHIN_S
    while {*conversation_ids} - conversations_with_turns(gateway):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def conversations_with_turns(log: Path) -> set[str]:
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return {line["conversation_id"] for line in lines if line["message"] == "turn"}


def replicas(server: Server) -> list[int]:
    return [pid for pid in server.pids() if "ServeReplica" in Path(f"/proc/{pid}/cmdline").read_text()]


def limit(pid: int) -> str:
    """Of the size of a core file."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line.split()[4] for line in lines if line.startswith("Max core file size"))
