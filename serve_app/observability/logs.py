"""The log of a process of ours: which lines, and where they go.

A replica's go into the file that Serve keeps for it (`logs/serve/replica_…` in Ray's session folder), between Serve's
own, which take the same shape there: everything of a node is in one folder, and Ray rotates it. Other processes write
to stderr. Lines of libraries, from warnings on, go the same way.
"""

import logging
import resource
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from serve_app.errors import ProviderError
from serve_app.observability.log_line import OURS, LogLine, stamp
from serve_app.observability.readable import readable
from serve_app.observability.redaction import Redactor
from serve_app.observability.turn_lines import TRACE
from serve_app.settings import LogSettings

_SERVE = logging.getLogger("ray.serve")

logger = logging.getLogger(__name__)


def in_replica(environ: Mapping[str, str]) -> None:
    """For the constructor of a deployment. Where Serve keeps no file (a class on its own) nothing changes.

    Raises ConfigurationError.
    """
    settings = LogSettings.from_environment(environ)
    file = _ServesFile(_line(settings))
    if any(hasattr(handler, "target") for handler in _SERVE.handlers):
        _SERVE.filters[:] = [file.admits]
        _take(file, settings)


def on_stderr(environ: Mapping[str, str]) -> None:
    """For a process of its own: readable where stderr is a terminal. Raises ConfigurationError."""
    settings = LogSettings.from_environment(environ)
    _take(_Stderr(_line(settings)), settings)


def _line(settings: LogSettings) -> LogLine:
    return LogLine(Redactor.from_spec(settings.redaction_hook), settings.region)


def _take(handler: logging.Handler, settings: LogSettings) -> None:
    logging.addLevelName(TRACE, "TRACE")
    logging.raiseExceptions = False  # what fails in a handler would be reported with the message's arguments
    logging.root.handlers[:] = [handler]
    for package in OURS:
        logging.getLogger(package).setLevel(settings.log_level.upper())
    _keep_crashes_quiet()


class _ServesFile(logging.Handler):
    """Serve makes new handlers when its `logging_config` changes: they are looked up each time."""

    def __init__(self, line: LogLine) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        self._prepare(record)
        for handler in _SERVE.handlers:
            handler.handle(record)

    def admits(self, record: logging.LogRecord) -> bool:
        """Serve's own. Of an error of ours that goes back to the deployment that has asked nothing is said: who has
        asked goes on without the answer, and says so."""
        if record.exc_info and isinstance(record.exc_info[1], ProviderError):
            return False
        self._prepare(record)
        return True

    def _prepare(self, record: logging.LogRecord) -> None:
        stamp(record)
        for handler in _SERVE.handlers:
            getattr(handler, "target", handler).setFormatter(self._line)  # a file is behind a buffer


class _Stderr(logging.StreamHandler[Any]):
    def __init__(self, line: LogLine) -> None:
        super().__init__(sys.stderr)
        self._line = line

    def format(self, record: logging.LogRecord) -> str:
        stamp(record)
        if self.stream.isatty():  # asked each time: the launcher's becomes a file on the way
            return readable(self._line.fields(record), in_colour=True)
        return self._line.format(record)


def _keep_crashes_quiet() -> None:
    """What nobody catches becomes a line as any other; Python would print its message. And a crash leaves no core:
    there is memory in it. (Ray's faulthandler names lines of code, and no more.)"""
    sys.excepthook = _report
    threading.excepthook = lambda args: _report(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _report(args.exc_type, args.exc_value, args.exc_traceback)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _report(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    logger.critical("%s, which nobody has caught", kind.__name__, exc_info=(kind, error, where) if error else None)
