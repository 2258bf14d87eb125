"""ElevenLabs' `stream-input`: a socket for each clause.

https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-stream-input
"""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from deployments.voices.elevenlabs_wire import Account, Closings, Opening, decode_reply, translated
from serve_app.observability.correlation import note
from serve_app.ports import SpeechChunk


class SocketPerClause:
    name = "stream-input"

    def __init__(self, account: Account) -> None:
        self._account = account
        self._closings = Closings()

    async def speak(self, text: str, opening: Opening) -> AsyncGenerator[SpeechChunk, None]:
        """Raises SpeechError."""
        with translated():
            connection = await self._account.connect(self._account.socket_url(self.name, opening))
        note(way=self.name)
        try:
            with translated():
                await _send(
                    connection,
                    {"text": " ", "voice_settings": opening.settings},
                    {"text": f"{text.rstrip()} ", "flush": True},
                    {"text": ""},
                )
            final = False
            while not final:
                with translated():
                    reply = decode_reply(await connection.recv())
                if reply.failure:
                    raise reply.failure
                if reply.chunk:
                    yield reply.chunk
                final = bool(reply.is_final)
        finally:
            self._closings.begin(connection.close())

    async def aclose(self) -> None:
        await self._closings.ended()


async def _send(connection: ClientConnection, *messages: dict[str, Any]) -> None:
    try:
        for message in messages:
            await connection.send(msgspec.json.encode(message), text=True)
    except ConnectionClosed:
        pass  # what was received last says why, and is read next
