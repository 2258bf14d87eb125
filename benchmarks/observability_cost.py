"""What it costs to see everything: traces, logs at their most talkative, redaction and guards, against none of it.

    python -m benchmarks.observability_cost [--turns 30]

Two servers on one machine, and one caller of each kind for both: a turn with the one, a turn with the other, and so on,
so that whatever else the machine does meets both alike. The traces go to a receiver of their own. "typed": ms from a
message to the answer's text; "spoken": from the end of the words to its first sound. Fails if the medians are more than
5 ms apart.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import numpy as np
import yaml

from tests.acceptance.server import running_server
from tests.fakes.otlp_receiver import OtlpReceiver
from tests.soak.call import Call
from tests.soak.callers import PHRASES

BAR_MS = 5.0
WARM_UP = 4
TURNS_A_CALL = 12
SHIPPED = Path(__file__).parents[1] / "configs" / "agents" / "default.yaml"
EVERYTHING = {
    "guardrails": {"prompt_injection": {"is_enabled": True}},
    "privacy": {"conversation_history_redaction": {"enabled": True}},
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what metrics, traces, logs, redaction and guards cost.")
    parser.add_argument("--turns", type=int, default=30, help="of each kind, with each server")
    turns = parser.parse_args().turns
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hello-")))
        receiver = stack.enter_context(OtlpReceiver())
        on = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "LOG_LEVEL": "trace"}
        urls = {}
        for name, settings, environment in (("off", {}, {"LOG_LEVEL": "error"}), ("on", EVERYTHING, on)):
            agents = _agents(folder / name / "agents", settings)
            server = running_server(agents.parent, AGENTS_DIR=str(agents), **environment)
            urls[name] = stack.enter_context(server).ws_url
        return asyncio.run(compare(urls, turns))


def _agents(folder: Path, platform_settings: Mapping[str, object]) -> Path:
    folder.mkdir(parents=True)
    agent = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    agent["conversation_config"]["turn"] = {"turn_timeout": 30}  # the agent must not ask, while the other one talks
    agent["platform_settings"] = {**(agent.get("platform_settings") or {}), **platform_settings}
    (folder / SHIPPED.name).write_text(yaml.safe_dump(agent, allow_unicode=True), encoding="utf-8")
    return folder


async def compare(urls: Mapping[str, str], turns: int) -> int:
    is_met = True
    print(f"{'':8} {'off p50':>8} {'p95':>6} {'on p50':>8} {'p95':>6} {'difference of the medians':>26}", flush=True)
    for kind in ("typed", "spoken"):
        waits = await alternating(urls, turns, typed=kind == "typed")
        (off, off_late), (on, on_late) = (np.percentile(waits[name], (50, 95)) for name in ("off", "on"))
        print(f"{kind:8} {off:8.1f} {off_late:6.1f} {on:8.1f} {on_late:6.1f} {on - off:23.1f} ms", flush=True)
        is_met = is_met and on - off <= BAR_MS
    print("met" if is_met else f"NOT MET: more than {BAR_MS:g} ms")
    return 0 if is_met else 1


async def alternating(urls: Mapping[str, str], turns: int, *, typed: bool) -> dict[str, list[float]]:
    """ms, by server. The first WARM_UP turns of each do not count."""
    waits: dict[str, list[float]] = {name: [] for name in urls}
    asked = 0
    while asked < turns + WARM_UP:
        async with AsyncExitStack() as stack:
            calls = {name: await stack.enter_async_context(Call(url, typed=typed)) for name, url in urls.items()}
            for _ in range(min(TURNS_A_CALL, turns + WARM_UP - asked)):
                words = PHRASES[asked % len(PHRASES)]
                order = list(calls) if asked % 2 else list(reversed(calls))
                for name in order:
                    waits[name].append(1000 * await calls[name].turn(words))
                asked += 1
    return {name: each[WARM_UP:] for name, each in waits.items()}


if __name__ == "__main__":
    sys.exit(main())
