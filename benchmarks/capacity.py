"""How many conversations this machine holds: typed ones, and spoken ones.

    python -m benchmarks.capacity [--of typed spoken]

More and more callers on the same machine, until the 95th percentile of the answers' times is twice what it was for one
caller (and at least 100 ms), or something goes wrong. The real server, without limits on numbers, with its own engines:
no provider is asked. Who types sends a message 2 to 4 s after each answer, who speaks begins 1 to 3 s after the agent
has finished, and sends sound all the time. "p50" and "p95": ms from the end of the caller's words to the answer, its
text or its first sound. "server" and "callers": processors they keep busy.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.acceptance.server import Server, running_server
from tests.soak.capacity import ramp
from tests.soak.roomy import roomy_config


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how many conversations this machine holds.")
    parser.add_argument("--of", nargs="+", choices=["typed", "spoken"], default=["typed", "spoken"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hello-") as folder:
        for kind in arguments.of:
            with running_server(Path(folder), config=roomy_config(Path(folder))) as server:
                asyncio.run(tell(server, kind))


async def tell(server: Server, kind: str) -> None:
    print(f"{kind:8} {'answers':>8} {'p50':>6} {'p95':>6} {'server':>7} {'callers':>7}", flush=True)
    async for step in ramp(server, typed=kind == "typed"):
        met = "".join(f"  {times} x {what}" for what, times in step.met.items())
        print(
            f"{step.callers:8} {step.answers:8} {1000 * step.p50_s:6.0f} {1000 * step.p95_s:6.0f}"
            f" {step.busy[0]:7.2f} {step.busy[1]:7.2f}{met}",
            flush=True,
        )


if __name__ == "__main__":
    main()
