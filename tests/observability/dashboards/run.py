"""Three minutes of calls on two gateways, and what a real Prometheus says of them: `make dashboards`.

Its sums are compared with the store's counts, every query of every dashboard is asked, and the panels are drawn.
"""

import asyncio
import json
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.acceptance.server import REPOSITORY, Server
from tests.fakes.groq_server import FakeGroq, Fault
from tests.observability.dashboards.boards import boards
from tests.observability.dashboards.callers import all_kinds
from tests.observability.dashboards.ledger import counts
from tests.observability.dashboards.picture import Answered, height, lines, page, photograph
from tests.observability.dashboards.site import Site, running_site

RUN_S = 180.0
TROUBLE_FROM_S, TROUBLE_S = 100.0, 12.0
"""When the language models are all away."""
OVER_WITHIN_S = 150.0
SETTLES_WITHIN_S = 60.0
"""Ray passes on every 10 s what it was told, Prometheus asks every 10 s."""
STEP_S = 5.0
PICTURE = REPOSITORY / "docs" / "dashboards.png"


def main() -> int:
    with running_site() as running:
        begin = time.time()
        asyncio.run(calls(running))
        end = time.time()
        until_over(running.server)
        wrong = [*compare(running), *show(running, begin, end)]
    print("\n".join(f"NOT MET: {each}" for each in wrong) or "all bars are met")
    return 1 if wrong else 0


async def calls(running: Site) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(trouble(running.models))
        await all_kinds(running.server.ws_url, RUN_S)


async def trouble(models: FakeGroq) -> None:
    await asyncio.sleep(TROUBLE_FROM_S)
    models.fault = Fault.SERVER_ERROR
    await asyncio.sleep(TROUBLE_S)
    models.fault = None


def until_over(server: Server) -> None:
    deadline = time.monotonic() + OVER_WITHIN_S
    while open_on_node(server):
        assert time.monotonic() < deadline, "conversations are still open"
        time.sleep(1)


def open_on_node(server: Server) -> int:
    with urllib.request.urlopen(f"{server.url}/readyz") as response:
        return int(json.load(response)["conversations_on_node"])


def compare(running: Site) -> list[str]:
    """What differs when everything has been told. Prints both sides, metric by metric."""
    deadline = time.monotonic() + SETTLES_WITHIN_S
    while differ := differences(running):
        if time.monotonic() > deadline:
            break
        time.sleep(2)
    return differ


def differences(running: Site) -> list[str]:
    stored, wrong = asyncio.run(counts(running.database_url)), []
    for account, counted in stored.items():
        told = {labels: round(n) for labels, n in running.prometheus.sums(account.metric, account.labels).items() if n}
        if told != counted:
            wrong.append(f"{account.metric}: the store has {counted}, Prometheus {told}")
    if not wrong:
        print("\n".join(f"{account.metric:60} {sum(counted.values()):6}" for account, counted in stored.items()))
    return wrong


def show(running: Site, begin: float, end: float) -> list[str]:
    """Draws all panels; queries that had no answer."""
    answered, silent = [], []
    for board in boards():
        panels = []
        for panel in board.panels:
            answers = [
                lines(query.legend, running.prometheus.series(query.expression, begin, end, STEP_S))
                for query in panel.queries
            ]
            silent += [
                f"{board.name}, {panel.title}: no data for {query.expression}"
                for query, answer in zip(panel.queries, answers, strict=True)
                if not answer
            ]
            panels.append([line for answer in answers for line in answer])
        answered.append(Answered(board, panels))
    asked = sum(len(panel.queries) for each in answered for panel in each.board.panels)
    print(f"{asked} queries, {len(silent)} without data")
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "dashboards.html"
        html.write_text(page(answered, begin, end), encoding="utf-8")
        photograph(html, PICTURE, height(answered))
    return silent
