"""A plan as a plot in the terminal."""

from collections.abc import Sequence
from typing import NamedTuple

import plotext  # type: ignore[import-untyped]  # ships no types

WIDTH, HEIGHT = 110, 18


class Curve(NamedTuple):
    """`mark`: one character for its points, or a name of plotext's."""

    name: str
    mark: str
    values: Sequence[float]


def picture(title: str, hours: Sequence[float], curves: Sequence[Curve]) -> str:
    """All `curves` over `hours` of the day, in one frame; where two meet, the later one is seen."""
    figure = plotext.figure
    figure.clear()
    figure.plot_size(WIDTH, HEIGHT)
    marks = ", ".join(f"{curve.mark} {curve.name}" for curve in curves)
    figure.title(f"{title}: {marks}")
    for curve in curves:
        figure.draw(figure.signal(list(hours), list(curve.values), marker=curve.mark))
    drawn = str(figure.build().string(colorless=True))
    return "\n".join(line.rstrip() for line in drawn.rstrip().splitlines())
