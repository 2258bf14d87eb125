"""Whatever fails or is late: the caller is not left in silence, the wire stays sound, and the call goes on."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.conversation.actions import Action, Actions, CallWebhook, Log, Speak, Think
from serve_app.conversation.agent import Agent
from serve_app.conversation.client_messages import UserActivity
from serve_app.conversation.decisions import Recognise
from serve_app.conversation.known_clauses import known_clauses
from serve_app.conversation.server_messages import (
    AgentResponse,
    AgentResponseComplete,
    AgentResponseCorrection,
    Audio,
    Interruption,
    UserTranscript,
)
from serve_app.conversation.tool_use import Outcome
from serve_app.conversation.turn_states import State
from serve_app.errors import HelloError, LanguageModelError, SpeechError, TranscriptionError
from tests.conversation.score import FRAME_S, Call, agent, conversation_of, seconds, tone
from tests.conversation.test_conversation_properties import assert_valid
from tests.conversation.toolkit import TOOL_EVENTS, asks, prompted, webhook

GREETING = "Olá, aqui é da padaria. Em que posso ajudar?"
EVENTS = (*TOOL_EVENTS, "agent_response_complete")


def silence_s(words_s: float, *, stalls: bool) -> float:
    """Seconds of silence, at most, until the voice is asked for something: it takes its own time to sound. `words_s`:
    the recogniser's slowest answer; `stalls`: the caller's audio stops in the middle of a word."""
    if words_s > 2.4 or stalls:  # later than anybody should have to wait
        return 2.6
    return 1.6 if words_s <= 0.8 else 2.0


WITH_TOOLS_S = 9.0
"""While tools run the caller has been told so, and is told again after 8 s."""

Told = tuple[str, float, float]
"""How a provider answers once: what kind of answer, after how long, and how long it falters in the middle of it."""


def told(kinds: Sequence[str], latest_s: float, longest_gap_s: float) -> st.SearchStrategy[Told]:
    return st.tuples(st.sampled_from(kinds), st.floats(0, latest_s), st.floats(0, longest_gap_s))


class Rough(Call):
    """The parts answer as they are told to, one request after the other, and well from then on. A number among the
    pieces of an answer is a pause. What is known beforehand is spoken at once, if `prepared`."""

    def __init__(
        self,
        described: Agent,
        recogniser: Sequence[Told] = (),
        models: Sequence[Told] = (),
        voices: Sequence[Told] = (),
        *,
        prepared: bool = True,
        longest_silence_s: float = float("inf"),
        **parts: Any,
    ) -> None:
        self._recogniser, self._models, self._voices = iter(recogniser), iter(models), iter(voices)
        self._prepared = {clause.text for clause in known_clauses(described)} if prepared else set()
        self._longest_silence_s = longest_silence_s
        self._limit_s = float("inf")  # on the silence that began at `quiet_from`
        self._was_idle = False
        self._numbers = count(1)
        self._faults: dict[int, HelloError] = {}
        self.answers: dict[int, int] = {}  # number -> reply
        self.quiet_from = 0.0
        super().__init__(described, webhook=_found, **parts)

    def recover(self) -> None:
        self._recogniser = self._models = self._voices = iter(())

    # ---- the parts

    def _do(self, action: Action) -> None:
        match action:
            case Recognise(id):
                kind, late_s, _ = next(self._recogniser, ("words", 0.05, 0.0))
                self.recogniser_s = None if kind == "never" else late_s
                if kind == "fails":
                    self._faults[id] = TranscriptionError("down")
            case Think():
                self.model = lambda _: self._answer(action.reply)
            case Speak(text=text):
                self.voice = lambda _: [*tone(text)] if text in self._prepared else self._sound(text)
            case Log("none_response", data):
                assert data["turn"] not in {heard["turn"] for heard in self.log("audio")}
        super()._do(action)
        if isinstance(action, Recognise):
            self.recogniser_s = 0.05

    def _recognise(self, asked: Recognise) -> Actions:
        self.recogniser_error = self._faults.get(asked.id)
        return super()._recognise(asked)

    def _answer(self, reply: int) -> Sequence[Any]:
        number = next(self._numbers)
        self.answers[number] = reply
        kind, late_s, gap_s = next(self._models, ("words", 0.1, 0.0))
        said = f"Resposta {number}, é claro. Temos pão de queijo, quer levar?"
        some = said[:20]
        match kind:
            case "words":
                return [late_s, some, gap_s, said[20:]]
            case "fails":
                return [late_s, LanguageModelError("down")]
            case "dies":
                return [late_s, some, gap_s, LanguageModelError("gone")]
            case "empty":
                return [late_s]
            case "tool":
                return [late_s, asks("buscar", f"call_{number}")]
            case "words and tool":
                return [late_s, "Vou ver isso agora. ", asks("buscar", f"call_{number}")]
            case "stalls":
                return [late_s, some, None]
        assert kind == "never"
        return [None]

    def _sound(self, text: str) -> Sequence[Any]:
        kind, late_s, gap_s = next(self._voices, ("sound", 0.1, 0.0))
        first, *rest = tone(text)
        match kind:
            case "sound":
                return [late_s, first, gap_s, *rest]
            case "fails":
                return [late_s, SpeechError("down")]
            case "dies":
                return [late_s, first, gap_s, SpeechError("gone")]
            case "stalls":
                return [late_s, first, None]
            case "empty":
                return [late_s]
        assert kind == "never"
        return [None]

    def _bring(
        self,
        reply: int,
        pieces: Sequence[Any],
        pace: tuple[float, float],
        on_piece: Callable[[Any], Actions],
        on_error: Callable[[HelloError], Actions],
        on_end: Callable[[], Actions],
    ) -> None:
        at = 0.0
        for piece in pieces:
            if isinstance(piece, float):
                at += piece
                continue
            super()._bring(reply, [piece, None], (at, 0.0), on_piece, on_error, on_end)
            if piece is None or isinstance(piece, HelloError):
                return
        super()._bring(reply, [], (at, 0.0), on_piece, on_error, on_end)

    # ---- the silence

    def _hear(self, frames: Iterable[tuple[bool, bool, int | None]]) -> None:
        super()._hear(self._listened(frames))

    def _listened(self, frames: Iterable[tuple[bool, bool, int | None]]) -> Iterator[tuple[bool, bool, int | None]]:
        for gate, voiced, onset in frames:
            if voiced:
                self._quiet_from(self.now + FRAME_S)
            yield gate, voiced, onset

    def types(self, text: str) -> None:
        self._quiet_from(self.now)
        super().types(text)

    def _quiet_from(self, now: float) -> None:
        self.quiet_from = max(self.quiet_from, now)

    def _perform(self, actions: Actions) -> None:
        if self._was_idle and not self.idle:
            self._quiet_from(self.now)  # who speaks up of their own accord keeps nobody waiting
        lasted_s = self.now - self.quiet_from
        assert lasted_s <= self._limit_s, f"{lasted_s:.2f} s of silence by {self.now:.2f}"
        sent = len(self.sent)
        super()._perform(actions)
        for at, message in self.sent[sent:]:
            if isinstance(message, Audio):
                self._quiet_from(max(at, self.quiet_from) + seconds(message))
        self._limit_s, self._was_idle = self._allowed_s(), self.idle

    def _allowed_s(self) -> float:
        """Who waits for an answer must hear something."""
        reply = self.conversation.answering.reply
        if self.ended or not (self.conversation._turns.state is State.HEARD or (reply and reply.taken)):
            return float("inf")
        if reply and reply.rounds:
            return max(self._longest_silence_s, WITH_TOOLS_S)
        return self._longest_silence_s

    # ---- what came of it

    @property
    def idle(self) -> bool:
        return self.conversation.idle


def _found(_: CallWebhook) -> Outcome:
    return Outcome("Há dois.")


# ---- what the caller does

Deed = tuple[str, float]
DEEDS: st.SearchStrategy[Deed] = st.one_of(
    st.tuples(st.just("says"), st.sampled_from([1, 3, 5])),
    st.tuples(st.just("coughs"), st.floats(0.02, 0.8)),
    st.tuples(st.just("silence"), st.floats(0.02, 0.6)),
    st.tuples(st.just("silence"), st.floats(0.6, 8)),
    st.tuples(st.just("noise"), st.floats(0.02, 0.6)),
    st.tuples(st.just("types"), st.just(1)),
    st.tuples(st.just("sends_nothing"), st.floats(0.1, 5)),
)


def perform(call: Call, deeds: Sequence[Deed]) -> None:
    words = (f"palavra{number}" for number in count())
    for deed, much in deeds:
        if call.ended:
            return
        match deed:
            case "says":
                call.says(" ".join(next(words) for _ in range(int(much))))
            case "types":
                call.types(next(words))
            case "coughs":
                call.says("", seconds=much)
            case _:
                getattr(call, deed)(much)


# ---- what holds of every call


def assert_sound(call: Call) -> None:
    responses: dict[int, str] = {}
    completed: set[int] = set()
    ids = [message.event_id for _, message in call.sent if isinstance(message, Audio | Interruption)]
    assert all(one < other for one, other in pairwise(ids))
    for _, message in call.sent:
        match message:
            case AgentResponse(text, event_id):
                assert event_id not in responses
                responses[event_id] = text
            case AgentResponseCorrection(original, corrected, event_id):
                assert responses[event_id] == original
                assert original.startswith(corrected)
                assert event_id not in completed
            case AgentResponseComplete(event_id):
                assert event_id in responses
                assert event_id not in completed
                completed.add(event_id)
    if not call.ended:
        assert completed == set(responses)
    for entry in call.log("discarded"):
        assert entry["requests"] == 1
        assert min(int(str(entry["tokens"])), int(str(entry["characters"]))) >= 0
    asked = Counter(entry["stage"] for entry in call.log("discarded"))
    assert asked["stt"] <= len(call.recognised)
    assert asked["llm"] <= len(call.thought)


def assert_true_history(call: Rough) -> None:
    """Of an answer, only who has heard it knows; of the caller's words, all are known, and once."""
    heard = {entry["turn"] for entry in call.log("audio")}
    messages = [message for message in conversation_of(call) if message.role != "system"]
    assert_valid(messages)
    given = " ".join(message.content for message in messages if message.role == "assistant")
    numbers = [int(part.split(",")[0].split()[0]) for part in given.split("Resposta ")[1:] if part[:1].isdigit()]
    assert len(numbers) == len(set(numbers))
    assert {call.answers[number] for number in numbers} <= heard
    taken = " ".join(str(entry["text"]) for entry in call.log("user_turn"))
    assert " ".join(message.content for message in messages if message.role == "user") == taken
    assert not any(one.role == other.role == "user" for one, other in pairwise(messages))


