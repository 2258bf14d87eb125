"""One attempt at a provider, of which its breaker is told how it ended."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from serve_app.conversation.breaker import Breaker
from serve_app.errors import ProviderError

LEFT_ALONE = "has failed several times in a row, and is left alone for now"
"""What is said of a provider whose breaker admits nobody."""


@contextmanager
def attempt(breaker: Breaker) -> Iterator[None]:
    """Breaking it off is no failure of the provider's. Raises what is raised within."""
    try:
        yield
    except ProviderError:
        breaker.failed(asyncio.get_running_loop().time())
        raise
    except asyncio.CancelledError:
        breaker.abandoned()
        raise
    breaker.succeeded()
