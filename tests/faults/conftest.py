from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.faults.matrix import Outcome, play


@pytest.fixture(scope="package", autouse=True)
def matrix(request: pytest.FixtureRequest) -> Iterator[Future[list[Outcome]] | None]:
    """Played in a process of its own, meanwhile: it is in real time, and so are the other tests of this package."""
    if not any(map(_waits_for_it, request.session.items)):
        yield None
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        yield process.submit(play)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who waits for the matrix comes last."""
    items.sort(key=_waits_for_it)


def _waits_for_it(item: pytest.Item) -> bool:
    return "found" in getattr(item, "fixturenames", ())
