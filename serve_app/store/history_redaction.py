"""Rows on their way to PostgreSQL, without the personal data that their agents say must not be stored."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from serve_app.observability.redaction import Redactor
from serve_app.store import journal_file
from serve_app.store.journal_file import JournalFile
from serve_app.store.projections import Record

_TEXTS = frozenset(
    [
        "text",
        "original",
        "corrected",
        "content",
        "message",
        "reason",
        "params_as_json",
        "arguments",
        "result",
        "dynamic_variables",
        "conversation_config_override",
        "custom_llm_extra_body",
    ]
)
"""Fields of events with what was said, typed or looked up, wherever they stand. All others are ids, numbers and words
of ours: a conversation goes on with them."""

Row = tuple[JournalFile, Record]


class HistoryRedaction:
    """What is redacted in a conversation's record: the kinds of data that any of its agents so far has named."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """`rows` in the order of their events. It takes milliseconds where much is redacted."""
        kinds = {file: file.redacts for file, _ in rows}
        done: list[Row] = []
        for file, record in rows:
            kinds[file] |= journal_file.redacts(record)
            done.append((file, self._redacted(record, kinds[file]) if kinds[file] else record))
        return done

    def _redacted(self, record: Record, kinds: frozenset[str]) -> Record:
        data = _texts_redacted(msgspec.json.decode(record.data), self._redactor.only(kinds))
        return record._replace(data=msgspec.json.encode(data).decode())


def _texts_redacted(value: Any, redactor: Redactor, key: str = "") -> Any:
    if key in _TEXTS:
        return _json_redacted(value, redactor) if isinstance(value, str) else redactor.redacted(value)
    if isinstance(value, Mapping):
        return {name: _texts_redacted(each, redactor, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_texts_redacted(each, redactor) for each in value]
    return value


def _json_redacted(text: str, redactor: Redactor) -> str:
    """What tools are given and answer with is JSON more often than not, and stays it."""
    if text[:1] not in ("{", "["):
        return redactor.redact(text)
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return redactor.redact(text)
    redacted = redactor.redacted(value)
    return text if redacted == value else msgspec.json.encode(redacted).decode()
