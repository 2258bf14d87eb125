"""Texts -> texts in which personal data are replaced by their kinds: "meu CPF é [CPF]"."""

from collections.abc import Collection, Mapping
from typing import Any

from serve_app.conversation.personal_data import KINDS
from serve_app.observability.redaction import codes, context, emails, hook
from serve_app.observability.redaction.findings import Finding, masked, replaced
from serve_app.observability.redaction.hook import Function, Hook
from serve_app.observability.redaction.numbers import is_english, numbers
from serve_app.observability.redaction.tokens import tokenise

_MOST_PASSES = 8


def redact(text: str, kinds: Collection[str] = KINDS) -> str:
    """Exactly the data are replaced, by their kinds in brackets; what is so already is left alone."""
    for _ in range(_MOST_PASSES):  # once more when something was found: it may have stood between two others
        redacted = replaced(text, (finding for finding in find(text) if finding.kind in kinds))
        if redacted == text:
            break
        text = redacted
    return text


def find(text: str) -> list[Finding]:
    """The data in a text, none of them overlapping."""
    found = [*emails.typed(text), *codes.pix_keys(text)]
    tokens = masked(tokenise(text), found)
    addresses = list(emails.spoken(tokens))
    tokens = masked(tokens, addresses)
    accounts = list(codes.ibans(text, tokens, english=is_english(tokens)))
    return [*found, *addresses, *accounts, *numbers(text, masked(tokens, accounts))]


class Redactor:
    """`redact`, and after it a function of the operator's own."""

    def __init__(self, function: Function | None = None, kinds: Collection[str] = KINDS) -> None:
        self._hook = Hook(function) if function else None
        self._kinds = frozenset(kinds)

    @classmethod
    def from_spec(cls, spec: str) -> "Redactor":
        """`spec`: "package.module:function", or nothing. Raises ConfigurationError."""
        return cls(hook.named(spec) if spec else None)

    def only(self, kinds: Collection[str]) -> "Redactor":
        """The same one, for these kinds alone. The operator's function gets all that is left."""
        narrowed = Redactor(None, kinds)
        narrowed._hook = self._hook
        return narrowed

    def redact(self, text: str) -> str:
        return self._under("", text)

    def redacted(self, value: Any) -> Any:
        """A JSON-like structure with its texts redacted; a key announces what stands under it, and stays itself."""
        return self._redacted(value, "")

    def _redacted(self, value: Any, key: str) -> Any:
        match value:
            case str():
                return self._under(context.announcement(key), value)
            case int() if not isinstance(value, bool) and (announcement := context.announcement(key)):
                text = self._under(announcement, str(value))
                return value if text == str(value) else text
            case Mapping():
                return {name: self._redacted(each, str(name)) for name, each in value.items()}
            case list() | tuple():
                return [self._redacted(each, key) for each in value]
        return value

    def _under(self, announcement: str, text: str) -> str:
        """As if that word had been said before it."""
        said = f"{announcement}: " if announcement else ""
        redacted = redact(said + text, self._kinds).removeprefix(said)
        return self._hook(redacted) if self._hook else redacted


def redacted(value: Any) -> Any:
    """A JSON-like structure with its texts redacted, as `Redactor.redacted` does it."""
    return _PLAIN.redacted(value)


_PLAIN = Redactor()
