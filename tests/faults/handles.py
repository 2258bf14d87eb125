"""A DeploymentHandle without Ray, around an object of this process: what its clients use of one."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any


class Handle:
    """`stream`: the methods are generators."""

    def __init__(self, replica: object, *, stream: bool = False) -> None:
        self._replica = replica
        self._stream = stream

    def options(self, *, stream: bool) -> "Handle":
        return Handle(self._replica, stream=stream)

    def __getattr__(self, name: str) -> "_Method":
        return _Method(getattr(self._replica, name), _Stream if self._stream else asyncio.ensure_future)


class _Method:
    def __init__(self, method: Callable[..., Any], response: Callable[[Any], Any]) -> None:
        self._method = method
        self._response = response

    def remote(self, *arguments: Any, **named: Any) -> Any:
        return self._response(self._method(*arguments, **named))


class _Stream:
    """Runs ahead of who reads it, as a replica does, and stops when it is told to."""

    def __init__(self, generator: AsyncGenerator[Any, None]) -> None:
        self._ready: asyncio.Queue[Any] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(generator))
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())  # or asyncio complains

    def __aiter__(self) -> "_Stream":
        return self

    async def __anext__(self) -> Any:
        if (item := await self._ready.get()) is not None:
            return item
        await self._task  # for its error
        raise StopAsyncIteration

    def cancel(self) -> None:
        self._task.cancel()

    async def _run(self, generator: AsyncGenerator[Any, None]) -> None:
        try:
            async with aclosing(generator):
                async for item in generator:
                    self._ready.put_nowait(item)
        finally:
            self._ready.put_nowait(None)
