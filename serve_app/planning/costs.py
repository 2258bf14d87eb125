"""What a moment costs: machines by the hour, providers by what they did."""

from typing import NamedTuple

from serve_app.planning.simulation import Moment
from serve_app.planning.traffic import Traffic


class Costs(NamedTuple):
    """In the traffic's currency."""

    nodes: float = 0.0
    recognitions: float = 0.0
    answers: float = 0.0
    voices: float = 0.0

    @property
    def total(self) -> float:
        return sum(self)

    def plus(self, other: "Costs") -> "Costs":
        return Costs(*(mine + its for mine, its in zip(self, other, strict=True)))


def costs_of(moment: Moment, traffic: Traffic, seconds: float) -> Costs:
    """Of the `seconds` before it."""
    prices, asked = traffic.prices, moment.asked
    billed_hours = max(traffic.speech.utterance_s, prices.billed_s) / 3600
    return Costs(
        nodes=moment.an_hour * seconds / 3600,
        recognitions=asked.groq_recognitions * seconds * billed_hours * prices.recognised_hour,
        answers=asked.groq_answers * seconds / 1000 * prices.thousand_answers,
        voices=asked.characters / 1000 * prices.thousand_characters,
    )
