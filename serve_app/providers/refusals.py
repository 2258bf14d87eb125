"""What to check when a provider refuses, by HTTP status."""

_ADVICE = {
    400: "check the model's name and what it accepts",
    401: "check the API key",
    403: "the API key may not use this model",
    404: "check the base URL and the model's name",
    413: "the request is too large",
    422: "check the model's name and what it accepts",
    429: "the key's rate limit or quota is used up",
}


def refusal(status: int) -> str:
    """Say it in our own words: the provider's may quote the key or the caller."""
    trouble = "the provider is in trouble" if status >= 500 else "the provider refuses the request"
    return f"HTTP {status}: {_ADVICE.get(status, trouble)}"
