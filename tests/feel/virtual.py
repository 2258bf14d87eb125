"""Plays a score in virtual time: the real detector, conversation and judge; recogniser, model and voice are prompt."""

from collections.abc import Sequence
from functools import cache

from deployments.turn_engines import TurnEngine, choose_engine
from serve_app.audio.caller_audio import CallerAudio
from serve_app.audio.framing import RATE
from serve_app.conversation import server_messages
from serve_app.conversation.actions import Action, Actions, Log, Send
from serve_app.conversation.decisions import Judge, Judgement, Overhear, Recognise
from serve_app.conversation.dialogue import Transcript
from serve_app.ports import Question
from tests.conversation.score import FRAME_S, Call, Piece
from tests.feel.agents import agent, tokens, voice_id
from tests.feel.caller import Caller, Event
from tests.feel.microphone import audio_format
from tests.feel.outcome import Outcome, outcome
from tests.feel.score import Kind, Score
from tests.feel.silences import Silences
from tests.feel.voices import level, speech

PAUSE_JUDGED_S, OVERLAP_JUDGED_S = 0.060, 0.008
"""What the engines take for a judgement."""
RECOGNISED_S, FIRST_TOKEN_S, FIRST_SOUND_S = 0.120, 0.150, 0.150
JUDGE_WINDOW = 8 * RATE
CHUNK = RATE // 5


def play(score: Score, engine: TurnEngine | None = None) -> Outcome:
    """`engine` None: the best there is on this machine."""
    return _Dialogue(score, engine or _engine()).play()


@cache
def _engine() -> TurnEngine:
    return choose_engine()


class _Dialogue(Call):
    """A call whose audio is heard by the real detector and judged by a real engine."""

    model_s = FIRST_TOKEN_S
    voice_s = FIRST_SOUND_S

    def __init__(self, score: Score, engine: TurnEngine) -> None:
        self._score, self._engine = score, engine
        self._caller = Caller(score)
        self._format = audio_format(score.line)
        self._audio = CallerAudio(self._format, self._format)
        self._plays_until = 0.0
        self._silences = Silences()
        self._changes: list[tuple[str, bool]] = []
        super().__init__(
            agent(score), model=self._answer, voice=self._speech, recogniser_s=RECOGNISED_S, ping_every_s=1e9
        )

    def play(self) -> Outcome:
        while not self._caller.done:
            data = self._caller.frame()
            self._pass(self.now + FRAME_S)
            for samples in self._audio.frames(data):
                frame = self._audio.judge(samples)
                self._silences.hear(frame.end / RATE, voiced=frame.voiced)
                self._perform(self.conversation.hear(frame, self.now))
        return outcome(self._caller, tuple(self._changes), self._silences.all)

    # ---- what the conversation asks for

    def _do(self, action: Action) -> None:
        match action:
            case Judge():
                self._judge(action)
                return
            case Send(message):
                self._hear(message)
            case Log("judgement", data):
                self._changes.append((str(data["of"]), bool(data["changed"])))
            case _:
                pass
        super()._do(action)

    def _hear(self, message: server_messages.ServerMessage) -> None:  # type: ignore[override]
        if isinstance(message, server_messages.Audio):
            audio = message.audio_base_64
            self._caller.hear(Event(self.now, "audio", level(audio, self._format)), audio)
            sounds_at = max(self.now, self._plays_until)
            self._audio.played(audio, round(sounds_at * RATE))
            self._plays_until = sounds_at + self._format.seconds(len(audio))
        else:
            self._caller.hear(Event(self.now, message.TYPE))

    def _judge(self, asked: Judge) -> None:
        recording = self._audio.recording
        start = max(asked.end - JUDGE_WINDOW, recording.start)
        question = Question(
            recording.slice(start, asked.end),
            onset=max(0, asked.start - start),
            overlap=asked.overlap,
            **self.conversation.context,
        )
        judgement = self._engine.judge(question)
        self._after(OVERLAP_JUDGED_S if asked.overlap else PAUSE_JUDGED_S, lambda: self._report(asked.id, judgement))

    def _report(self, asked: int, judgement: Judgement) -> Actions:
        return self.conversation.judged(asked, judgement, self.now)

    def _transcript(self, asked: Recognise | Overhear) -> Transcript:
        text = self._caller.microphone.transcript(asked.start, asked.end)
        return Transcript(text, self._score.language, self.confidence)

    def _answer(self, _: str) -> Sequence[Piece]:
        """At length to the question before an overlap; briefly to anything else."""
        first = self._score.kind is not Kind.PAUSE and self._score.first and not self._caller.onset
        return tokens(self._score.language, long=bool(first))

    def _speech(self, text: str) -> Sequence[Piece]:
        return speech(text, self._score.language, voice_id(self._score), self._format)
