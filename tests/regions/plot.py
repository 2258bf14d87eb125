"""Numbers over time as text, for a page and a terminal."""

from collections.abc import Sequence
from typing import NamedTuple

import plotext

WIDTH = 78
TICKS = 4
"""Between the axes' ends."""


class Curve(NamedTuple):
    """`marker`: one of plotext's ("hd": quarters of a character), or a character."""

    values: Sequence[float]
    marker: str = "hd"


def plot(title: str, times: Sequence[float], curves: Sequence[Curve], *, height: int) -> str:
    """Dots over `times`, in seconds. `height`: lines of all of it."""
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(WIDTH, height)
    figure.title(title)
    for curve in curves:
        figure.draw(figure.signal(list(times), list(curve.values), marker=curve.marker))
    highest = max(value for curve in curves for value in curve.values)
    figure.ruler("x").lim(0, max(times))
    figure.ruler("x").ticks(_steps(max(times)))
    figure.ruler("y").lim(0, highest + highest / 2 / height)
    figure.ruler("y").ticks(_steps(highest))
    lines = plotext.uncolorize(str(figure.build())).splitlines()
    return "\n".join(line.rstrip() for line in lines)


def _steps(highest: float) -> list[int]:
    """Round numbers from 0 up."""
    size = max(1, round(highest / TICKS))
    size = round(size, 1 - len(str(size))) if size > 9 else size
    return list(range(0, int(highest) + 1, size))
