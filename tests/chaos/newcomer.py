"""Callers who come while something is wrong: each dials, says one thing, and waits for the answer."""

import asyncio
import json

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.chaos.caller import Way, initiation

OPENING = {"type": "conversation_initiation_client_data", **initiation(Way.WRITING)}
EVERY_S = 1.0
ANSWERED_WITHIN_S = 3.0


class Newcomers:
    """`failed`: when the last of those who were not answered gave up."""

    def __init__(self, ws_url: str) -> None:
        self.failed: float | None = None
        self._url = f"{ws_url}/v1/convai/conversation?agent_id=default"

    async def come(self) -> None:
        """One after another, until cancelled."""
        while True:
            if not await self._is_answered():
                self.failed = asyncio.get_running_loop().time()
            await asyncio.sleep(EVERY_S)

    async def _is_answered(self) -> bool:
        try:
            async with asyncio.timeout(ANSWERED_WITHIN_S), connect(self._url, compression=None) as ws:
                await ws.send(json.dumps(OPENING))
                await ws.send(json.dumps({"type": "user_message", "text": "bom dia"}))
                while json.loads(await ws.recv())["type"] != "agent_response":
                    pass
        except (OSError, TimeoutError, WebSocketException):
            return False
        return True