METRICS = {
    "convai_turn_silence_before_initiation",
    "convai_turn_asr_latency",
    "convai_llm_service_ttfb",
    "convai_llm_service_ttf_sentence",
    "convai_llm_service_tt_last_sentence",
    "convai_tts_service_ttfb",
    "convai_ttf_audio_since_silence",
}


def settle(call: Rough) -> None:
    """In calm, with parts that work from now on. What hangs goes on to hang."""
    call.recover()
    call.silence(2)
    for _ in range(2):
        if not call.ended:
            call.sends(UserActivity())
            call.sends_nothing(19)


def assert_recovers(call: Rough) -> None:
    assert call.idle
    if turns := call.times(UserTranscript):
        assert call.times(Audio)[-1] >= turns[-1]
    before = len(call.outline())
    call.says("quero um pão")
    call.silence(8)
    user, answer, audio = [line for line in call.outline()[before:] if line != "agent_response_complete"]
    assert (user, audio) == ("user: quero um pão", "audio")
    assert answer.startswith("agent: Resposta ")
    latencies = call.log("agent_turn")[-1]["metrics"]
    assert isinstance(latencies, dict)
    assert set(latencies) == METRICS
    assert latencies["convai_ttf_audio_since_silence"] < 1.0
    assert call.idle


def described(**rules: Any) -> Agent:
    return agent(GREETING, prompt=prompted(webhook("buscar")), events=EVENTS, **rules)


