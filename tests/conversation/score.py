"""A call as a score: what the caller does, in seconds; what the other side did is kept, with the moment it did it.

    call = Call(agent("Olá."))
    call.silence(2)
    call.says("quero um café")
    call.silence(3)
    assert call.outline() == ["metadata", "agent: Olá.", "audio", "user: quero um café", "agent: ...", "audio"]

The conversation is real; recogniser, language model, voice and judge are parts of the score. All of it in virtual time.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count, groupby
from typing import Any, TypeVar

from serve_app.audio.detector import Frame
from serve_app.audio.framing import FRAME_SAMPLES, RATE
from serve_app.conversation import client_messages, server_messages
from serve_app.conversation.actions import (
    Action,
    Actions,
    CallWebhook,
    End,
    Inspect,
    Log,
    Murmur,
    Send,
    Speak,
    Stop,
    StopRecognising,
    Think,
    Warm,
)
from serve_app.conversation.agent import (
    Agent,
    ConversationConfig,
    Hello,
    Permissions,
    Persona,
    PlatformSettings,
    Prompt,
    Rules,
    Turn,
)
from serve_app.conversation.conversation import Conversation
from serve_app.conversation.decisions import Judge, Judgement, Overhear, Recognise
from serve_app.conversation.dialogue import Message, Transcript
from serve_app.conversation.fallback import Fallback
from serve_app.conversation.lines import line
from serve_app.conversation.model_request import ModelRequest, Reasoning
from serve_app.conversation.playback import CHARS_PER_SECOND, SpeechChunk
from serve_app.conversation.server_messages import ServerMessage
from serve_app.conversation.tool_use import Outcome
from serve_app.conversation.tools import ToolCall
from serve_app.errors import HelloError

FRAME_S = 0.020
WORD_S = 0.3
LATE_S = 0.1
"""How late the detector confirms speech; its gate opens at once."""
SPEECH_DB, FLOOR_DB = -25.0, -60.0
SURE = 0.9
"""The detector's score of speech."""
LEVEL = 8000
"""Of every sample the voice makes: what is lower was ducked or faded."""

Kind = TypeVar("Kind", bound=ServerMessage)
Piece = str | bytes | SpeechChunk | ToolCall | Reasoning | HelloError | None
"""What a model or a voice brings: text, calls and thoughts, or audio (with alignment or without); its failure, or None
for nothing more, ever."""
EVENTS = (
    "audio",
    "interruption",
    "agent_response",
    "agent_response_correction",
    "user_transcript",
    "conversation_initiation_metadata",
    "ping",
)
"""What most calls of these tests are told."""


GREETING = "Olá, em que posso ajudar?"
NOT_HEARD = line("not_heard", "pt")
TROUBLE = line("trouble", "pt")


WAITS = Turn(turn_timeout=30.0, initial_wait_time=300.0)
"""Longer than the silences of calls that are about something else."""


def agent(
    first_message: str = "",
    *,
    prompt: Prompt | str = "",
    events: Sequence[str] | None = EVENTS,
    turn: Turn | None = None,
    hello: Hello | None = None,
    **rules: Any,
) -> Agent:
    """`turn` None: WAITS. `events` None: the default ones."""
    persona = Persona(
        language="pt", first_message=first_message, prompt=Prompt(prompt) if isinstance(prompt, str) else prompt
    )
    return Agent(
        "test",
        ConversationConfig(
            agent=persona,
            turn=turn or WAITS,
            conversation=Rules(client_events=None if events is None else tuple(events), **rules),
        ),
        PlatformSettings(overrides=Permissions({"conversation": {"client_events": True}})),
        hello or Hello(),
    )


def echo(text: str) -> Sequence[Piece]:
    """The answer of a model with little to say, in words."""
    return [f"{word} " for word in f"Você disse {text}.".split()]


