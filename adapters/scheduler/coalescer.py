"""Natural batching: calls that arrive while one is in flight are folded into the next. Nothing waits when nothing is in flight."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Request = TypeVar("Request")
Result = TypeVar("Result")


class Coalescer(Generic[Request, Result]):
    """Under load, many requests share one trip to a store; alone, each goes at once."""

    def __init__(self, work: Callable[[Sequence[Request]], Awaitable[Sequence[Result | Exception]]], most: int) -> None:
        """`work` returns a result, or an error of its own, for each of at most `most` requests, in their order."""
        self._work = work
        self._most = most
        self._waiting: list[tuple[Request, asyncio.Future[Result]]] = []
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, request: Request) -> Result:
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._run_batch(batch)
        finally:
            self._running = None
            for _, future in self._waiting:  # only when this task was cancelled: the process is going down
                future.cancel()
            self._waiting = []

    async def _run_batch(self, batch: Sequence[tuple[Request, "asyncio.Future[Result]"]]) -> None:
        results: Sequence[Result | Exception]
        try:
            results = await self._work([request for request, _ in batch])
        except Exception as error:
            results = [error] * len(batch)
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller gave up
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
