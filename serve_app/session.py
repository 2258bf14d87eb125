"""One conversation at run time: it owns its tasks and its clock, and performs what the pure core decides.

The gateway runs it in a task of its own; a socket attaches, brings text frames in and takes text frames out, and
detaches. Every task of a conversation lives in one TaskGroup and ends with it.
"""

import asyncio
import itertools
import logging
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET

from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.audio.pcm import AudioFormat
from serve_app.conversation import protocol, server_messages
from serve_app.conversation.actions import (
    Actions,
    End,
    Log,
    Send,
)
from serve_app.conversation.agent import Agent
from serve_app.conversation.allowance import Allowance, TooMuch
from serve_app.conversation.client_messages import (
    ClientMessage,
    ConversationInitiation,
    EnclaveSetupConfig,
    MultimodalMessage,
    UserAudioChunk,
    UserMessage,
)
from serve_app.conversation.conversation import Conversation
from serve_app.conversation.heartbeat import PING_EVERY_S
from serve_app.conversation.opening import check_enclave
from serve_app.conversation.past import Past
from serve_app.conversation.playback import CHUNK_S
from serve_app.conversation.quota import Quota
from serve_app.conversation.server_messages import ERROR_CODES, Resume
from serve_app.conversation.speculation import Ration, Speculation
from serve_app.errors import (
    Elsewhere,
    Finished,
    HelloError,
    InvalidMessage,
    Restarting,
    taken_over,
)
from serve_app.observability.correlation import work_for
from serve_app.observability.tracing import NO_TRACE, Trace
from serve_app.observability.turn_lines import TurnLines
from serve_app.outbox import Outbox, Socket
from serve_app.parts import Parts
from serve_app.ports import (
    LogEvent,
)
from serve_app.presence import Presence
from serve_app.soundtrack import Soundtrack
from serve_app.tickets import Ticket
from serve_app.work import Work

logger = logging.getLogger(__name__)

LONGEST_BACKLOG = 4 * protocol.LONGEST_MESSAGE
"""Characters that wait to be read. Serve's own queue has no bound, so a flood cannot be held back, only ended."""
MESSAGES_AT_ONCE = 20
"""Messages taken in before others get the event loop."""
FRAMES_AT_ONCE = 10
"""Audio frames judged, in whichever messages they came, before others get the event loop: 1-2 ms of work."""
FRAME_S = FRAME_SAMPLES / RATE
RESUME_WITHIN_S = 60.0
"""So long a conversation waits for a client that has lost its connection, and may come back."""
AUDIO_KEY = '"user_audio_chunk"'
NORMAL_CLOSURE = 1000  # RFC 6455, 7.4.1
WAIT_FOR_INITIATION_S = 5.0
"""Raw clients may never send their opening message."""


class _OverError(Exception):
    """Ends the TaskGroup: the conversation is over. `error` None: the caller has left."""

    def __init__(self, error: HelloError | None) -> None:
        super().__init__()
        self.error = error


