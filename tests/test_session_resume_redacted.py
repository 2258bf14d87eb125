"""A call whose record was stored without personal data goes on from there, wherever it was cut: places in texts are
those of the texts as they were said."""

import json
from pathlib import Path

from serve_app.conversation.agent import HistoryRedaction as Wanted
from serve_app.conversation.agent import PlatformSettings, Privacy
from serve_app.observability.redaction import KINDS, Redactor
from serve_app.ports import LogEvent
from serve_app.store.epochs import Claim
from serve_app.store.history_redaction import HistoryRedaction
from serve_app.store.journal_file import JournalFile
from serve_app.store.projections import Record
from tests.call_scripts import WEBHOOK, Round, Script, bakery, one, replaced, text_of_user
from tests.continuity import check_record, check_wire
from tests.conversation.toolkit import asks
from tests.legs import goes_on, play
from tests.test_session_resume_hard import deaths

QUESTION = "meu CPF é 529.982.247-25, e o seu telefone?"
ANSWER = "Ligue para o número (11) 98765-4321, por favor, ou escreva para ana arroba mail ponto com. Mais alguma coisa?"
ROUNDS = [Round("Um momento, 529.982.247-25.", (asks("buscar", "a", cpf="529.982.247-25"),)), Round(ANSWER)]
PRIVATE = replaced(
    bakery(WEBHOOK), platform_settings=PlatformSettings(privacy=Privacy(conversation_history_redaction=Wanted(True)))
)
SCRIPT = Script(
    16.0,
    one(PRIVATE),
    {QUESTION: ROUNDS, "meu CPF é [CPF], e o seu telefone?": ROUNDS},
    types=[(2.0, text_of_user(QUESTION))],
)


def stored(events: list[LogEvent]) -> list[LogEvent]:
    file = JournalFile(Path("conv_1"), Claim("conv_1", 0, "me"))
    records = [Record("conv_1", e.sequence, e.at_unix, e.kind, json.dumps(e.data), e.epoch) for e in events]
    rows = HistoryRedaction(Redactor()).rows([(file, record) for record in records])
    return [LogEvent(*record[:4], json.loads(record.data), record.epoch) for _, record in rows]


def test_it_goes_on_wherever_it_was_cut() -> None:
    whole = play(SCRIPT)
    assert whole.events[0].data["redact"] == list(KINDS)
    said, whole.events = whole.events, stored(whole.events)
    assert "529.982" in str(said)
    assert "529.982" not in str(whole.events)
    for mark in deaths(whole, every_sound=10):
        leg = goes_on(whole, mark)
        check_record(leg)
        check_wire(leg)
        assert "Mais nada." in str(leg.events[-6:]), "it answered to the end"
