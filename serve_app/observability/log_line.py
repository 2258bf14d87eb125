"""A log record as a line: one JSON object, with nothing in it that the redactor has not seen."""

import json
import logging
import os
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from serve_app.errors import HelloError
from serve_app.observability.correlation import conversation_id, trace_headers
from serve_app.observability.redaction import Redactor
from serve_app.observability.redaction.hook import Hook

OURS = ("serve_app", "deployments")
"""Packages whose messages are written to be read by anybody. What others say may quote what they were given."""

_STAMP = ("conversation_id", "trace_id", "span_id")
_PLACE = ("deployment", "replica")
"""What Serve's own filters add to a record, if its `logging_config` says JSON."""
_KNOWN = {
    *vars(logging.makeLogRecord({})),
    *("message", "asctime", "_ray_timestamp_ns", "log_to_stderr", "serve_access_log", "skip_context_filter"),
    *("job_id", "worker_id", "node_id", "actor_id", "task_id", "actor_name", "task_name", "task_func_name"),
    *("component_name", "component_id", "route", "request_id", "application"),
    *(*_STAMP, *_PLACE),
}
"""Attributes of a record that are no extra fields, those that Ray and Serve add among them."""
LONGEST_CHAIN = 8
"""Of exceptions that others caused."""


def stamp(record: logging.LogRecord) -> None:
    """Note what the code that logs works for: a handler may format the record later, and elsewhere."""
    vars(record).update(dict(zip(_STAMP, (conversation_id.get(), *_span()), strict=True)))


def _span() -> tuple[str, str]:
    """Of the trace and in it, by W3C's traceparent; nothing where nobody records any."""
    _, trace_id, span_id, _ = (trace_headers().get("traceparent") or "---").split("-")
    return trace_id, span_id


class LogLine(logging.Formatter):
    """Keys: `time` (RFC 3339, UTC, ms), `level`, `logger`, `message`, `region`, then those that there are of
    `conversation_id`, `trace_id`, `span_id`, `deployment`, `replica` and `exception`, then the record's extra fields.
    """

    def __init__(self, redactor: Redactor, region: str) -> None:
        super().__init__()
        self._redactor = redactor
        self._region = region

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.fields(record), ensure_ascii=False)

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        known = {name: getattr(record, name, "") for name in (*_STAMP, *_PLACE)}
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._message(record),
            "region": self._region,
            **{name: str(value) for name, value in known.items() if value},
        }
        if record.exc_info and (error := record.exc_info[1]):
            fields["exception"] = self._redactor.redact(told(error))
        extra: dict[str, Any] = self._redactor.redacted(self._plain(_extra(record)))
        return fields | extra

    def _message(self, record: logging.LogRecord) -> str:
        text = _text(record)
        if record.name == Hook.__module__:  # that its hook fails: the hook would withhold that too
            return text
        return self._redactor.redact(text)

    def _plain(self, value: Any) -> Any:
        """As JSON knows it."""
        match value:
            case None | bool() | int() | float() | str():
                return value
            case Mapping():
                return {self._redactor.redact(str(key)): self._plain(each) for key, each in value.items()}
            case list() | tuple():
                return [self._plain(each) for each in value]
        return str(value)


def told(error: BaseException) -> str:
    """Where it was raised, and what, with what caused it: no values of variables, and messages of our own alone."""
    return "\ncaused by\n".join(_told(each) for each in _chain(error))


def _told(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    inner = [told(each) for each in error.exceptions] if isinstance(error, BaseExceptionGroup) else []
    by_us = isinstance(error, HelloError) and _is_ours(type(error).__module__)  # Ray's copies quote their cause
    message = f": {error}" if by_us else ""
    return "\nand\n".join([f"{frames}{name}{message}", *inner])


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(LONGEST_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(record: logging.LogRecord) -> str:
    """Of libraries the first line, and of asyncio's report of an exception not even that: they quote it."""
    if record.name == "asyncio" and record.exc_info:
        return "an exception that nobody has waited for"
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):  # its arguments do not fit; logging's own report would quote them
        return f"a message that cannot be put together, of {os.path.basename(record.pathname)}:{record.lineno}"
    return message if _is_ours(record.name) else message.partition("\n")[0]


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    """Of our own lines: libraries put whole objects there."""
    if not _is_ours(record.name):
        return {}
    return {name: value for name, value in vars(record).items() if name not in _KNOWN}


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in OURS
