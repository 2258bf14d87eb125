"""How an agent takes turns: what its file says of it, for turn-taking."""

from typing import Literal

import msgspec

Eagerness = Literal["patient", "normal", "eager"]
Strategy = Literal["overlap_aware", "yield_immediately", "hold_floor", "disabled"]
"""When the caller speaks over the agent: duck, judge, then stop or go on; stop at once; finish the clause first; or
go on in any case."""


class Manners(msgspec.Struct, frozen=True):
    """`spelling`: callers get time to dictate. `keeps_overlap`: what is said over an agent that may not be interrupted
    is a turn after it. `backchannels`: the agent murmurs while callers speak long."""

    eagerness: Eagerness = "normal"
    spelling: bool = True
    overlap: Strategy = "overlap_aware"
    keeps_overlap: bool = False
    backchannels: bool = True
