"""What to check when a provider refuses, by HTTP status, and what a refusal says of what comes next."""

from serve_app.errors import LanguageModelError

_ADVICE = {
    400: "check the model's name and what it accepts",
    401: "check the API key",
    403: "the API key may not use this model",
    404: "check the base URL and the model's name",
    413: "the request is too large",
    422: "check the model's name and what it accepts",
    429: "the key's rate limit or quota is used up",
}
_OF_THE_REQUEST = frozenset({400, 413, 422})

SOON_S = 0.5
"""A provider that asks for no longer a pause than this may as well be asked again at once."""


class Hiccup(LanguageModelError):
    """It may be over already: the same request may be answered if it is made again at once."""


class RequestRefused(LanguageModelError):
    """What was asked is at fault. It says nothing of the provider, whom others ask for other things."""


def refusal(status: int) -> str:
    """Say it in our own words: the provider's may quote the key or the caller."""
    trouble = "the provider is in trouble" if status >= 500 else "the provider refuses the request"
    return f"HTTP {status}: {_ADVICE.get(status, trouble)}"


def kind_of(status: int, retry_after: str = "") -> type[LanguageModelError]:
    """A language model's error for this status; `retry_after` is the header of this name, empty if there is none."""
    if status in _OF_THE_REQUEST:
        return RequestRefused
    if status >= 500 or (status == 429 and _is_soon(retry_after)):
        return Hiccup
    return LanguageModelError


def _is_soon(retry_after: str) -> bool:
    """Seconds, or a date: nobody writes one for less than a second."""
    try:
        return float(retry_after or 0) <= SOON_S
    except ValueError:
        return False
