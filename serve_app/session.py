"""One conversation at run time: it owns its tasks and its clock, and performs what the pure core decides.

The gateway runs it in a task of its own; a socket attaches, brings text frames in and takes text frames out, and
detaches. Every task of a conversation lives in one TaskGroup and ends with it.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol

from serve_app.audio.detector import FrameDetector
from serve_app.audio.framing import FRAME_SAMPLES, RATE, Framer
from serve_app.audio.pcm import AudioFormat
from serve_app.audio.recording import Recording
from serve_app.audio.resample import Resampler
from serve_app.conversation import protocol
from serve_app.conversation.actions import Actions, End, Log, Send, Speak, Stop, StopRecognising, Think
from serve_app.conversation.agent import Agent
from serve_app.conversation.conversation import Conversation
from serve_app.conversation.turn_taking import Judge, Recognise
from serve_app.errors import HelloError, InvalidMessage, ProviderError, Unavailable
from serve_app.ports import ConversationLog, LanguageModel, LogEvent, Speaker, Transcriber, TurnJudge

logger = logging.getLogger(__name__)

INBOX = 512
"""Text frames that may wait to be read, about 10 s of audio: a client that floods is held back, not stored."""
OUTBOX = 1024
"""Text frames that may wait to be sent, about 40 s of audio: a client that takes none for so long is gone."""
FRAMES_AT_ONCE = 10
"""Audio frames judged before others get the event loop: up to 3 ms of work while somebody speaks."""
FRAME_S = FRAME_SAMPLES / RATE
JUDGE_WINDOW = 8 * RATE
JUDGE_BUDGET_S = 0.150
"""A judgement later than this is of a moment that has passed: the rules have decided."""
WAIT_FOR_INITIATION_S = 5.0
"""Raw clients may never send their opening message."""
CLOSING_S = 2.0
"""For the last frames and the close, to a client that may be gone."""


class Socket(Protocol):
    """What a session needs of a WebSocket."""

    async def send_text(self, data: str) -> None: ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None: ...


class Parts(NamedTuple):
    """The ports of a session, and where it reports how long (seconds) a text frame of audio waited for its verdict."""

    transcriber: Transcriber
    speaker: Speaker
    model: LanguageModel
    judge: TurnJudge
    log: ConversationLog
    waited: Callable[[float], None]


class _OverError(Exception):
    """Ends the TaskGroup: the conversation is over. `error` None: the caller has left."""

    def __init__(self, error: HelloError | None) -> None:
        super().__init__()
        self.error = error


class Session:
    def __init__(self, conversation_id: str, agent_id: str, agent: Agent, parts: Parts) -> None:
        config = agent.conversation_config
        self.id = conversation_id
        self._parts = parts
        self._voice_id = config.tts.voice_id
        self._conversation = Conversation(conversation_id, agent_id, agent)
        self._input = AudioFormat.parse(config.asr.user_input_audio_format)
        self._output_name = config.tts.agent_output_audio_format
        self._resampler = Resampler(self._input.rate, RATE)
        self._framer = Framer()
        self._detector = FrameDetector()
        self._recording = Recording()
        self._inbox: asyncio.Queue[tuple[float, str]] = asyncio.Queue(INBOX)
        self._outbox: asyncio.Queue[str] = asyncio.Queue(OUTBOX)
        self._socket: Socket | None = None
        self._opened = False
        self._over = asyncio.Event()
        self._failure: HelloError | None = None
        self._gone = False  # the socket is
        self._moved = asyncio.Event()  # the deadline may be earlier than the timer believes
        self._wakes_at = float("inf")
        self._sequence = 0
        self._replies: defaultdict[int, set[asyncio.Task[None]]] = defaultdict(set)
        self._recognition: asyncio.Task[None] | None = None

    # ---- the socket's side

    def attach(self, socket: Socket) -> None:
        self._socket = socket

    def detach(self) -> None:
        """The socket is gone."""
        self._gone = True
        self._over.set()

    def end(self, error: HelloError) -> None:
        """The conversation cannot go on; the caller is told why."""
        self._failure = error
        self._over.set()

    async def receive(self, text: str) -> None:
        """A text frame came. Waits while too many do."""
        await self._inbox.put((self._now(), text))

    # ---- life

    async def run(self) -> None:
        """The conversation, from the first frame to its end, whoever ends it. Never raises: this is the edge."""
        self._begun, self._begun_unix = self._now(), time.time()
        error: HelloError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._take_in())
                tasks.create_task(self._send_out())
                tasks.create_task(self._keep_time())
                await self._over.wait()
                raise _OverError(self._failure)
        except* _OverError as over:
            error = _first(over).error
        except* HelloError as failed:
            error = _first(failed)
        except* Exception as bug:
            logger.exception("conversation %s: unexpected failure", self.id, exc_info=_first(bug))
            error = HelloError("internal error")
        await self._finish(error)

    async def _finish(self, error: HelloError | None) -> None:
        code, reason = (error.close_code, error.message) if error else (1000, "client disconnected")
        if error and self._opened and code in protocol.ERROR_CODES:
            self._outbox_last(protocol.Error(code, error.message, error.error_type, _short(error.message)))
        if self._opened:
            self._log_end(error, code, reason)
        if not self._gone:
            await self._while_there(self._send_rest())
            await self._while_there(self._attached().close(code, _short(reason)))
        logger.info("conversation %s ended with code %d", self.id, code)
        await self._parts.log.flush()

    async def _send_rest(self) -> None:
        while not self._outbox.empty():
            await self._attached().send_text(self._outbox.get_nowait())

    async def _while_there(self, farewell: Coroutine[Any, Any, None]) -> None:
        """The close follows even if the client has stopped taking frames: its handler waits for one or the other."""
        try:
            async with asyncio.timeout(CLOSING_S):
                await farewell
        except (TimeoutError, OSError, RuntimeError):  # Starlette's word for a socket that has closed meanwhile
            logger.info("conversation %s: the client was gone before the close", self.id)

    def _outbox_last(self, message: protocol.ServerMessage) -> None:
        if self._outbox.full():
            self._outbox.get_nowait()
        self._outbox.put_nowait(protocol.encode(message))

    def _log_end(self, error: HelloError | None, code: int, reason: str) -> None:
        if error:
            data = {"code": code, "error_type": error.error_type, "message": error.message}
            self._append("error", data)
        status = "failed" if error and code != 1000 else "done"
        duration = round(self._now() - self._begun, 3)
        self._append("ended", {"reason": reason, "close_code": code, "duration_secs": duration, "status": status})

    # ---- the tasks

    async def _take_in(self) -> None:
        try:
            async with asyncio.timeout(WAIT_FOR_INITIATION_S):
                arrived, text = await self._inbox.get()
        except TimeoutError:
            self._open(protocol.ConversationInitiation())
            arrived, text = await self._inbox.get()
        while True:
            message = protocol.decode(text)
            if not self._opened:
                given = isinstance(message, protocol.ConversationInitiation)
                self._open(message if given else protocol.ConversationInitiation())  # type: ignore[arg-type]
            if isinstance(message, protocol.UserAudioChunk):
                await self._hear(message.user_audio_chunk)
                self._parts.waited(self._now() - arrived)
            elif message is not None:
                self._perform(self._conversation.receive(message, self._now()))
            arrived, text = await self._inbox.get()

    def _open(self, initiation: protocol.ConversationInitiation) -> None:
        self._opened = True
        self._perform(self._conversation.open(initiation, self._now()))

    async def _hear(self, audio: bytes) -> None:
        try:
            samples = self._input.decode(audio)
        except ValueError as e:
            raise InvalidMessage(f"audio of {len(audio)} bytes is not whole {self._input.name} samples") from e
        frames = self._framer.push(self._resampler.process(samples))
        for count, frame in enumerate(frames, start=1):
            self._recording.append(frame)
            behind_s = (len(frames) - count) * FRAME_S
            self._perform(self._conversation.hear(self._detector.process(frame), self._now(), behind_s))
            if count % FRAMES_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _send_out(self) -> None:
        while True:
            text = await self._outbox.get()
            try:
                await self._attached().send_text(text)
            except (OSError, RuntimeError):  # gone; its handler is about to say so
                await self._over.wait()

    def _attached(self) -> Socket:
        assert self._socket is not None, "a session runs once a socket is attached"
        return self._socket

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
                    self._send(message)
                case Log(kind, data):
                    self._append(kind, data)
                case Recognise():
                    self._cancel_recognition()
                    self._recognition = self._spawn(self._recognise(action))
                case StopRecognising():
                    self._cancel_recognition()
                case Judge():
                    self._spawn(self._judge(action))
                case Think(reply):
                    self._work_for(reply, self._think(action))
                case Speak(reply):
                    self._work_for(reply, self._speak(action))
                case Stop(reply):
                    for task in self._replies.pop(reply, ()):
                        task.cancel()
                case End(error):
                    raise error
        if self._conversation.deadline() < self._wakes_at:
            self._moved.set()

    def _send(self, message: protocol.ServerMessage) -> None:
        if self._outbox.full():
            raise Unavailable("the client takes no messages")
        self._outbox.put_nowait(protocol.encode(message))

    def _append(self, kind: str, data: dict[str, Any]) -> None:
        at = self._begun_unix + self._now() - self._begun
        self._parts.log.append(LogEvent(self.id, self._sequence, at, kind, data))
        self._sequence += 1

    async def _recognise(self, action: Recognise) -> None:
        pcm = self._recording.slice(action.start, action.end)
        try:
            transcript = await self._parts.transcriber.transcribe(pcm, language=None)
        except ProviderError as e:
            self._warn(e)
            self._perform(self._conversation.recognition_failed(action.id, e, self._now()))
        else:
            self._perform(self._conversation.recognised(action.id, transcript, self._now()))

    async def _judge(self, action: Judge) -> None:
        pcm = self._recording.slice(action.end - JUDGE_WINDOW, action.end)
        try:
            async with asyncio.timeout(JUDGE_BUDGET_S):
                judgement = await self._parts.judge.judge(pcm)
        except (ProviderError, TimeoutError):
            return  # the session gets by without it
        self._perform(self._conversation.judged(judgement, self._now()))

    async def _think(self, action: Think) -> None:
        try:
            async with aclosing(self._parts.model.reply(action.messages, language=action.language)) as pieces:
                async for piece in pieces:
                    self._perform(self._conversation.token(action.reply, piece, self._now()))
        except ProviderError as e:
            self._warn(e)
            self._perform(self._conversation.answer_failed(action.reply, e, self._now()))
        else:
            self._perform(self._conversation.answered(action.reply, self._now()))

    async def _speak(self, action: Speak) -> None:
        speech = self._parts.speaker.speak(
            action.text, language=action.language, voice_id=self._voice_id, audio_format=self._output_name
        )
        try:
            async with aclosing(speech) as chunks:
                async for chunk in chunks:
                    self._perform(self._conversation.spoken(action.reply, action.clause, chunk, self._now()))
        except ProviderError as e:
            self._warn(e)
            self._perform(self._conversation.speech_failed(action.reply, action.clause, e, self._now()))
        else:
            self._perform(self._conversation.clause_spoken(action.reply, action.clause, self._now()))

    def _warn(self, error: ProviderError) -> None:
        """For operators. The message is ours and holds nothing of the conversation; its cause might, and stays out."""
        logger.warning("conversation %s: %s", self.id, error.message)

    # ---- tasks

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)

    def _work_for(self, reply: int, work: Coroutine[Any, Any, None]) -> None:
        task = self._spawn(work)
        owned = self._replies[reply]
        owned.add(task)
        task.add_done_callback(owned.discard)

    def _cancel_recognition(self) -> None:
        if self._recognition:
            self._recognition.cancel()
            self._recognition = None

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _first(group: BaseExceptionGroup[Any]) -> Any:
    leaf = group.exceptions[0]
    return _first(leaf) if isinstance(leaf, BaseExceptionGroup) else leaf


def _short(reason: str) -> str:
    """A close reason holds 123 bytes at most (RFC 6455, 5.5)."""
    return reason.encode()[:120].decode(errors="ignore")
