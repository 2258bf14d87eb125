"""One conversation at run time: it owns its tasks and its clock, and performs what the pure core decides.

The gateway runs it in a task of its own; a socket attaches, brings text frames in and takes text frames out, and
detaches. Every task of a conversation lives in one TaskGroup and ends with it.
"""

import asyncio
import itertools
import logging
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from serve_app.audio.caller_audio import CallerAudio
from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.audio.pcm import AudioFormat
from serve_app.conversation import protocol
from serve_app.conversation.actions import (
    Actions,
    CallWebhook,
    End,
    Log,
    Murmur,
    Send,
    Speak,
    Stop,
    StopRecognising,
    Think,
    Warm,
)
from serve_app.conversation.agent import Agent
from serve_app.conversation.allowance import Allowance
from serve_app.conversation.conversation import Conversation
from serve_app.conversation.decisions import Judge, Overhear, Recognise
from serve_app.conversation.heartbeat import PING_EVERY_S
from serve_app.conversation.opening import check_enclave
from serve_app.conversation.playback import CHUNK_S
from serve_app.conversation.speculation import Ration, Speculation
from serve_app.conversation.tool_use import Outcome
from serve_app.errors import ClientError, Finished, HelloError, InvalidMessage, ProviderError, ToolError
from serve_app.outbox import Outbox, Socket
from serve_app.ports import (
    ConversationLog,
    Fallback,
    LanguageModel,
    LogEvent,
    Question,
    Reasoning,
    Speaker,
    SpeechChunk,
    ToolCall,
    Transcriber,
    Transcript,
    TurnJudge,
    WebhookCaller,
)

logger = logging.getLogger(__name__)

LONGEST_BACKLOG = 4 * protocol.LONGEST_MESSAGE
"""Characters that wait to be read. Serve's own queue has no bound, so a flood cannot be held back, only ended."""
MESSAGES_AT_ONCE = 20
"""Messages taken in before others get the event loop."""
FRAMES_AT_ONCE = 10
"""Audio frames judged, in whichever messages they came, before others get the event loop: 1-2 ms of work."""
FRAME_S = FRAME_SAMPLES / RATE
JUDGE_WINDOW = 8 * RATE
JUDGE_BUDGET_S = 0.150
"""A judgement later than this is of a moment that has passed: the rules have decided."""
MURMUR_BUDGET_S = 0.300
"""A murmur later than this would be heard over the caller's next words."""
WAIT_FOR_INITIATION_S = 5.0
"""Raw clients may never send their opening message."""


class Parts(NamedTuple):
    """The ports of a session, and where it reports how long (seconds) a text frame of audio waited for its verdict."""

    transcriber: Transcriber
    speaker: Speaker
    model: LanguageModel
    webhooks: WebhookCaller
    judge: TurnJudge
    log: ConversationLog
    waited: Callable[[float], None]


class _OverError(Exception):
    """Ends the TaskGroup: the conversation is over. `error` None: the caller has left."""

    def __init__(self, error: HelloError | None) -> None:
        super().__init__()
        self.error = error


