import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serve_app.observability.redaction import KINDS, Redactor
from serve_app.ports import LogEvent
from serve_app.store.database import Database
from serve_app.store.epochs import Claim
from serve_app.store.history_redaction import HistoryRedaction
from serve_app.store.journal_file import JournalFile
from serve_app.store.opinions import Opinion, Opinions
from serve_app.store.projections import Record
from tests.store.logs import dying_log, fetch, journals, running_log
from tests.store.samples import agent_turn, event, started, user_turn

CPF, PHONE, CARD = "529.982.247-25", "(11) 98765-4321", "4111 1111 1111 1111"
UUID = "123e4567-e89b-42d3-a456-426614174000"
TOLD = f'{{"cpf":52998224725,"holder":"Ana","phone":"{PHONE}","id":7}}'
PRIVATE: list[LogEvent] = [
    event("c", 0, "started", **started("c").data, redact=list(KINDS), initiation={"dynamic_variables": {"cpf": CPF}}),
    user_turn("c", 1, f"meu CPF é {CPF}"),
    event("c", 2, "tool_call", tool_call_id=UUID, tool_name="buscar", type="webhook", params_as_json=TOLD, round=0,
          said=0, turn=1, time_in_call_secs=4.0),
    event("c", 3, "tool_result", tool_call_id=UUID, tool_name="buscar", result=TOLD, is_error=False, is_called=True,
          latency_secs=0.1),
    event("c", 4, "clause", turn=1, start=0, text=f"Seu telefone é {PHONE}."),
    agent_turn("c", 5, f"Seu telefone é {PHONE}."),
    event("c", 6, "said", turn=1, messages=[
        {"role": "assistant", "content": f"Seu telefone é {PHONE}.", "tool_call_id": "",
         "tool_calls": [{"id": UUID, "name": "buscar", "arguments": TOLD}]}]),
    event("c", 7, "correction", event_id=5, original=f"Seu telefone é {PHONE}.", corrected=f"Seu {PHONE}"),
    event("c", 8, "context", text=f"cartão {CARD}", context_id=None),
    event("c", 9, "error", code=1008, error_type="value_error", message=f"no tool {CPF}"),
]  # fmt: skip


def rows(events: list[LogEvent], file: JournalFile | None = None) -> list[dict[str, Any]]:
    file = file or JournalFile(Path("c"), Claim("c", 0, "me"))
    records = [Record("c", e.sequence, e.at_unix, e.kind, json.dumps(e.data), e.epoch) for e in events]
    done = HistoryRedaction(Redactor()).rows([(file, record) for record in records])
    assert [record[:4] for _, record in done] == [record[:4] for record in records]
    return [json.loads(record.data) for _, record in done]


def test_nothing_of_what_was_said_is_left_and_all_that_a_resume_needs() -> None:
    opening, turn, call, result, clause, _, said, correction, context, error = rows(PRIVATE)
    assert opening["initiation"] == {"dynamic_variables": {"cpf": "[CPF]"}}
    assert (opening["agent_id"], opening["user_id"]) == ("default", "u-1")
    assert turn["text"] == "meu CPF é [CPF]"
    assert (call["tool_call_id"], result["tool_call_id"]) == (UUID, UUID)
    told = {"cpf": "[CPF]", "holder": "Ana", "phone": "[PHONE]", "id": 7}
    assert json.loads(call["params_as_json"]) == json.loads(result["result"]) == told
    assert (clause["text"], clause["start"]) == ("Seu telefone é [PHONE].", 0)
    [message] = said["messages"]
    assert message["content"] == "Seu telefone é [PHONE]."
    assert message["tool_calls"][0]["id"] == UUID
    assert json.loads(message["tool_calls"][0]["arguments"]) == told
    assert (correction["original"], correction["corrected"]) == ("Seu telefone é [PHONE].", "Seu [PHONE]")
    assert context["text"] == "cartão [CARD]"
    assert error["message"] == "no tool [CPF]"


def test_what_is_no_json_after_all_is_a_text() -> None:
    broken = event("c", 1, "tool_result", tool_call_id="a", result=f"[{CPF}")
    assert rows([PRIVATE[0], broken])[1]["result"] == "[[CPF]"


def test_only_the_kinds_that_the_agent_names() -> None:
    only_phones = msgspec.structs.replace(PRIVATE[0], data={**PRIVATE[0].data, "redact": ["PHONE"]})
    assert rows([only_phones, user_turn("c", 1, f"{CPF} ou {PHONE}")])[1]["text"] == f"{CPF} ou [PHONE]"


def test_an_agent_that_asks_for_nothing_is_stored_as_it_was() -> None:
    plain = [started("c"), *PRIVATE[1:]]
    assert rows(plain) == [each.data for each in plain]


def test_from_a_transfer_on_the_next_agents_kinds_count_too() -> None:
    turn = user_turn("c", 2, f"{CPF} ou {PHONE}")
    transfer = event("c", 1, "transfer", agent_id="b", redact=["PHONE"])
    file = JournalFile(Path("c"), Claim("c", 0, "me"))
    file.redacts = frozenset(["CPF"])
    assert rows([transfer, turn], file)[1]["text"] == "[CPF] ou [PHONE]"
    assert rows([turn, transfer], file)[0]["text"] == f"[CPF] ou {PHONE}"


@pytest.mark.usefixtures("often")
def test_the_journal_has_it_and_postgresql_never(database_url: str, tmp_path: Path) -> None:
    """Also after another replica has taken the conversation over, from PostgreSQL and the journal together."""

    async def scenario() -> str:
        async with dying_log(database_url, tmp_path) as log:
            for each in PRIVATE[:6]:
                log.append(each)
            await log.flush()
            assert PHONE in "".join(path.read_text() for path in journals(tmp_path))
        async with running_log(database_url, tmp_path) as log:
            assert await log.take_over("c", 1)
            for each in PRIVATE[6:]:
                log.append(msgspec.structs.replace(each, sequence=each.sequence + 1, epoch=1))
            await log.flush()
            async with aclosing(Database(database_url)) as database:
                assert await Opinions(database).give("c", Opinion(comment=f"liguem {PHONE}"))
            tables = ("events", "conversations", "turns")
            found = [await fetch(database_url, f"SELECT t::text FROM {table} t") for table in tables]
            return str(found)

    stored = asyncio.run(scenario())
    for planted in (CPF, "52998224725", PHONE, CARD):
        assert planted not in stored
    assert stored.count("[PHONE]") >= 8
    assert "cartão [CARD]" in stored
    assert "liguem [PHONE]" in stored
