import asyncio
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from ray import serve
from ray.exceptions import ActorDiedError, RayTaskError
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle

from deployments.remote import ask
from serve_app import errors
from serve_app.errors import HelloError, ProviderError, TranscriptionError

OUR_ERRORS = [error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, HelloError)]

started, ended = threading.Event(), threading.Event()


@serve.deployment
class Misfortune:
    """Fails as it is told to, in this process."""

    async def answer(self, value: int) -> int:
        return value

    async def fail(self, error: BaseException) -> None:
        raise error

    async def wait(self) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()


@pytest.fixture(scope="module")
def handle() -> Iterator[DeploymentHandle[Any]]:
    yield serve.run(Misfortune.bind(), _local_testing_mode=True)


def wrapped(cause: Exception) -> BaseException:
    """What Ray makes of an exception raised in a replica."""
    error: BaseException = RayTaskError("answer", "Traceback ...", cause).as_instanceof_cause()
    return error


async def fail(handle: DeploymentHandle[Any], error: BaseException) -> None:
    await ask(handle.fail, error, failure=TranscriptionError)


def test_an_answer_comes_back(handle: DeploymentHandle[Any]) -> None:
    assert asyncio.run(ask(handle.answer, 7, failure=TranscriptionError)) == 7


@pytest.mark.parametrize("kind", OUR_ERRORS)
def test_our_errors_survive_pickling(kind: type[HelloError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what went wrong")))
    assert type(error) is kind
    assert error.message == "what went wrong"


@pytest.mark.parametrize("kind", OUR_ERRORS)
def test_our_errors_arrive_as_they_were_raised(handle: DeploymentHandle[Any], kind: type[HelloError]) -> None:
    with pytest.raises(kind, match=r"^what went wrong$") as caught:
        asyncio.run(ask(handle.fail, kind("what went wrong"), failure=TranscriptionError))
    assert type(caught.value) is kind


def test_our_errors_are_taken_out_of_rays_wrapping() -> None:
    async def raise_wrapped() -> None:
        await ask(Failing(wrapped(ProviderError("what went wrong"))), failure=TranscriptionError)  # type: ignore[arg-type]

    with pytest.raises(ProviderError, match=r"^what went wrong$") as caught:
        asyncio.run(raise_wrapped())
    assert type(caught.value) is ProviderError
