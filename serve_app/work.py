"""What the conversation asks of engines and providers: each piece is a task, and reports back under the id it has."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

from serve_app.audio.framing import RATE
from serve_app.conversation.actions import (
    Action,
    Actions,
    CallWebhook,
    Inspect,
    Murmur,
    Speak,
    Stop,
    StopRecognising,
    Think,
    Warm,
)
from serve_app.conversation.conversation import Conversation
from serve_app.conversation.decisions import Judge, Overhear, Recognise
from serve_app.conversation.tool_use import Outcome
from serve_app.errors import ProviderError, ToolError
from serve_app.observability.correlation import Span
from serve_app.observability.tracing import Trace
from serve_app.parts import Parts
from serve_app.ports import Fallback, Guard, Question, Reasoning, SpeechChunk, ToolCall, Transcript
from serve_app.soundtrack import Soundtrack

logger = logging.getLogger(__name__)

JUDGE_WINDOW = 8 * RATE
JUDGE_BUDGET_S = 0.150
"""A judgement later than this is of a moment that has passed: the rules have decided."""
MURMUR_BUDGET_S = 0.300
"""A murmur later than this would be heard over the caller's next words."""


class Work:
    """One session's. Tasks live in its group; what they bring goes through `perform`; `now` is the conversation's
    clock; `trace` learns what they spend their time on, from when it was asked for. `sound` is there before anything
    is asked about the caller's words."""

    def __init__(
        self,
        parts: Parts,
        conversation: Conversation,
        tasks: asyncio.TaskGroup,
        perform: Callable[[Actions], None],
        now: Callable[[], float],
        trace: Trace,
    ) -> None:
        self.sound: Soundtrack | None = None
        self._parts = parts
        self._conversation = conversation
        self._tasks = tasks
        self._perform = perform
        self._now = now
        self._trace = trace
        self._replies: defaultdict[int, set[asyncio.Task[None]]] = defaultdict(set)
        self._recognition: asyncio.Task[None] | None = None
        self._look: asyncio.Task[None] | None = None  # at what the caller is saying

    def begin(self, action: Action) -> None:
        match action:
            case Recognise():
                self._cancel_recognition()
                self._recognition = self._spawn(self._recognise(action, self._transcribing(action)))
            case Overhear():
                self._cancel_look()
                self._look = self._spawn(self._overhear(action, self._transcribing(action, tentative=True)))
            case StopRecognising():
                self._cancel_recognition()
            case Judge():
                self._spawn(self._judge(action, self._trace.begin("judge", over_answer=action.overlap)))
            case Think(reply):
                self._work_for(reply, self._think(action, self._trace.begin("think", reply=reply)))
            case Inspect(reply):
                if guard := self._parts.guard:
                    self._work_for(reply, self._inspect(action, guard, self._trace.begin("inspect", reply=reply)))
            case CallWebhook(reply):
                self._work_for(reply, self._call_webhook(action, self._trace.tool(action.call_id)))
            case Speak(reply):
                self._work_for(reply, self._speak(action, self._speaking(action)))
            case Murmur():
                self._spawn(self._murmur(action))
            case Warm(language, voice):
                self._spawn(self._parts.speaker.warm(language=language, voice=voice))
            case Stop(reply):
                for task in self._replies.pop(reply, ()):
                    task.cancel()

    def _transcribing(self, action: Recognise | Overhear, **attributes: bool) -> Span:
        audio_ms = (action.end - action.start) * 1000 // RATE
        return self._trace.begin("transcribe", audio_ms=audio_ms, **attributes)

    def _speaking(self, action: Speak) -> Span:
        return self._trace.begin("speak", reply=action.reply, clause=action.clause, characters=len(action.text))

    async def _recognise(self, action: Recognise, span: Span) -> None:
        try:
            with span:
                transcript = await self._transcribe(action)
        except ProviderError as e:
            self._warn(e)
            self._perform(self._conversation.recognition_failed(action.id, e, self._now()))
        else:
            self._perform(self._conversation.recognised(action.id, transcript, self._now()))

    async def _overhear(self, action: Overhear, span: Span) -> None:
        try:
            with span:
                transcript = await self._transcribe(action)
        except ProviderError:
            return  # nobody waits for it
        self._perform(self._conversation.overheard(action.id, transcript))

    async def _transcribe(self, action: Recognise | Overhear) -> Transcript:
        return await self._parts.transcriber.transcribe(
            self._recorded(action.start, action.end),
            language=self._conversation.spoken_language,
            keywords=self._conversation.keywords,
            tentative=isinstance(action, Overhear),
        )

    def _recorded(self, start: int, end: int) -> bytes:
        assert self.sound, "whose words could be asked for?"
        return self.sound.slice(start, end)

    async def _judge(self, action: Judge, span: Span) -> None:
        assert self.sound
        start = max(action.end - JUDGE_WINDOW, self.sound.held_from)
        question = Question(
            self._recorded(start, action.end),
            onset=max(0, action.start - start),
            overlap=action.overlap,
            **self._conversation.context,
        )
        try:
            async with asyncio.timeout(JUDGE_BUDGET_S):
                with span:
                    judgement = await self._parts.judge.judge(question)
        except (ProviderError, TimeoutError):
            return  # the session gets by without it
        self._perform(self._conversation.judged(action.id, judgement, self._now()))

    async def _think(self, action: Think, span: Span) -> None:
        answering = self._conversation.answering
        try:
            with span:
                async with aclosing(self._parts.model.reply(action.request)) as pieces:
                    async for piece in pieces:
                        self._perform(self._thought(action, piece, span))
                        if not answering.heeds(action.reply):
                            return  # and the model is not listened to any longer
        except ProviderError as e:
            self._warn(e)
            self._perform(answering.answer_failed(action.reply, e, self._now()))
        else:
            self._perform(answering.answered(action.reply, self._now()))

    def _thought(self, action: Think, piece: str | ToolCall | Reasoning | Fallback, span: Span) -> Actions:
        """What comes of a piece of an answer."""
        answering = self._conversation.answering
        match piece:
            case Fallback():
                span.note(instead=piece.instead)
                return answering.fell_back(action.reply, piece, self._now())
            case ToolCall():
                span.count("tool_calls")
                return answering.called(action.reply, piece, self._now())
            case Reasoning(text):
                return answering.reasoned(action.reply, text, self._now())
            case str():
                span.mark("first_token_ms")
                span.count("tokens")
                return answering.token(action.reply, piece, self._now())

    async def _inspect(self, action: Inspect, guard: Guard, span: Span) -> None:
        try:
            with span:
                is_attack = await guard.is_attack(action.text)
        except ProviderError as e:
            self._warn(e)
            return  # the answer is let out without its verdict
        if is_attack:
            self._perform(self._conversation.answering.suspected(action.reply, self._now()))

    async def _call_webhook(self, action: CallWebhook, span: Span) -> None:
        try:
            with span:
                outcome = Outcome(await self._parts.webhooks.call(action.tool, action.arguments, action.variables))
        except ToolError as e:
            outcome = Outcome(e.message, is_error=True)
        answering = self._conversation.answering
        self._perform(answering.tool_answered(action.reply, action.call_id, outcome, self._now()))

    async def _speak(self, action: Speak, span: Span) -> None:
        answering = self._conversation.answering
        speech = self._parts.speaker.speak(action.text, language=action.language, voice=action.voice)
        try:
            with span:
                async with aclosing(speech) as chunks:
                    async for chunk in chunks:
                        self._perform(self._spoken(action, chunk, span))
        except ProviderError as e:
            self._warn(e)
            self._perform(answering.speech_failed(action.reply, action.clause, e, self._now()))
        else:
            self._perform(answering.clause_spoken(action.reply, action.clause, self._now()))

    def _spoken(self, action: Speak, chunk: SpeechChunk | Fallback, span: Span) -> Actions:
        answering = self._conversation.answering
        if isinstance(chunk, Fallback):
            span.note(instead=chunk.instead)
            return answering.fell_back(action.reply, chunk, self._now())
        span.mark("first_audio_ms")
        return answering.spoken(action.reply, action.clause, chunk, self._now())

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
        logger.warning("conversation %s: %s", self._conversation.id, error.message)

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
