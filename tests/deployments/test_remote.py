import asyncio
import pickle
import threading
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


class Misfortune:
    """A deployment that fails as it is told to."""

    async def answer(self, value: int) -> int:
        return value

    async def fail(self, error: BaseException) -> None:
        raise error

    async def fail_remotely(self, cause: Exception) -> None:
        """As Ray delivers what another process raised."""
        raise RayTaskError("fail", "Traceback ...", cause).as_instanceof_cause()

    async def wait(self) -> None:
        """Never return; `started` and `ended` tell that it has begun and that it has been cancelled."""
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()


@pytest.fixture(scope="module")
def handle() -> DeploymentHandle[Any]:
    return serve.run(serve.deployment(Misfortune).bind(), _local_testing_mode=True)


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


@pytest.mark.parametrize("kind", OUR_ERRORS)
def test_our_errors_are_taken_out_of_rays_wrapping(handle: DeploymentHandle[Any], kind: type[HelloError]) -> None:
    with pytest.raises(kind, match=r"^what went wrong$") as caught:
        asyncio.run(ask(handle.fail_remotely, kind("what went wrong"), failure=TranscriptionError))
    assert type(caught.value) is kind


def test_what_the_replica_lets_slip_becomes_the_failure_without_its_text(handle: DeploymentHandle[Any]) -> None:
    with pytest.raises(TranscriptionError, match=r"^the replica failed: KeyError$"):
        asyncio.run(ask(handle.fail_remotely, KeyError("my card number"), failure=TranscriptionError))


@pytest.mark.parametrize("error", [ActorDiedError(), BackPressureError(3, 2), KeyError("my card number")])
def test_whatever_else_arrives_becomes_the_failure_without_its_text(
    handle: DeploymentHandle[Any], error: Exception
) -> None:
    with pytest.raises(ProviderError, match=f"^the call failed: {type(error).__name__}$"):
        asyncio.run(ask(handle.fail, error, failure=ProviderError))


def test_a_call_that_ends_as_cancelled_by_nobody_is_a_failure(handle: DeploymentHandle[Any]) -> None:
    with pytest.raises(TranscriptionError, match="gave the call up"):
        asyncio.run(ask(handle.fail, asyncio.CancelledError(), failure=TranscriptionError))


def test_cancelling_the_caller_cancels_the_call(handle: DeploymentHandle[Any]) -> None:
    async def cancel_when_started() -> None:
        call = asyncio.create_task(ask(handle.wait, failure=TranscriptionError))
        assert await asyncio.to_thread(started.wait, 10)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        assert await asyncio.to_thread(ended.wait, 10)

    asyncio.run(cancel_when_started())
