"""What callers notice when the judge of turns is killed while they talk: the whole server, and 20 conversations.

    python -m benchmarks.judge_killed [--callers 20] [--turns 4] [--every 4]

Each caller takes so many turns with the judge and then, its replica killed, so many without it, or with the one that
Serve starts in its place. "wait" is from the end of speech to the transcript, "later" is against what was usual for
that caller, the median of the turns with the judge; in ms. "frames" are how late the callers themselves were. Groq is a
fake on a loopback port that always hears the same: on two cores the local recogniser would be measured instead.
"""

import argparse
import asyncio
import logging
import os
import signal
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from tests.acceptance.crowd import Call, Turn, crowd
from tests.acceptance.server import Server, running_server
from tests.acceptance.test_vanishing_parts import pid_of
from tests.fakes.groq_server import FakeGroq

JUDGE = "ServeReplica:hello:Vad"
HEARD = "tudo bem"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure turns while the judge is killed.")
    parser.add_argument("--callers", type=int, default=20)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--every", type=float, default=4.0, help="seconds from one turn to the next")
    arguments = parser.parse_args()
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # a recognition that is given up is no news
    groq = FakeGroq(hear=lambda pcm: HEARD, answer=lambda messages: "Certo.")
    with tempfile.TemporaryDirectory(prefix="hello-") as folder, groq:
        settings = {"GROQ_API_KEY": "key-of-a-benchmark", "GROQ_BASE_URL": groq.url}
        with running_server(Path(folder), **settings) as server:
            tell(asyncio.run(measure(server, arguments.callers, arguments.turns, arguments.every)))


async def measure(server: Server, callers: int, turns: int, every_s: float) -> list[Call]:
    kill = partial(os.kill, pid_of(server, JUDGE), signal.SIGKILL)
    return await crowd(server.ws_url, callers, before=turns, after=turns, every_s=every_s, happens=kill)


def tell(calls: Sequence[Call]) -> None:
    columns = (
        f"{'turns':>6} {'judged':>6} {'lost':>4} {'wait p50':>8} {'p95':>5} {'later p50':>9} {'p95':>5} {'max':>5}"
    )
    print(f"{'':14} {columns}")
    tell_turns("with the judge", [(call, turn) for call in calls for turn in call.before])
    tell_turns("killed", [(call, turn) for call in calls for turn in call.after])
    late = 1000 * np.percentile([seconds for call in calls for seconds in call.late_s], (50, 99))
    print(f"frames: p50 {late[0]:.0f}, p99 {late[1]:.0f}")


def tell_turns(name: str, turns: Sequence[tuple[Call, Turn]]) -> None:
    heard = [(call, turn) for call, turn in turns if not turn.lost]
    waits = 1000 * np.percentile([turn.waits[0] for _, turn in heard], (50, 95))
    later = 1000 * np.percentile([turn.waits[0] - call.usual_wait for call, turn in heard], (50, 95, 100))
    judged = sum(turn.judged for _, turn in turns)
    print(
        f"{name:14} {len(turns):6} {judged:6} {len(turns) - len(heard):4} {waits[0]:8.0f} {waits[1]:5.0f}"
        f" {later[0]:9.0f} {later[1]:5.0f} {later[2]:5.0f}"
    )


if __name__ == "__main__":
    main()