class Session:
    """`agents` are all there are; the conversation begins with the one under `agent_id`."""

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
    ) -> None:
        self.id = conversation_id
        self._parts = parts
        self._conversation = Conversation(
            conversation_id,
            agent_id,
            agents,
            system=_system_variables(),
            ping_every_s=ping_every_s,
            authorization_method=authorization_method,
            speculation=speculation,
            ration=ration,
        )
        config = agents[agent_id].conversation_config
        self._format = AudioFormat.parse(config.asr.user_input_audio_format)
        self._voice_format = AudioFormat.parse(config.tts.agent_output_audio_format)
        self._heard_at = 0.0  # when the caller's newest audio came
        self._plays_until = 0.0  # when what was sent will have been played
        self._inbox: asyncio.Queue[tuple[float, str]] = asyncio.Queue()  # (when it came, text)
        self._unread = 0  # characters in it
        self._outbox = Outbox()
        self._socket: Socket | None = None
        self._opened = False
        self._over = asyncio.Event()
        self._failure: HelloError | None = None
        self._client_code: int | None = None  # the close code of a socket that is gone
        self._moved = asyncio.Event()  # the deadline may be earlier than the timer believes
        self._wakes_at = float("inf")
        self._sequence = 0
        self._judged = 0  # frames
        self._replies: defaultdict[int, set[asyncio.Task[None]]] = defaultdict(set)
        self._recognition: asyncio.Task[None] | None = None
        self._look: asyncio.Task[None] | None = None  # at what the caller is saying

    # ---- the socket's side

    def attach(self, socket: Socket) -> None:
        self._socket = socket

    def detach(self, code: int) -> None:
        """The socket is gone, with this close code."""
        self._client_code = code
        self._over.set()

    def end(self, error: HelloError) -> None:
        """The conversation cannot go on; the caller is told why."""
        self._failure = error
        self._over.set()

    def receive(self, text: str) -> None:
        """A text frame came."""
        self._unread += len(text)
        if self._unread > LONGEST_BACKLOG:
            self.end(ClientError("messages come faster than they can be read: send less, and audio in real time"))
        if not self._over.is_set():
            self._inbox.put_nowait((self._now(), text))

    # ---- life

    async def run(self) -> None:
        """The conversation, from the first frame to its end, whoever ends it. Never raises: this is the edge."""
        assert self._socket is not None, "a session runs once a socket is attached"
        self._begun, self._begun_unix = self._now(), time.time()
        error: HelloError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._take_in())
                tasks.create_task(self._send_out(self._socket))
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
        await self._finish(self._socket, error)

    def _tell(self, bug: Exception) -> None:
        """Where it happened, and what; not its message, which may hold what was said."""
        where = "".join(traceback.format_tb(bug.__traceback__))
        logger.error("conversation %s: unexpected %s\n%s", self.id, type(bug).__name__, where)

    async def _finish(self, socket: Socket, error: HelloError | None) -> None:
        code, reason = (
            (error.close_code, error.message) if error else (self._client_code or 1000, "client disconnected")
        )
        if self._opened:
            self._append("ended", self._ending(error, code, reason))
        if self._client_code is None:
            await self._outbox.close(socket, self._last_words(error), code, reason)
        if self._outbox.dropped:
            logger.warning("conversation %s: %d audio messages dropped, unread", self.id, self._outbox.dropped)
        logger.info("conversation %s ended with code %d", self.id, code)
        await self._parts.log.flush()

    def _last_words(self, error: HelloError | None) -> protocol.Error | None:
        """A call that simply ended is no error; one that has not begun must not get a frame before its metadata."""
        if error is None or type(error) is Finished or not self._opened or error.close_code not in protocol.ERROR_CODES:
            return None
        return protocol.Error.of(error)

    def _ending(self, error: HelloError | None, code: int, reason: str) -> dict[str, Any]:
        failed = error if not isinstance(error, Finished) else None
        cause = {"code": code, "error_type": failed.error_type, "message": failed.message} if failed else None
        return {
            "reason": reason,
            "close_code": code,
            "duration_secs": round(self._now() - self._begun, 3),
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
            allowance.message(
                len(text),
                arrived,
                is_audio=isinstance(message, protocol.UserAudioChunk),
                is_turn=isinstance(message, protocol.UserMessage | protocol.MultimodalMessage),
            )
            if message is None:
                continue
            try:
                await self._receive(message, arrived, allowance)
            except RecursionError as e:
                raise InvalidMessage("invalid message: nested too deep") from e

    async def _receive(self, message: protocol.ClientMessage, arrived: float, allowance: Allowance) -> None:
        if isinstance(message, protocol.EnclaveSetupConfig):
            check_enclave(message)
            return  # the opening message follows
        if not self._opened:
            self._open(message)
        if isinstance(message, protocol.UserAudioChunk) and not self._conversation.text_only:
            seconds = self._format.seconds(len(message.user_audio_chunk))
            allowance.audio(seconds, arrived)
            self._perform(self._conversation.arrived(seconds, self._outbox.waiting_audio * CHUNK_S, arrived))
            await self._hear(message.user_audio_chunk, arrived)
            self._parts.waited(self._now() - arrived)
        else:
            self._perform(self._conversation.receive(message, self._now()))

    async def _open_in_any_case(self) -> None:
        await asyncio.sleep(WAIT_FOR_INITIATION_S)
        if not self._opened:
            self._open(None)

    def _open(self, first: protocol.ClientMessage | None) -> None:
        initiation = first if isinstance(first, protocol.ConversationInitiation) else protocol.ConversationInitiation()
        actions = self._conversation.open(initiation, self._now())  # refused: the close is the first the client gets
        self._opened = True
        if not self._conversation.text_only:
            self._audio = CallerAudio(self._format, self._voice_format)
        self._perform(actions)

    async def _hear(self, data: bytes, arrived: float) -> None:
        self._heard_at = arrived
        try:
            frames = self._audio.frames(data)
        except ValueError as e:
            raise InvalidMessage(f"audio of {len(data)} bytes is not whole samples") from e
        for count, frame in enumerate(frames, start=1):
            now = self._now()
            behind_s = now - arrived + (len(frames) - count) * FRAME_S
            self._perform(self._conversation.hear(self._audio.judge(frame), now, behind_s))
            self._judged += 1
            if self._judged % FRAMES_AT_ONCE == 0:
                await asyncio.sleep(0)

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
                async with asyncio.timeout_at(self._wakes_at):
                    await self._moved.wait()
            except TimeoutError:
                self._perform(self._conversation.tick(self._now()))

    # ---- performing

    def _perform(self, actions: Actions) -> None:
        for action in actions:
            match action:
                case Send(message):
                    self._outbox.put(message)
                    self._note_played(message)
                case Log(kind, data):
                    self._append(kind, data)
                case Recognise():
                    self._cancel_recognition()
                    self._recognition = self._spawn(self._recognise(action))
                case Overhear():
                    self._cancel_look()
                    self._look = self._spawn(self._overhear(action))
                case StopRecognising():
                    self._cancel_recognition()
                case Judge():
                    self._spawn(self._judge(action))
                case Think(reply):
                    self._work_for(reply, self._think(action))
                case CallWebhook(reply):
                    self._work_for(reply, self._call_webhook(action))
                case Speak(reply):
                    self._work_for(reply, self._speak(action))
                case Murmur():
                    self._spawn(self._murmur(action))
                case Warm(language, voice):
                    self._spawn(self._parts.speaker.warm(language=language, voice=voice))
                case Stop(reply):
                    for task in self._replies.pop(reply, ()):
                        task.cancel()
                case End(error):
                    raise error
        if self._conversation.deadline() < self._wakes_at:
            self._moved.set()

    def _note_played(self, message: protocol.ServerMessage) -> None:
        """Our voice may come back through the caller's microphone: it sounds from that sample of theirs on."""
        now = self._now()
        if isinstance(message, protocol.Interruption):
            self._plays_until = now
        elif isinstance(message, protocol.Audio):
            begins = max(now, self._plays_until)
            at = self._audio.recording.end + round((begins - self._heard_at) * RATE)
            self._audio.played(message.audio_base_64, at)
            self._plays_until = begins + self._voice_format.seconds(len(message.audio_base_64))

    def _append(self, kind: str, data: dict[str, Any]) -> None:
        at = self._begun_unix + self._now() - self._begun
        self._parts.log.append(LogEvent(self.id, self._sequence, at, kind, data))
        self._sequence += 1

    async def _recognise(self, action: Recognise) -> None:
        try:
            transcript = await self._transcribe(action)
        except ProviderError as e:
            self._warn(e)
            self._perform(self._conversation.recognition_failed(action.id, e, self._now()))
        else:
            self._perform(self._conversation.recognised(action.id, transcript, self._now()))

    async def _overhear(self, action: Overhear) -> None:
        try:
            transcript = await self._transcribe(action)
        except ProviderError:
            return  # nobody waits for it
        self._perform(self._conversation.overheard(action.id, transcript))

    async def _transcribe(self, action: Recognise | Overhear) -> Transcript:
        return await self._parts.transcriber.transcribe(
            self._audio.recording.slice(action.start, action.end),
            language=self._conversation.spoken_language,
            keywords=self._conversation.keywords,
            tentative=isinstance(action, Overhear),
        )

    async def _judge(self, action: Judge) -> None:
        start = max(action.end - JUDGE_WINDOW, self._audio.recording.start)
        question = Question(
            self._audio.recording.slice(start, action.end),
            onset=max(0, action.start - start),
            overlap=action.overlap,
            **self._conversation.context,
        )
        try:
            async with asyncio.timeout(JUDGE_BUDGET_S):
                judgement = await self._parts.judge.judge(question)
        except (ProviderError, TimeoutError):
            return  # the session gets by without it
        self._perform(self._conversation.judged(action.id, judgement, self._now()))

    async def _think(self, action: Think) -> None:
        answering = self._conversation.answering
        try:
            async with aclosing(self._parts.model.reply(action.request)) as pieces:
                async for piece in pieces:
                    match piece:
                        case Fallback():
                            actions = answering.fell_back(action.reply, piece, self._now())
                        case ToolCall():
                            actions = answering.called(action.reply, piece, self._now())
                        case Reasoning(text):
                            actions = answering.reasoned(action.reply, text, self._now())
                        case str():
                            actions = answering.token(action.reply, piece, self._now())
                    self._perform(actions)
        except ProviderError as e:
            self._warn(e)
            self._perform(answering.answer_failed(action.reply, e, self._now()))
        else:
            self._perform(answering.answered(action.reply, self._now()))

    async def _call_webhook(self, action: CallWebhook) -> None:
        try:
            outcome = Outcome(await self._parts.webhooks.call(action.tool, action.arguments, action.variables))
        except ToolError as e:
            outcome = Outcome(e.message, is_error=True)
        answering = self._conversation.answering
        self._perform(answering.tool_answered(action.reply, action.call_id, outcome, self._now()))

    async def _speak(self, action: Speak) -> None:
        answering = self._conversation.answering
        speech = self._parts.speaker.speak(action.text, language=action.language, voice=action.voice)
        try:
            async with aclosing(speech) as chunks:
                async for chunk in chunks:
                    if isinstance(chunk, Fallback):
                        self._perform(answering.fell_back(action.reply, chunk, self._now()))
                    else:
                        self._perform(answering.spoken(action.reply, action.clause, chunk, self._now()))
        except ProviderError as e:
            self._warn(e)
            self._perform(answering.speech_failed(action.reply, action.clause, e, self._now()))
        else:
            self._perform(answering.clause_spoken(action.reply, action.clause, self._now()))

    async def _murmur(self, action: Murmur) -> None:
        speech = self._parts.speaker.speak(action.text, language=action.language, voice=action.voice)
        try:
            async with asyncio.timeout(MURMUR_BUDGET_S), aclosing(speech) as chunks:
                audio = b"".join([chunk.audio async for chunk in chunks if isinstance(chunk, SpeechChunk)])
        except (ProviderError, TimeoutError):
            return  # nobody waits for it
        self._perform(self._conversation.murmured(audio, self._now()))

    def _warn(self, error: ProviderError) -> None:
        """For operators. The message is ours and holds nothing of the conversation; its cause might, and stays out."""
        logger.warning("conversation %s: %s", self.id, error.message)

    # ---- tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)

    def _work_for(self, reply: int, work: Coroutine[Any, Any, None]) -> None:
        task = self._spawn(work)
        self._replies[reply].add(task)
        task.add_done_callback(lambda done: self._done_for(reply, done))

    def _done_for(self, reply: int, task: asyncio.Task[None]) -> None:
        if tasks := self._replies.get(reply):
            tasks.discard(task)
        if not tasks:
            self._replies.pop(reply, None)

    def _cancel_recognition(self) -> None:
        self._cancel_look()
        if self._recognition:
            self._recognition.cancel()
            self._recognition = None

    def _cancel_look(self) -> None:
        if self._look:
            self._look.cancel()
            self._look = None

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _system_variables() -> dict[str, str]:
    """What an agent may say of the moment the call began."""
    return {"system__time_utc": datetime.now(UTC).isoformat(timespec="seconds")}


def _first(group: BaseExceptionGroup[Any]) -> Any:
    leaf = group.exceptions[0]
    return _first(leaf) if isinstance(leaf, BaseExceptionGroup) else leaf
