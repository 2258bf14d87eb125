"""Panels drawn from what Prometheus answered, roughly as Grafana draws them: an HTML page, and a picture of it."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from html import escape
from itertools import accumulate, cycle
from math import isfinite, log10
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from tests.observability.dashboards.boards import Board, Panel

CHROMIUM = Path("/usr/bin/chromium")
COLUMN, ROW, GAP, TITLE = 46, 24, 8, 44  # in pixels; a column and a row are the units of the grid
COLOURS = ("#3274d9", "#e0752d", "#56a64b", "#a352cc", "#c4162a", "#00a3a3", "#8f6b32", "#707070")
STEPS = ("#ff9830", "#e02f44")
UNFILLED = re.compile(r"\{\{\w+\}\}")
SUFFIX = {"ms": " ms", "s": " s", "percent": " %", "bytes": " B"}
STYLE = """
body { margin: 0; width: 1120px; background: #f4f5f5; font: 12px sans-serif; color: #24292e }
h1 { font-size: 17px; margin: 14px 8px 4px } .board { position: relative }
.panel { position: absolute; background: #fff; border: 1px solid #dcdee0; border-radius: 3px; overflow: hidden }
.panel b { display: block; padding: 5px 8px 0; font-weight: 600 }
.stat { font-size: 30px; padding: 8px; color: #1f60c4 }
.legend { padding: 0 8px; white-space: nowrap; font-size: 10px } .legend i { font-style: normal; margin-right: 10px }
text { font: 9px sans-serif; fill: #6e7680 }
"""
PAGE = Template("<!doctype html><meta charset=utf-8><style>$style</style>$boards")


class Line(NamedTuple):
    """`points`: Unix seconds and a number, only those that are one."""

    legend: str
    points: Sequence[tuple[float, float]]


class Answered(NamedTuple):
    """A dashboard, and the lines of each of its panels."""

    board: Board
    panels: Sequence[Sequence[Line]]


def lines(legend: str, series: Sequence[Mapping[str, Any]]) -> list[Line]:
    """`series` as Prometheus' query_range answers; those without a number are left out."""
    drawn = []
    for each in series:
        named = legend
        for label, value in each["metric"].items():
            named = named.replace(f"{{{{{label}}}}}", value)
        points = [(float(at), float(value)) for at, value in each["values"]]
        named = UNFILLED.sub("", named).strip(" :,") or "none"
        drawn.append(Line(named, [(at, value) for at, value in points if isfinite(value)]))
    return [line for line in drawn if line.points]


def page(answered: Sequence[Answered], begin: float, end: float) -> str:
    """From `begin` to `end`, in Unix seconds."""
    boards = "".join(_board(each, begin, end) for each in answered)
    return PAGE.substitute(style=STYLE, boards=boards)


def photograph(html: Path, picture: Path, height: int) -> None:
    """As PNG."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size=1120,{height}"]
    command = [str(CHROMIUM), *flags, f"--screenshot={picture}", html.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def height(answered: Sequence[Answered]) -> int:
    """Of the page, in pixels."""
    return sum(_height(each.board) + TITLE for each in answered)


def _height(board: Board) -> int:
    return max(panel.place["y"] + panel.place["h"] for panel in board.panels) * ROW


def _board(answered: Answered, begin: float, end: float) -> str:
    board, panels = answered
    shown = "".join(_panel(panel, of, begin, end) for panel, of in zip(board.panels, panels, strict=True))
    return f'<h1>{escape(board.title)}</h1><div class="board" style="height:{_height(board)}px">{shown}</div>'


def _panel(panel: Panel, of: Sequence[Line], begin: float, end: float) -> str:
    x, y, w, h = (panel.place[side] for side in "xywh")
    width, tall = w * COLUMN - GAP, h * ROW - GAP
    style = f"left:{x * COLUMN + GAP}px;top:{y * ROW}px;width:{width}px;height:{tall}px"
    if panel.kind == "stat":
        inner = f'<div class="stat">{_told(of[0].points[-1][1], panel.unit) if of else "-"}</div>'
    else:
        inner = _chart(panel, of, width, tall - 42, begin, end) + _legend(of)
    return f'<div class="panel" style="{style}"><b>{escape(panel.title)}</b>{inner}</div>'


def _legend(of: Sequence[Line]) -> str:
    named = zip(of, cycle(COLOURS), strict=False)
    shown = (f'<i><span style="color:{colour}">&#9644;</span> {escape(line.legend)}</i>' for line, colour in named)
    return f'<div class="legend">{"".join(shown)}</div>'


def _chart(panel: Panel, of: Sequence[Line], width: int, tall: int, begin: float, end: float) -> str:
    heights = stacked(of) if panel.stacked else [dict(line.points) for line in of]
    top = rounded_up(max([*panel.steps, *(value for each in heights for value in each.values())], default=1.0))
    left, right, bottom = 52, width - 10, tall - 16

    def across(at: float) -> float:
        return left + (at - begin) / (end - begin) * (right - left)

    def up(value: float) -> float:
        return bottom - value / top * (bottom - 6)

    def level(value: float, stroke: str) -> str:
        return f'<line x1="{left}" x2="{right}" y1="{up(value):.1f}" y2="{up(value):.1f}" {stroke}/>'

    marks = [level(value, 'stroke="#e3e5e7"') + _text(left - 5, up(value) + 3, _told(value, panel.unit), "end")
             for value in (0.0, top / 2, top)]  # fmt: skip
    marks += [_text(across(begin + s), tall - 3, f"{s // 60}:00") for s in range(0, int(end - begin) + 1, 60)]
    marks += [level(v, f'stroke="{c}" stroke-dasharray="5 4"') for v, c in zip(panel.steps, STEPS, strict=False)]
    for each, colour in zip(heights, cycle(COLOURS), strict=False):
        points = " ".join(f"{across(at):.1f},{up(value):.1f}" for at, value in sorted(each.items()))
        marks.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return f'<svg width="{width}" height="{tall}">{"".join(marks)}</svg>'


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def stacked(of: Sequence[Line]) -> list[dict[float, float]]:
    """Each on top of those before it."""
    moments = sorted({at for line in of for at, _ in line.points})
    values = [dict(line.points) for line in of]
    sums = [list(accumulate(each.get(at, 0.0) for each in values)) for at in moments]
    return [{at: sums[n][k] for n, at in enumerate(moments)} for k in range(len(of))]


def rounded_up(value: float) -> float:
    """The next of 1, 2, 5, 10, ..."""
    if value <= 0:
        return 1.0
    power = 10.0 ** int(log10(value) // 1)
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999)


def _told(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    return f"{value:.3g}{SUFFIX.get(unit, '')}" if abs(value) < 1000 else f"{value:,.0f}{SUFFIX.get(unit, '')}"
