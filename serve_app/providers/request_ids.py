"""Under which name a provider knows a request: what its support asks for."""

from collections.abc import Mapping

_HEADERS = ("x-request-id", "x-groq-id", "request-id")
"""OpenAI's and Groq's, an older one of Groq's, ElevenLabs'."""
LONGEST = 100


def request_id(headers: Mapping[str, str]) -> str:
    """Of the answer with these headers. Empty: it has none."""
    return next((value[:LONGEST] for name in _HEADERS if (value := headers.get(name))), "")