# ---- properties

MODEL = ["words", "words", "words", "fails", "dies", "empty", "tool", "words and tool"]
VOICE = ["sound", "sound", "sound", "fails", "dies"]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(DEEDS, max_size=8),
    st.lists(told(["words", "words", "fails"], 4, 0), max_size=6),
    st.lists(told(MODEL, 5, 1.5), max_size=6),
    st.lists(told(VOICE, 1, 1.2), max_size=8),
    st.sampled_from([0.2, 3.0]),
)
def test_parts_that_fail_within_their_budgets_leave_nobody_in_silence(
    deeds: list[Deed], recogniser: list[Told], models: list[Told], voices: list[Told], webhook_s: float
) -> None:
    words_s = max((late_s for _, late_s, _ in recogniser), default=0.0)
    patience_s = silence_s(words_s, stalls="sends_nothing" in dict(deeds))
    voice_s = max((max(late_s, gap_s) for _, late_s, gap_s in voices), default=0.1)
    call = Rough(described(), recogniser, models, voices, longest_silence_s=patience_s + voice_s)
    call.webhook_s = webhook_s
    call.silence(1)
    perform(call, deeds)
    settle(call)
    assert call.ended is None
    assert_recovers(call)
    assert_sound(call)
    assert_true_history(call)
    assert call.log("none_response") == []
    kinds = {kind for kind, _, _ in [*recogniser, *models, *voices]}
    if not kinds & {"fails", "dies"}:
        assert call.log("failure") == []


@settings(max_examples=200, deadline=None)
@given(
    st.lists(DEEDS, max_size=8),
    st.lists(told(["words", "fails", "never"], 8, 0), max_size=6),
    st.lists(told([*MODEL, "stalls", "never"], 12, 12), max_size=6),
    st.lists(told([*VOICE, "stalls", "never", "empty"], 12, 12), max_size=8),
    st.booleans(),
)
def test_parts_that_hang_or_fail_as_they_like_end_nothing_but_their_own_answer(
    deeds: list[Deed], recogniser: list[Told], models: list[Told], voices: list[Told], prepared: bool
) -> None:
    call = Rough(described(), recogniser, models, voices, prepared=prepared)
    call.silence(1)
    perform(call, deeds)
    settle(call)
    if not call.ended:
        assert_recovers(call)
        assert_true_history(call)
    else:
        assert isinstance(call.ended, SpeechError)
        assert not prepared
    assert_sound(call)
