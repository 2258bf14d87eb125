"""The judge of turns is killed while people talk: they are answered all the same, by the rules of each session."""

import asyncio
import os
import signal
from functools import partial

from tests.acceptance.crowd import crowd
from tests.acceptance.server import Server
from tests.acceptance.test_vanishing_parts import pid_of

JUDGE = "ServeReplica:hello:Vad"
CALLERS = 4
LATE_S = 0.150
"""At the most, against the caller's usual wait."""


def test_no_turn_is_lost_or_late_without_the_judge(server: Server) -> None:
    judge = pid_of(server, JUDGE)
    kill = partial(os.kill, judge, signal.SIGKILL)
    calls = asyncio.run(crowd(server.ws_url, CALLERS, before=2, after=2, every_s=4.0, happens=kill))
    assert [turn for call in calls for turn in call.before + call.after if turn.lost] == []
    assert all(any(turn.judged for turn in call.before) for call in calls)
    assert not all(call.after[0].judged for call in calls), "it was not missed"
    assert max(delay for call in calls for delay in call.delays) <= LATE_S, calls
    assert pid_of(server, JUDGE) != judge, "it is back"
