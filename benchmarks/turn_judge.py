"""How long the judge takes when 1, 4 and 20 callers pause at the same moment: the Vad deployment under Ray Serve.

    python -m benchmarks.turn_judge [--rounds 60] [--seconds 5]

In each round all of them ask at once, and in the last row one who speaks over the agent asks too, while the pauses are
being judged. In ms, from the call to the answer, Serve's way there and back included: "answered" and "refused" are
shares, each with the times they took; "in time" is the share answered within the 150 ms that a session waits.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Sequence

import numpy as np
import ray
from ray import serve

from deployments.lane import LATEST_S
from deployments.turn_engines import choose_engine
from deployments.vad import RemoteJudge, Vad
from serve_app.errors import ProviderError
from serve_app.ports import Question
from tests.espeak import RATE, render

REST_S = 0.4
"""Between rounds: everything that waited is over."""
OVERLAP_AFTER_S = 0.010
WARM_UP = 10

Times = list[float]  # ms


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the judge of turns.")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=5.0, help="of speech in a window")
    arguments = parser.parse_args()
    # Ray runs its workers at niceness 15: anything else on the machine would be measured instead.
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    try:
        serve.start(proxy_location="Disabled")
        vad = Vad.options(max_ongoing_requests=32, ray_actor_options={"num_cpus": 0.2})  # type: ignore[attr-defined]
        handle = serve.run(vad.bind(choose_engine), route_prefix=None)
        asyncio.run(measure(RemoteJudge(handle), arguments.rounds, arguments.seconds))
    finally:
        ray.shutdown()


async def measure(judge: RemoteJudge, rounds: int, seconds: float) -> None:
    said = np.concatenate([render("quero falar com um atendente", "pt")] * 4)[: round(seconds * RATE)]
    window = np.concatenate([said, np.zeros(RATE * 150 // 1000, np.int16)]).tobytes()
    for _ in range(WARM_UP):
        await timed(judge, Question(window))
    print(f"{'callers':12} {'answered':>8} {'p50':>5} {'p95':>5} {'in time':>8} {'refused':>8} {'p50':>5} {'p95':>5}")
    for callers in (1, 4, 20):
        tell(str(callers), [outcome for _ in range(rounds) for outcome in await at_once(judge, window, callers)])
    overlaps = []
    for _ in range(rounds):
        crowd = asyncio.create_task(at_once(judge, window, 20))
        await asyncio.sleep(OVERLAP_AFTER_S)
        overlaps.append(await timed(judge, Question(window, overlap=True)))
        await crowd
    tell("overlap of 20", overlaps)


async def at_once(judge: RemoteJudge, window: bytes, callers: int) -> list[tuple[bool, float]]:
    outcomes = await asyncio.gather(*(timed(judge, Question(window)) for _ in range(callers)))
    await asyncio.sleep(REST_S)
    return outcomes


async def timed(judge: RemoteJudge, question: Question) -> tuple[bool, float]:
    """Whether it was answered, and after how many ms."""
    asked = time.perf_counter()
    try:
        await judge.judge(question)
    except ProviderError:
        return False, 1000 * (time.perf_counter() - asked)
    return True, 1000 * (time.perf_counter() - asked)


def tell(name: str, outcomes: Sequence[tuple[bool, float]]) -> None:
    answered = [ms for is_answered, ms in outcomes if is_answered]
    refused = [ms for is_answered, ms in outcomes if not is_answered]
    in_time = sum(ms <= 1000 * LATEST_S for ms in answered) / len(outcomes)
    print(
        f"{name:12} {in_short(answered, len(outcomes))} {in_time:8.0%} {in_short(refused, len(outcomes))}", flush=True
    )


def in_short(times: Times, of: int) -> str:
    p50, p95 = np.percentile(times, (50, 95)) if times else (float("nan"), float("nan"))
    return f"{len(times) / of:8.0%} {p50:5.0f} {p95:5.0f}"


if __name__ == "__main__":
    main()
