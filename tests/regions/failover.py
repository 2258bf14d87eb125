"""`python -m tests.regions.failover`: two servers as two regions, of which the nearer is lost in the middle of calls.

With a store that both share, and with one each; killed, and frozen, which to a client is a network that is gone.
"""

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.acceptance.server import REPOSITORY, Server, launcher, running_server, wait_until_ready
from tests.chaos.accounting import percentile
from tests.chaos.parts import send
from tests.chaos.postgres import Postgres
from tests.chaos.processors import Processors
from tests.regions.failover_caller import INTO_THE_QUESTION_S, FailoverCaller
from tests.regions.findings import Bar
from tests.regions.page import HEADING, bars, with_section

PAGE = REPOSITORY / "docs" / "global.md"
CALLERS = 4
BACK_WITHIN_S = {True: 10.0, False: 19.0}
"""By whether the store is shared: 6 s until a frozen server is noticed, 2 or 10 s until it is given up, and 2 s for an
attempt that was under way. The second: and 1 s to open another conversation."""


class Loss(NamedTuple):
    """`mid_question`: it falls into the question that otherwise is asked when it has been noticed."""

    name: str
    how: signal.Signals
    shared: bool
    mid_question: bool = False


LOSSES = [
    Loss(f"{name}, {'one store' if shared else 'a store each'}", how, shared)
    for shared in (True, False)
    for name, how in (("killed", signal.SIGKILL), ("frozen", signal.SIGSTOP))
]
LOSSES.append(Loss("killed in mid-question, a store each", signal.SIGKILL, shared=False, mid_question=True))


class Outcome(NamedTuple):
    """`at`: of the loss, on the callers' clock."""

    loss: Loss
    at: float
    callers: Sequence[FailoverCaller]

    def seconds(self, name: str) -> list[float]:
        """From the loss, of those to whom it happened."""
        moments = [getattr(caller, name) for caller in self.callers]
        return [moment - self.at for moment in moments if moment is not None]

    @property
    def is_as_promised(self) -> bool:
        backs = self.seconds("back")
        return (
            len(backs) == len(self.seconds("sound")) == len(self.seconds("answered")) == len(self.callers)
            and max(backs) <= BACK_WITHIN_S[self.loss.shared]
            and {caller.anew for caller in self.callers} == {not self.loss.shared}
            and not any(caller.lost_s for caller in self.callers)
        )


def main() -> int:
    processors = Processors()
    outcomes = [suffer(loss) for loss in LOSSES]
    measured = section(outcomes, processors.busy)
    print(measured)
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
    return 0 if all(outcome.is_as_promised for outcome in outcomes) else 1


def suffer(loss: Loss) -> Outcome:
    with regions(shared=loss.shared) as (near, far):
        return asyncio.run(lose(near, far, loss))


@contextmanager
def regions(*, shared: bool) -> Iterator[tuple[Server, Server]]:
    """The first is to be lost, and is not stopped as it should be."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="hello-")))
        settings = {}
        if shared:
            postgres = Postgres(folder / "postgres")
            closing.callback(postgres.stop)
            settings["DATABASE_URL"] = postgres.url
        for name in ("near", "far"):
            (folder / name).mkdir()
        closing.callback(lambda: shutil.rmtree((folder / "near" / "run").resolve()))
        near = closing.enter_context(launcher(folder / "near", REGION="near", **settings))
        wait_until_ready(near)
        far = closing.enter_context(running_server(folder / "far", REGION="far", **settings))
        yield near, far


async def lose(near: Server, far: Server, loss: Loss) -> Outcome:
    callers, go_on = [FailoverCaller(number) for number in range(CALLERS)], asyncio.Event()
    together = asyncio.Barrier(CALLERS + 1)
    async with asyncio.TaskGroup() as calls:
        for caller in callers:
            calls.create_task(caller.hold([near.url, far.url], together, go_on, mid_question=loss.mid_question))
        for _ in ("all have been greeted", "all are being answered"):
            await together.wait()
        if loss.mid_question:
            await asyncio.sleep(INTO_THE_QUESTION_S)
        send(loss.how, near.pids())
        at = asyncio.get_running_loop().time()
        go_on.set()
    print(f"{loss.name}: {[caller.over for caller in callers if caller.over] or 'all calls go on'}", flush=True)
    return Outcome(loss, at, callers)


def section(outcomes: Sequence[Outcome], busy: float) -> str:
    rows = [
        f"| {outcome.loss.name} | {_what(outcome)} | {_figures(outcome, 'noticed')} | {_figures(outcome, 'back')} "
        f"| {_figures(outcome, 'sound')} | {len(outcome.seconds('answered'))} of {len(outcome.callers)} |"
        for outcome in outcomes
    ]
    told = bars(Bar(outcome.loss.name, outcome.is_as_promised) for outcome in outcomes)
    return "\n".join([INTRODUCTION, *rows, "", PROMISE, "", told, "", NOISE.format(busy=busy), ""])


def _what(outcome: Outcome) -> str:
    anew = sum(caller.anew for caller in outcome.callers)
    return f"{len(outcome.seconds('back')) - anew} went on, {anew} began anew"


def _figures(outcome: Outcome, name: str) -> str:
    seconds = outcome.seconds(name)
    return f"{percentile(seconds, 0.5):.1f}, {max(seconds):.1f}" if seconds else "never"


INTRODUCTION = f"""\
{HEADING}

`make failover` makes this part: two whole servers on one machine of two cores as two regions, and {CALLERS} spoken \
calls through `serve_app.client` with both addresses. While the agent answers, every process of the nearer one is \
killed (connections break, and are refused) or frozen (nothing answers any more, as when a network is gone). Seconds \
from then on, median and longest: until the client knows, until it has a line again, until the agent is heard. *Said \
in the gap*: a question of each caller, 0.3 s after the loss was noticed, before there was a line, and whether it was \
answered; *in mid-question* it begins {INTO_THE_QUESTION_S} s before the loss. There is no distance between these \
regions: add the round trips of a new connection.

| the nearer region | calls | noticed | back | heard | said in the gap |
|---|---|---|---|---|---|"""
PROMISE = (
    f"The bars: all go on within {BACK_WITHIN_S[True]:.0f} s with one store, or begin anew within "
    f"{BACK_WITHIN_S[False]:.0f} s with a store each; all that was said in the gap is heard and answered."
)
NOISE = "Meanwhile the machine's processors were busy for {busy:.0%} of the time, by this and by whatever else ran."

if __name__ == "__main__":
    sys.exit(main())
