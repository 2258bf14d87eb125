"""How many requests a minute each API key may make: more are answered with 429, before anything is looked up."""

import asyncio
import math
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.api.answers import error
from serve_app.api_keys import ApiKeys, sent_key
from serve_app.conversation.allowance import Bucket

MINUTE_S = 60.0


class KeyRates:
    """Of one replica. Requests without one of `keys` are not counted: there is nobody to whom they would belong."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys
        self._a_minute: int | None = None
        self._buckets: dict[str, Bucket] = {}

    def limit(self, a_minute: int | None) -> None:
        """To so many from now on, all of a minute's at once too. None: to no number."""
        self._a_minute = a_minute
        self._buckets.clear()

    def wait_s(self, headers: Mapping[str, str], now: float) -> int:
        """0: the request may be answered. Otherwise when another one may be, in whole seconds."""
        key = sent_key(headers)
        if self._a_minute is None or key is None or key not in self._keys:
            return 0
        if key not in self._buckets:
            self._buckets[key] = Bucket(self._a_minute / MINUTE_S, self._a_minute, now)
        return 0 if self._buckets[key].take(now) else math.ceil(MINUTE_S / self._a_minute)


class RequestRate:
    """ASGI middleware. WebSockets have limits of their own."""

    def __init__(self, app: ASGIApp, rates: KeyRates) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = asyncio.get_running_loop().time()
        wait_s = self._rates.wait_s(Headers(scope=scope), now) if scope["type"] == "http" else 0
        if not wait_s:
            await self._app(scope, receive, send)
            return
        answer = error(429, "rate_limit_exceeded", "This API key makes too many requests a minute: wait, then go on.")
        answer.headers["retry-after"] = str(wait_s)
        await answer(scope, receive, send)
