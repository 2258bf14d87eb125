"""A caller who loses their connection, and comes back: to the same session, or to one that knows the record alone."""

import asyncio
import base64
import json
from collections.abc import Sequence

from serve_app.conversation.past import Past
from serve_app.conversation.playback import CHUNK_S
from serve_app.parts import Parts
from serve_app.ports import LogEvent
from serve_app.session import Session
from serve_app.tickets import Ticket
from tests.caller import Call, agent
from tests.fakes.ports import ScriptedModel, Wire
from tests.spelling import SpellingSpeaker

GREETING = "Bom dia. Aqui fala a padaria da esquina, em que posso ajudar hoje?"
TICKET = Ticket("secret", 1e12)


class ReturningCaller(Call):
    """Who has asked to be able to come back. `past`: and has been here before."""

    def __init__(
        self, greeting: str = GREETING, *, model: ScriptedModel | None = None, past: Past | None = None
    ) -> None:
        super().__init__(agent(greeting), speaker=SpellingSpeaker(), model=model)
        if past:
            self.log.entries = list(past.events)
        self.session = session(self, past)
        self.session.attach(self.wire)
        self.running = asyncio.create_task(self.session.run())

    async def leaves(self, after: int) -> None:
        """The connection breaks when so many messages of sound have come, or two more."""
        for _ in range(after):
            await asyncio.sleep(CHUNK_S)
        self.session.detach(self.wire, 1006)

    async def hangs_up(self, wire: Wire) -> None:
        self.session.detach(wire, 1000)
        await self.running


def session(call: Call, past: Past | None) -> Session:
    parts = Parts(call.transcriber, call.speaker, call.model, call.webhooks, call.judge, call.log, call.waits.append)
    epoch = past.epoch + 1 if past else 0
    return Session("conv_1", "default", {"default": call.agent}, parts, ticket=TICKET, past=past, epoch=epoch)


def sounds(wire: Wire) -> list[bytes]:
    return [base64.b64decode(event["audio_base_64"]) for event in wire.events("audio")]


def ids(wire: Wire) -> list[int]:
    return [event["event_id"] for event in wire.events("audio")]


def recorded(events: Sequence[LogEvent], last_event_id: int) -> Past:
    """As it comes out of the store."""
    return Past([json_copy(event) for event in events], last_event_id)


def json_copy(event: LogEvent) -> LogEvent:
    return LogEvent(
        event.conversation_id,
        event.sequence,
        event.at_unix,
        event.kind,
        json.loads(json.dumps(event.data)),
        event.epoch,
    )
