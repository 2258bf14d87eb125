"""Log lines for people: `tail -F FILES | python -m serve_app.observability.readable`."""

import json
import sys
from collections.abc import Mapping
from typing import Any

_COLOURS = {"trace": 90, "debug": 90, "info": 0, "warning": 33, "error": 31, "critical": 31}
"""Of levels; ANSI's."""
_SHOWN = ("time", "level", "logger", "message", "conversation_id", "exception")
_LEFT_OUT = ("region", "trace_id", "span_id", "replica", "deployment")


def readable(fields: Mapping[str, Any], *, in_colour: bool) -> str:
    """Of a log line's fields: `05:04:05.803 warning serve_app.session conv_1 message key=value`, and below it the
    exception, if there is one."""
    time, level = str(fields["time"])[11:23], str(fields["level"])
    who = str(fields.get("conversation_id", ""))
    rest = [f"{key}={_short(value)}" for key, value in fields.items() if key not in (*_SHOWN, *_LEFT_OUT)]
    words = [time, f"{level:<8}", str(fields["logger"]), who, str(fields["message"]), *rest]
    text = _printable("\n".join([" ".join(filter(None, words)), *str(fields.get("exception", "")).splitlines()]))
    return f"\033[{_COLOURS.get(level, 0)}m{text}\033[0m" if in_colour else text


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _printable(text: str) -> str:
    """A terminal would obey the rest."""
    return "".join(character for character in text if character.isprintable() or character == "\n")


def main() -> None:
    in_colour = sys.stdout.isatty()
    for line in sys.stdin:
        try:
            text = readable(json.loads(line), in_colour=in_colour)
        except (ValueError, KeyError, TypeError):  # `tail` says which file it shows; Ray has lines of its own
            text = line.rstrip("\n")
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