def tone(text: str) -> Sequence[Piece]:
    """The clause as a voice speaks it: its length in sound, in chunks of at most 200 ms."""
    left = round(len(text) / CHARS_PER_SECOND * RATE)
    sample, chunks = LEVEL.to_bytes(2, "little"), []
    while left > 0:
        chunks.append(sample * min(left, RATE // 5))
        left -= RATE // 5
    return chunks


class Call:
    """`model` gives the answer to the user's last words, `voice` the sound of a clause, `judge` looks at the audio up
    to a sample. Each takes its `_s` until the first word of it; a recogniser of `recogniser_s` None never answers.
    Audio arrives in lumps of `lump_s`. `level_db` of what sounds at the caller's, and its likeness to our own voice,
    `ours`, and how long it waits for its verdict may be changed on the way."""

    level_db = SPEECH_DB
    ours = 0.0
    waited_s = 0.0
    model_s = 0.100
    token_s = 0.010
    webhook_s = 0.200
    classifier_s = 0.150
    voice_s = 0.080
    chunk_s = 0.050
    judge_s = 0.030
    confidence = 0.9
    language = "pt"
    fallbacks: tuple[Fallback, ...] = ()

    def __init__(
        self,
        described: Agent | None = None,
        *,
        model: Callable[[str], Sequence[Piece]] = echo,
        webhook: Callable[[CallWebhook], Outcome | None] | None = None,
        agents: Mapping[str, Agent] | None = None,
        voice: Callable[[str], Sequence[Piece]] = tone,
        judge: Callable[[int], Judgement] | None = None,
        classifier: Callable[[str], bool] | None = None,
        recogniser_s: float | None = 0.050,
        recogniser_error: HelloError | None = None,
        lump_s: float = FRAME_S,
        pong_s: float | None = 0.020,
        initiation: client_messages.ConversationInitiation | None = None,
        **conversation: Any,
    ) -> None:
        self.model, self.voice, self.judge, self.webhook = model, voice, judge, webhook
        self.classifier = classifier
        self.recogniser_s, self.recogniser_error, self.pong_s = recogniser_s, recogniser_error, pong_s
        self.now = self.stopped_at = 0.0
        self.sent: list[tuple[float, ServerMessage]] = []
        self.logged: list[Log] = []
        self.thought: list[ModelRequest] = []
        self.webhooks: list[CallWebhook] = []
        self.spoken: list[Speak] = []
        self.stopped: set[int] = set()
        self.recognised: list[Recognise] = []
        self.looked: list[Overhear] = []
        self.warmed: list[Warm] = []
        self.murmured: list[Murmur] = []
        self.judged: list[Judge] = []
        self.ended: HelloError | None = None
        self.ended_at = float("inf")
        described = described or agent()
        self.conversation = Conversation("conv_1", "default", {**(agents or {}), "default": described}, **conversation)
        self._lump = round(lump_s / FRAME_S)
        self._arriving: list[Frame] = []
        self._end = 0
        self._words: list[tuple[int, str]] = []  # and the sample at which each ends
        self._recognition = 0
        self._reports: list[tuple[float, int, Callable[[], Actions]]] = []
        self._order = count()
        self._perform(self.conversation.open(initiation or client_messages.ConversationInitiation(), 0.0))

    # ---- the caller

    def says(self, text: str, seconds: float | None = None) -> None:
        """Speech in which these words are recognised, evenly spread; no text: speech without words."""
        words = text.split()
        length = WORD_S * len(words) if seconds is None else seconds
        start, frames = self._end, round(length / FRAME_S)
        samples = frames * FRAME_SAMPLES
        self._words += [(start + samples * (i + 1) // len(words), word) for i, word in enumerate(words)]
        late = min(round(LATE_S / FRAME_S), frames - 1)
        self._hear((True, i >= late, start if i == late else None) for i in range(frames))
        self.stopped_at = self.now

    def silence(self, seconds: float) -> None:
        self._hear((False, False, None) for _ in range(round(seconds / FRAME_S)))

    def noise(self, seconds: float) -> None:
        """Loud enough for the gate, and no speech."""
        self._hear((True, False, None) for _ in range(round(seconds / FRAME_S)))

    def types(self, text: str) -> None:
        self.sends(client_messages.UserMessage(text))

    def sends(self, message: client_messages.ClientMessage) -> None:
        self._perform(self.conversation.receive(message, self.now))

    def sends_nothing(self, seconds: float) -> None:
        """Not even silence: the line is up, and no audio comes."""
        self._pass(self.now + seconds)

    # ---- what came of it

    def messages(self, kind: type[Kind]) -> list[Kind]:
        return [message for _, message in self.sent if isinstance(message, kind)]

    def times(self, kind: type[ServerMessage]) -> list[float]:
        return [at for at, message in self.sent if isinstance(message, kind)]

    def outline(self) -> list[str]:
        """The messages as a reader would tell them; pings left out, audio in a row told once."""
        told = (_told(message) for _, message in self.sent if not isinstance(message, server_messages.Ping))
        return [line for line, _ in groupby(told)]

    def log(self, kind: str) -> list[dict[str, object]]:
        return [entry.data for entry in self.logged if entry.kind == kind]

    # ---- time

    def _hear(self, frames: Iterable[tuple[bool, bool, int | None]]) -> None:
        for gate, voiced, onset in frames:
            self._end += FRAME_SAMPLES
            self._pass(self.now + FRAME_S)
            if self.ended:
                return  # nobody is there to hear it
            score, level, ours = SURE if voiced else 0.0, *((self.level_db, self.ours) if gate else (FLOOR_DB, 0.0))
            self._arriving.append(Frame(self._end, gate, gate, voiced, onset, score, level, FLOOR_DB, ours))
            if len(self._arriving) == self._lump:
                for frame in self._arriving:
                    self._perform(self.conversation.hear(frame, self.now, waited_s=self.waited_s))
                self._arriving.clear()

    def _pass(self, until: float) -> None:
        """Everything that is due comes, in order."""
        spins = 0
        while not self.ended:
            report_at = self._reports[0][0] if self._reports else float("inf")
            wake_at = self.conversation.deadline()
            if min(report_at, wake_at) > until:
                break
            self.now = max(self.now, min(report_at, wake_at))
            if report_at <= wake_at:
                self._perform(heapq.heappop(self._reports)[2]())
            else:
                self._perform(self.conversation.tick(self.now))
                spins = spins + 1 if self.conversation.deadline() <= self.now else 0
                assert spins < 3, "a timer set to this deadline would spin"
        self.now = until

    def _after(self, seconds: float, report: Callable[[], Actions]) -> None:
        heapq.heappush(self._reports, (self.now + seconds, next(self._order), report))

    # ---- the other side's parts

    def _perform(self, actions: Actions) -> None:
        for action in actions:
            assert not self.ended, f"{action} after the end"
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Send(message):
                self.sent.append((self.now, message))
                if isinstance(message, server_messages.Ping) and self.pong_s is not None:
                    pong = client_messages.Pong(message.event_id)
                    self._after(self.pong_s, lambda: self.conversation.receive(pong, self.now))
            case Log():
                self.logged.append(action)
            case Recognise():
                self.recognised.append(action)
                self._recognition = action.id
                if self.recogniser_s is not None:
                    self._after(self.recogniser_s, lambda: self._recognise(action))
            case Overhear():
                self.looked.append(action)
                if self.recogniser_s is not None:
                    self._after(self.recogniser_s, lambda: self._overhear(action))
            case Murmur():
                self.murmured.append(action)
                audio = b"".join(piece for piece in self.voice(action.text) if isinstance(piece, bytes))
                self._after(self.voice_s, lambda: self.conversation.murmured(audio, self.now))
            case Warm():
                self.warmed.append(action)
            case StopRecognising():
                self._recognition = 0
            case Judge(asked, _, end):
                self.judged.append(action)
                if judge := self.judge:
                    self._after(self.judge_s, lambda: self.conversation.judged(asked, judge(end), self.now))
            case Think():
                self.thought.append(action.request)
                self._think(action)
            case Inspect():
                self._inspect(action)
            case CallWebhook():
                self.webhooks.append(action)
                self._call(action)
            case Speak():
                self.spoken.append(action)
                self._speak(action)
            case Stop(reply):
                self.stopped.add(reply)
            case End(error):
                self.ended, self.ended_at = error, self.now

    def _recognise(self, asked: Recognise) -> Actions:
        if asked.id != self._recognition:
            return []
        if self.recogniser_error:
            return self.conversation.recognition_failed(asked.id, self.recogniser_error, self.now)
        return self.conversation.recognised(asked.id, self._transcript(asked), self.now)

    def _overhear(self, asked: Overhear) -> Actions:
        return self.conversation.overheard(asked.id, self._transcript(asked))

    def _transcript(self, asked: Recognise | Overhear) -> Transcript:
        heard = " ".join(word for end, word in self._words if asked.start < end <= asked.end)
        return Transcript(heard, self.language, self.confidence, self.fallbacks)

    def _call(self, asked: CallWebhook) -> None:
        outcome = self.webhook(asked) if self.webhook else None
        if outcome:
            answering = self.conversation.answering
            self._after(
                self.webhook_s,
                lambda: (
                    []
                    if asked.reply in self.stopped
                    else answering.tool_answered(asked.reply, asked.call_id, outcome, self.now)
                ),
            )

    def _inspect(self, asked: Inspect) -> None:
        answering, reply = self.conversation.answering, asked.reply
        if self.classifier and self.classifier(asked.text):
            self._after(
                self.classifier_s, lambda: [] if reply in self.stopped else answering.suspected(reply, self.now)
            )

    def _think(self, asked: Think) -> None:
        answering, reply = self.conversation.answering, asked.reply

        def bring(piece: Any) -> Actions:
            match piece:
                case ToolCall():
                    return answering.called(reply, piece, self.now)
                case Reasoning(text):
                    return answering.reasoned(reply, text, self.now)
                case _:
                    return answering.token(reply, piece, self.now)

        self._bring(
            reply,
            self.model(asked.request.messages[-1].content),
            (self.model_s, self.token_s),
            bring,
            lambda error: answering.answer_failed(reply, error, self.now),
            lambda: answering.answered(reply, self.now),
        )

    def _speak(self, asked: Speak) -> None:
        answering, reply, clause = self.conversation.answering, asked.reply, asked.clause
        self._bring(
            reply,
            self.voice(asked.text),
            (self.voice_s, self.chunk_s),
            lambda audio: answering.spoken(
                reply, clause, audio if isinstance(audio, SpeechChunk) else SpeechChunk(audio), self.now
            ),
            lambda error: answering.speech_failed(reply, clause, error, self.now),
            lambda: answering.clause_spoken(reply, clause, self.now),
        )

    def _bring(
        self,
        reply: int,
        pieces: Sequence[Piece],
        pace: tuple[float, float],
        on_piece: Callable[[Any], Actions],
        on_error: Callable[[HelloError], Actions],
        on_end: Callable[[], Actions],
    ) -> None:
        """Report `pieces` one by one, unless the reply is stopped before."""

        def unless_stopped(report: Callable[[], Actions]) -> Callable[[], Actions]:
            return lambda: [] if reply in self.stopped else report()

        at, every = pace
        for piece in pieces:
            match piece:
                case None:
                    return
                case HelloError():
                    self._after(at, unless_stopped(lambda error=piece: on_error(error)))  # type: ignore[misc]
                    return
                case _:
                    self._after(at, unless_stopped(lambda piece=piece: on_piece(piece)))  # type: ignore[misc]
            at += every
        self._after(at, unless_stopped(on_end))


def _told(message: ServerMessage) -> str:
    match message:
        case server_messages.ConversationInitiationMetadata():
            return "metadata"
        case server_messages.UserTranscript(text):
            return f"user: {text}"
        case server_messages.AgentResponse(text):
            return f"agent: {text}"
        case server_messages.AgentResponseCorrection(_, heard):
            return f"heard: {heard}"
        case _:
            return message.TYPE


def conversation_of(call: Call) -> list[Message]:
    """What the language model was told last."""
    return list(call.thought[-1].messages)


def said(call: Call) -> str:
    """All that the voice was asked for."""
    return " ".join(asked.text for asked in call.spoken)


def silences(call: Call) -> float:
    """The longest, in seconds, from when the caller stopped to the end of what the agent said then."""
    longest, heard_until = 0.0, call.stopped_at
    for at, message in call.sent:
        if isinstance(message, server_messages.Audio) and at >= call.stopped_at:
            longest, heard_until = max(longest, at - heard_until), max(at, heard_until) + seconds(message)
    assert heard_until > call.stopped_at, "nothing was said at all"
    return longest


def seconds(message: server_messages.Audio) -> float:
    return len(message.audio_base_64) / 32_000
