"""Calls to another deployment as the ports see them: an answer, an error of ours, or the caller's own cancellation."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from ray.exceptions import RayTaskError
from ray.serve.exceptions import RequestCancelledError
from ray.serve.handle import DeploymentHandle, DeploymentResponse

from serve_app.errors import HelloError, ProviderError


async def ask(method: DeploymentHandle[Any], *arguments: Any, failure: type[ProviderError], **named: Any) -> Any:
    """Call a deployment's unary `method` and wait. Cancelling the waiting task cancels the call."""
    response = cast(DeploymentResponse[Any], method.remote(*arguments, **named))
    with translated(failure):
        try:
            return await response
        except asyncio.CancelledError:
            response.cancel()  # type: ignore[no-untyped-call]
            raise


@contextmanager
def translated(failure: type[ProviderError], lost: type[ProviderError] | None = None) -> Iterator[None]:
    """Around the wait for a call: our own errors arrive as they were raised in the replica; every failure of Serve,
    of Ray, of the replica or of the code in it becomes `failure`, or `lost` where it may be the way there that failed.
    """
    lost = lost or failure
    try:
        yield
    except (asyncio.CancelledError, RequestCancelledError) as e:
        # Serve reports either for the other, and for a call that died with its replica: only the task itself knows.
        if not _is_cancelled(asyncio.current_task()):
            raise lost("the replica gave the call up") from e
        raise asyncio.CancelledError from e
    except RayTaskError as e:  # what the replica raised, wrapped: a call by reference
        if isinstance(e.cause, HelloError):
            raise e.cause from e
        raise failure(f"the replica failed: {type(e.cause).__name__}") from e
    except HelloError:  # the same over gRPC, as it was raised
        raise
    except Exception as e:  # and there, so is everything else; or Ray, Serve or gRPC failed
        raise lost(f"the call failed: {type(e).__name__}") from e


def _is_cancelled(task: "asyncio.Task[Any] | None") -> bool:
    return task is not None and task.cancelling() > 0
