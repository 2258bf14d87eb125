"""What the open calls ask of engines and providers, and what of it they do not get."""

from collections.abc import Mapping
from typing import NamedTuple

from deployments.lane import LATEST_S
from deployments.voices.elevenlabs import FIRST_AUDIO_S
from serve_app.conversation.turn_taking import RECOGNITION_BUDGET_S
from serve_app.planning.engine import Engine
from serve_app.planning.region import TTS, VAD, WHISPER
from serve_app.planning.traffic import Traffic, minute_of


class Asked(NamedTuple):
    """Of one step. `work`: pieces in hand, by deployment. `groq_…`: requests a second that Groq took; `unanswered`:
    answers a second that it did not give, being away or at its limit. `unjudged`, `unheard`, `unspoken`: requests that
    were given up for coming too late: pauses that rules judged, turns in which the agent asks again, clauses that the
    stand-in voice spoke. `generations`: of ElevenLabs', in flight, and what the last clause waits for one.
    `characters`: that it spoke."""

    work: Mapping[str, float]
    groq_recognitions: float
    groq_answers: float
    unanswered: float
    local_recognitions: float
    unjudged: float
    unheard: float
    unspoken: float
    generations: float
    voice_wait_s: float
    characters: float


class SpeechLoad:
    """Of all calls together: who says what when is averaged out."""

    def __init__(self, traffic: Traffic, generations: int) -> None:
        """`generations`: of ElevenLabs', at once, that a TtsProxy asks for."""
        self._traffic = traffic
        self._generations = generations
        self._judge = Engine(traffic.engines.judgement_s, LATEST_S)
        self._whisper = Engine(traffic.engines.recognition_s, RECOGNITION_BUDGET_S)
        self._voice = Engine(traffic.speech.clause_s, FIRST_AUDIO_S)

    def groq_is_away(self, now: float) -> bool:
        """`now`: seconds since midnight."""
        outages = self._traffic.providers.groq_outages
        return any(0 <= now / 60 - minute_of(outage.at) < outage.minutes for outage in outages)

    def step(self, calls: int, spoken: int, running: Mapping[str, int], now: float, seconds: float) -> Asked:
        """Of `calls` that are open, `spoken` ones among them, for the `seconds` before `now`."""
        speech, engines, limits = self._traffic.speech, self._traffic.engines, self._traffic.providers
        share = 0.0 if self.groq_is_away(now) else 1.0
        answers, turns = calls * speech.turns_a_minute / 60, spoken * speech.turns_a_minute / 60
        asked = turns * speech.recognitions
        heard = min(asked, share * limits.groq_recognitions_a_minute / 60)
        # What Groq does not take is recognised here, once a turn: nothing is recognised early, then.
        local = turns * (1 - heard / asked) if asked else 0.0
        judged = self._judge.step(turns * speech.judgements, running.get(VAD, 0) * engines.judged_at_once, seconds)
        whisper = self._whisper.step(local, running.get(WHISPER, 0) * engines.recognised_at_once, seconds)
        voices = min(running.get(TTS, 0) * self._generations, limits.elevenlabs_at_once)
        spoke = self._voice.step(turns * speech.clauses, voices, seconds)
        answered = min(answers, share * limits.groq_answers_a_minute / 60)
        return Asked(
            work={VAD: judged.in_hand, WHISPER: whisper.in_hand, TTS: spoke.in_hand},
            groq_recognitions=heard,
            groq_answers=answered,
            unanswered=answers - answered if limits.groq_answers_a_minute else 0.0,
            local_recognitions=local,
            unjudged=judged.given_up,
            unheard=whisper.given_up,
            unspoken=spoke.given_up,
            generations=spoke.busy,
            voice_wait_s=spoke.wait_s,
            characters=max(0.0, turns * speech.clauses * seconds - spoke.given_up) * speech.characters,
        )