class Session:
    """`agents` are all there are; the conversation begins with the one under `agent_id`. With a `ticket`, its client
    may lose the connection and come back: meanwhile the conversation's clock stands still. `past`: what was said
    before, elsewhere; `epoch`: how often it has moved. `quotas`: of its own, and of others together with it; their
    clock is the loop's."""

    def __init__(
        self,
        conversation_id: str,
        agent_id: str,
        agents: Mapping[str, Agent],
        parts: Parts,
        *,
        ping_every_s: float = PING_EVERY_S,
        authorization_method: str = "public",
        speculation: Speculation = Speculation.TTS,
        ration: Ration | None = None,
        tenant: str = "",
        quotas: Sequence[Quota] = (),
        ticket: Ticket | None = None,
        past: Past | None = None,
        epoch: int = 0,
    ) -> None:
        self.id = conversation_id
        self.ticket = ticket
        self._agent_id = agent_id
        self._past = past
        self._epoch = epoch
        self._parts = parts
        self._conversation = Conversation(
            conversation_id,
            agent_id,
            agents,
            system=_system_variables(past.events[0].at_unix if past else time.time()),
            ping_every_s=ping_every_s,
            authorization_method=authorization_method,
            speculation=speculation,
            ration=ration,
            tenant=tenant,
            ticket=ticket.record if ticket else None,
        )
        config = agents[agent_id].conversation_config
        self._format = AudioFormat.parse(config.asr.user_input_audio_format)
        self._voice_format = AudioFormat.parse(config.tts.agent_output_audio_format)
        self._inbox: asyncio.Queue[tuple[float, str]] = asyncio.Queue()  # (when it came, text)
        self._unread = 0  # characters in it
        self._outbox = Outbox(self._voice_format, keeps=ticket is not None, sent=self._sent)
        self._trace: Trace = NO_TRACE
        self._presence = Presence()
        self._sending: asyncio.Task[None] | None = None
        self._sound: Soundtrack | None = None  # None: it has not begun, or is text only
        self._opened = False
        self._over = asyncio.Event()
        self._failure: HelloError | None = None
        self._client_code: int | None = None  # the close code of a socket that is gone
        self._moved = asyncio.Event()  # the deadline may be earlier than the timer believes
        self._wakes_at = float("inf")
        self._sequence = past.events[-1].sequence + 1 if past else 0
        self._quotas = quotas
        self._turn_lines = TurnLines(agent_id, past.events if past else ())
        self._judged = 0  # frames

    # ---- the socket's side

    def attach(self, socket: Socket) -> None:
        """The first one."""
        self._presence.socket = socket

    def detach(self, socket: Socket, code: int) -> None:
        """The socket is gone, with this close code."""
        if socket is not self._presence.socket or self._over.is_set():
            return  # another one has taken its place
        if self.ticket and self._opened and code != NORMAL_CLOSURE:
            self._leave(code)
        else:
            self._client_code = code
            self._over.set()

    def reattach(self, socket: Socket, last_event_id: int) -> None:
        """Its client is back, having received everything up to that message. An older connection is closed."""
        if self._sending:
            self._sending.cancel()
        self._forget_unread_audio()
        if old := self._presence.socket:
            self._tasks.create_task(self._outbox.close_other(old, taken_over()))
        away_s = self._presence.come(socket)
        received_ms = round(self._sound.received_s * 1000) if self._sound else 0
        resent_s = self._outbox.rewind(last_event_id, self._conversation.metadata(self._resume(received_ms)))
        self._perform(self._conversation.reconnected(last_event_id, resent_s, self._now(), away_s))
        if self._sound:
            self._sound.reconnected(self._now())
        self._sending = self._tasks.create_task(self._send_out(socket))
        self._moved.set()

    def _forget_unread_audio(self) -> None:
        """The client is about to be told how much was received: it sends the rest once more."""
        unread = [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
        for arrived, text in unread:
            if AUDIO_KEY in text:
                self._unread -= len(text)
            else:
                self._inbox.put_nowait((arrived, text))

    @property
    def socket(self) -> Socket | None:
        """Whose frames are the client's. None: nobody is connected."""
        return self._presence.socket

    @property
    def may_be_resumed(self) -> bool:
        return self.ticket is not None and self._opened and not self._over.is_set()

    @property
    def unread(self) -> int:
        """Characters of messages that wait to be looked at."""
        return self._unread

    @property
    def between_turns(self) -> bool:
        """Nobody speaks, and nothing is about to be said."""
        return self._opened and self._conversation.idle

    def restart(self) -> None:
        """This process goes: the client is told to come back, and the conversation to wait for it."""
        self.end(Restarting("this server is being replaced: connect again"))

    def end(self, error: HelloError) -> None:
        """The conversation cannot go on; the caller is told why."""
        self._failure = error
        self._over.set()

    def receive(self, text: str) -> None:
        """A text frame came."""
        self._unread += len(text)
        if self._unread > LONGEST_BACKLOG:
            message = "messages come faster than they can be read: send less, and audio in real time"
            self.end(TooMuch(message, "connection_backlog"))
        if not self._over.is_set():
            self._inbox.put_nowait((self._now(), text))

    # ---- life

    async def run(self) -> None:
        """The conversation, from the first frame to its end, whoever ends it. Never raises: this is the edge."""
        socket = self._presence.socket
        assert socket is not None, "a session runs once a socket is attached"
        self._unix_of_zero = time.time() - asyncio.get_running_loop().time()
        self._trace = self._parts.tracer.conversation(self.id, self._agent_id, self._real_time, epoch=self._epoch)
        work_for(self.id, self._trace.root)
        self._begun = self._past.events[0].at_unix if self._past else self._real_time()
        error: HelloError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._work = Work(self._parts, self._conversation, tasks, self._perform, self._now, self._trace)
                if self._past:
                    self._go_on(self._past)
                tasks.create_task(self._take_in())
                self._sending = tasks.create_task(self._send_out(socket))
                tasks.create_task(self._keep_time())
                tasks.create_task(self._open_in_any_case())
                await self._over.wait()
                raise _OverError(self._failure)
        except* _OverError as over:
            error = _first(over).error
        except* HelloError as failed:
            error = _first(failed)
        except* Exception as bug:  # noqa: BLE001 - the edge: one call's failure stays one call's
            self._tell(_first(bug))
            error = HelloError("internal error")
        await self._finish(error)

    def _tell(self, bug: Exception) -> None:
        """Where it happened, and what; not its message, which may hold what was said."""
        where = "".join(traceback.format_tb(bug.__traceback__))
        logger.error("conversation %s: unexpected %s\n%s", self.id, type(bug).__name__, where)

    async def _finish(self, error: HelloError | None) -> None:
        self._over.set()  # nobody comes back from here on
        code, reason = (
            (error.close_code, error.message) if error else (self._client_code or 1000, "client disconnected")
        )
        if self._opened and not self._goes_on_elsewhere(error):
            if isinstance(error, TooMuch):
                self._append("rate_limited", {"what": error.what})
            self._append("ended", self._ending(error, code, reason))
        if self._presence.socket and self._client_code is None:
            await self._outbox.close(self._presence.socket, self._last_words(error), code, reason)
        if self._sound:
            await self._sound.close()
        if self._outbox.dropped:
            logger.warning("conversation %s: %d audio messages dropped, unread", self.id, self._outbox.dropped)
        self._turn_lines.close()
        logger.info("conversation %s ended with code %d", self.id, code)
        self._trace.end(code, type(error).__name__ if error else reason)
        await self._parts.log.flush()

    def _goes_on_elsewhere(self, error: HelloError | None) -> bool:
        return isinstance(error, Elsewhere) or (isinstance(error, Restarting) and self.ticket is not None)

    def _last_words(self, error: HelloError | None) -> server_messages.Error | None:
        """A call that simply ended is no error; one that has not begun must not get a frame before its metadata."""
        if error is None or type(error) is Finished or not self._opened or error.close_code not in ERROR_CODES:
            return None
        return server_messages.Error.of(error)

    def _ending(self, error: HelloError | None, code: int, reason: str) -> dict[str, Any]:
        failed = error if not isinstance(error, Finished) else None
        cause = {"code": code, "error_type": failed.error_type, "message": failed.message} if failed else None
        return {
            "reason": reason,
            "close_code": code,
            "duration_secs": round(self._real_time() - self._begun, 3),
            "status": "failed" if failed else "done",
            "error": cause,
        }

    # ---- the tasks

    async def _take_in(self) -> None:
        allowance = Allowance(self._now())
        for count in itertools.count(1):
            if count % MESSAGES_AT_ONCE == 0:
                await asyncio.sleep(0)  # a full inbox never waits, and the others must get the event loop
            arrived, text = await self._inbox.get()
            self._unread -= len(text)
            message = protocol.decode(text)
            self._charge(len(text))
            allowance.message(
                len(text),
                arrived,
                is_audio=isinstance(message, UserAudioChunk),
                is_turn=isinstance(message, UserMessage | MultimodalMessage),
            )
            if message is None:
                continue
            try:
                await self._receive(message, arrived, allowance)
            except RecursionError as e:
                raise InvalidMessage("invalid message: nested too deep") from e

    def _charge(self, size: int) -> None:
        """Others share some of the quotas: the conversation's clock, which may stand still, is none for them."""
        for quota in self._quotas:
            quota.message(size, asyncio.get_running_loop().time())

    async def _receive(self, message: ClientMessage, arrived: float, allowance: Allowance) -> None:
        if isinstance(message, EnclaveSetupConfig):
            check_enclave(message)
            return  # the opening message follows
        if not self._opened:
            self._open(message)
        if isinstance(message, UserAudioChunk) and self._sound:
            seconds = self._sound.seconds(message.user_audio_chunk)
            allowance.audio(seconds, arrived)
            self._perform(self._conversation.arrived(seconds, self._outbox.waiting_audio * CHUNK_S, arrived))
            await self._hear(self._sound, message.user_audio_chunk, arrived)
            self._parts.waited(self._now() - arrived)
        else:
            self._perform(self._conversation.receive(message, self._now()))

    async def _open_in_any_case(self) -> None:
        await asyncio.sleep(WAIT_FOR_INITIATION_S)
        if not self._opened:
            self._open(None)

    def _open(self, first: ClientMessage | None) -> None:
        initiation = first if isinstance(first, ConversationInitiation) else ConversationInitiation()
        resume = self._resume(0, resumed=False) if self.ticket else UNSET
        actions = self._conversation.open(initiation, self._now(), resume)  # refused: the close is the client's first
        self._opened = True
        self._begin_sound()
        self._perform(actions)

    def _go_on(self, past: Past) -> None:
        """It was opened elsewhere."""
        self._opened = True
        away_s = max(0.0, time.time() - past.events[-1].at_unix)
        actions = self._conversation.go_on(past, self._now(), self._resume(past.audio_ms), away_s)
        self._begin_sound(past.audio_ms / 1000)
        self._perform(actions)

    def _begin_sound(self, heard_before_s: float = 0.0) -> None:
        if self._conversation.text_only:
            return
        recorder, take = self._parts.recorder, None
        if recorder and self._conversation.is_recorded:
            take = recorder.begin(self.id, self._voice_format, epoch=self._epoch)
        self._sound = self._work.sound = Soundtrack(
            self._format, self._voice_format, self._now(), heard_before_s=heard_before_s, take=take
        )

    def _resume(self, received_ms: int, *, resumed: bool = True) -> Resume:
        assert self.ticket
        expires_in_s = max(0.0, self.ticket.expires_at - time.time())
        return Resume(self.ticket.token, round(expires_in_s), received_ms, resumed)

    async def _hear(self, sound: Soundtrack, data: bytes, arrived: float) -> None:
        frames = sound.arrive(data, arrived)
        for count, frame in enumerate(frames, start=1):
            judged, now = sound.judge(frame), self._now()
            waited_s = now - arrived
            behind_s = waited_s + (len(frames) - count) * FRAME_S
            self._perform(self._conversation.hear(judged, now, behind_s, waited_s))
            self._judged += 1
            if self._judged % FRAMES_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _sent(self, event_id: int) -> None:
        self._trace.sent(event_id)

    async def _send_out(self, socket: Socket) -> None:
        try:
            await self._outbox.send(socket)
        except OSError:  # gone; its handler is about to say so
            await self._over.wait()

    async def _keep_time(self) -> None:
        while True:
            self._moved.clear()
            self._wakes_at = self._conversation.deadline()
            try:
                async with asyncio.timeout_at(self._presence.wakes_at(self._wakes_at)):
                    await self._moved.wait()
            except TimeoutError:
                now = max(self._now(), self._wakes_at)  # the clock's sums may be rounded to just before it
                self._perform(self._conversation.tick(now))

    # ---- nobody connected

    def _leave(self, code: int) -> None:
        """The clock stands still from here on."""
        assert self._sending
        self._sending.cancel()
        self._presence.leave()
        self._moved.set()
        self._tasks.create_task(self._wait_for_return(code))

    async def _wait_for_return(self, code: int) -> None:
        left_at = self._presence.left_at
        await asyncio.sleep(RESUME_WITHIN_S)
        if self._presence.left_at == left_at:
            self._client_code = code
            self._over.set()

    # ---- performing

    def _perform(self, actions: Actions) -> None:
        for action in actions:
            match action:
                case Send(message):
                    self._outbox.put(message)
                    if self._sound:
                        self._sound.send(message, self._now())
                case Log(kind, data):
                    self._append(kind, data)
                case End(error):
                    raise error
                case _:
                    self._work.begin(action)
        if self._conversation.deadline() < self._wakes_at:
            self._moved.set()

    def _append(self, kind: str, data: dict[str, Any]) -> None:
        event = LogEvent(self.id, self._sequence, self._real_time(), kind, data, self._epoch)
        self._parts.log.append(event)
        self._turn_lines.take(event)
        self._trace.log(kind, data, event.at_unix)
        self._sequence += 1
        if kind == "user_turn":
            for quota in self._quotas:
                quota.turn(asyncio.get_running_loop().time())

    def _now(self) -> float:
        """The conversation's clock."""
        return self._presence.now()

    def _real_time(self) -> float:
        """Unix seconds, that never go backwards."""
        return self._unix_of_zero + asyncio.get_running_loop().time()


def _system_variables(begun_unix: float) -> dict[str, str]:
    """What an agent may say of the moment the call began."""
    return {"system__time_utc": datetime.fromtimestamp(begun_unix, UTC).isoformat(timespec="seconds")}


def _first(group: BaseExceptionGroup[Any]) -> Any:
    leaf = group.exceptions[0]
    return _first(leaf) if isinstance(leaf, BaseExceptionGroup) else leaf
