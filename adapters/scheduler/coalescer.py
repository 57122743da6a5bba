"""Natural batching: calls that arrive while one is in flight, or too soon after one began, are folded into the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Generic, TypeVar

Request = TypeVar("Request")
Result = TypeVar("Result")


class Coalescer(Generic[Request, Result]):
    """Under load, many requests share one trip to a store; alone, each goes at once."""

    def __init__(
        self, work: Callable[[Sequence[Request]], Awaitable[Sequence[Result | Exception]]], most: int, apart: float = 0.0
    ) -> None:
        """`work` returns a result, or an error of its own, for each of at most `most` requests, in their order. Two batches begin at least
        `apart` seconds apart."""
        self._work = work
        self._most = most
        self._apart = apart
        self._earliest = 0.0
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
                if (early := self._earliest - monotonic()) > 0:
                    await asyncio.sleep(early)
                self._earliest = monotonic() + self._apart
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
