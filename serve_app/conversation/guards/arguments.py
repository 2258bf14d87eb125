"""What a language model passes to a tool, looked at before the tool is called: a bank's back end is no place to try out
what a caller has talked the model into."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from serve_app.conversation.guards.injection import injection

LONGEST_ARGUMENT = 2_000
"""Characters of one text: minutes of speech."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\uffff]")
"""Characters that are not seen or change what is seen; line breaks and tabs are text."""
_ADDRESS = re.compile(r"\b([a-z][a-z0-9+.-]{1,20})://[^\s\"'<>]{0,500}", re.IGNORECASE)
_LOCAL = (".local", ".internal", ".localdomain", ".localhost", ".lan", ".home.arpa")


def fault(arguments: Any) -> str | None:
    """What is wrong with any JSON value: overlong, control (characters), address (of the inside of a network) or
    injection; None: nothing."""
    return next((found for found in map(_fault, texts(arguments)) if found), None)


def texts(value: Any) -> Iterator[str]:
    """All that stand in a JSON value, names too."""
    match value:
        case str():
            yield value
        case dict():
            for name, inner in value.items():
                yield name
                yield from texts(inner)
        case list():
            for inner in value:
                yield from texts(inner)


def _fault(text: str) -> str | None:
    if len(text) > LONGEST_ARGUMENT:
        return "overlong"
    if _CONTROL.search(text):
        return "control"
    if any(_leads_inside(found[1], found[0]) for found in _ADDRESS.finditer(text)):
        return "address"
    return "injection" if injection(text) else None


def _leads_inside(scheme: str, address: str) -> bool:
    """To a machine that the internet does not see, or to none at all (file:)."""
    if scheme.lower() not in ("http", "https"):
        return True
    try:
        host = (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:  # a name; or a number as only some parsers read it (2130706433, 0x7f.1)
        return "." not in host or host.endswith(_LOCAL) or not host.rpartition(".")[2][:1].isalpha()
