"""Pieces of a recording: what their names say, and when each sounds once all are put together."""

import re
import sys
from collections.abc import Iterable
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

FOREVER = sys.maxsize


class Side(StrEnum):
    CALLER = "caller"
    AGENT = "agent"


class Segment(NamedTuple):
    """Audio of one side, 16 kHz mono, without a gap.

    epoch: how often the conversation had been taken over by another replica when this was recorded.
    begins: its first sample's position in what this epoch recorded. Positions count samples at 16 kHz.
    shift: by how much that is more than the position on the caller's time line, which stands still while the caller's
    microphone is off.
    """

    epoch: int
    begins: int
    shift: int
    side: Side

    @property
    def name(self) -> str:
        return f"{self.epoch:04d}-{self.begins:012d}-{self.shift:012d}-{self.side}"

    @property
    def at(self) -> int:
        """On the caller's time line."""
        return self.begins - self.shift

    @staticmethod
    def parse(name: str) -> "Segment | None":
        if not (match := _NAME.fullmatch(name)):
            return None
        epoch, begins, shift, side = match.groups()
        return Segment(int(epoch), int(begins), int(shift), Side(side))


_NAME = re.compile(rf"(\d{{4,}})-(\d{{12,}})-(\d{{12,}})-({'|'.join(Side)})")


class Placed(NamedTuple):
    """A segment sounds from position `begins` of the whole recording on: to its own end, but not beyond `until`."""

    segment: Segment
    begins: int
    until: int = FOREVER


def arrange(segments: Iterable[Segment]) -> dict[Side, list[Placed]]:
    """Each side's segments, in order, none over the next one.

    A new epoch goes on where the caller's audio had come to when the one before was last heard of; what that one still
    recorded from there on was heard by nobody, or has been sent again.
    """
    placed: list[Placed] = []
    for _, part in groupby(sorted(segments), key=lambda segment: segment.epoch):
        recorded = list(part)
        shift = placed[-1].begins - placed[-1].segment.at if placed else 0
        resumes = min(segment.at for segment in recorded) + shift
        placed = [each._replace(until=min(each.until, resumes)) for each in placed if each.begins < resumes]
        placed += [Placed(segment, segment.begins + shift) for segment in recorded]
    return {side: _in_a_row([each for each in placed if each.segment.side == side]) for side in Side}


def _in_a_row(placed: list[Placed]) -> list[Placed]:
    nexts = [*(each.begins for each in placed[1:]), FOREVER]
    return [each._replace(until=min(each.until, following)) for each, following in zip(placed, nexts, strict=False)]
