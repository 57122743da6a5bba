"""Acts on many requests at once when they come faster than one act takes: group commit, for calls as for transactions."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from time import monotonic
from typing import Generic, TypeVar

from domain.shared.errors import DomainError

T = TypeVar("T")
R = TypeVar("R")

_LONGEST_REST_SECONDS = 0.05


def _one(value: object) -> int:
    return 1


class Coalescer(Generic[T, R]):
    """Gathers values by key while an act on that key is under way, then acts on all of them in the order they came.

    A lone value is acted on at once; only with `apart` or `rest` does anybody wait for company. A batch that fails for a fault of one of
    its values (any error that is no DomainError) is tried again value by value, so that no value suffers for its neighbours.
    """

    def __init__(
        self,
        act: Callable[[str, Sequence[T]], Awaitable[Sequence[R | Exception]]],
        most: int = 200,
        size: Callable[[T], int] = _one,
        apart: float = 0.0,
        rest: float = 0.0,
    ) -> None:
        """`act` returns a result, or an error of its own, for each value in the same order; or it raises and has done nothing.
        It gets values up to `most` in `size` together, and always at least one. Two acts begin at least `apart` seconds apart.
        Values that came during an act wait `rest` times as long as it took, 50 ms at most: under load the batches grow, and what an act costs
        for itself is shared by more."""
        self._act = act
        self._most = most
        self._size = size
        self._apart = apart
        self._rest = rest
        self._earliest = 0.0
        self._waiting: dict[str, deque[tuple[T, asyncio.Future[R]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, key: str, value: T) -> R:
        """Returns what the act made of the value. A caller that gives up takes nothing back: the act goes on."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if (queue := self._waiting.get(key)) is not None:
            queue.append((value, future))
        else:
            self._waiting[key] = deque([(value, future)])
            # A context of its own: what is done for many must not run under the trace or tenant of the first.
            task = asyncio.create_task(self._run(key), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _run(self, key: str) -> None:
        queue = self._waiting[key]
        try:
            while queue:
                if self._apart:
                    await self._pause()
                began = monotonic()
                await self._settle(key, self._next_batch(queue))
                if queue and self._rest:
                    await asyncio.sleep(min(self._rest * (monotonic() - began), _LONGEST_REST_SECONDS))
        finally:
            del self._waiting[key]
            _cancel(queue)  # not empty only when this task was cancelled: the process is going down

    async def _pause(self) -> None:
        if (early := self._earliest - monotonic()) > 0:
            await asyncio.sleep(early)
        self._earliest = monotonic() + self._apart

    def _next_batch(self, queue: deque[tuple[T, "asyncio.Future[R]"]]) -> list[tuple[T, "asyncio.Future[R]"]]:
        batch = [queue.popleft()]
        size = self._size(batch[0][0])
        while queue and (size := size + self._size(queue[0][0])) <= self._most:
            batch.append(queue.popleft())
        return batch

    async def _settle(self, key: str, batch: Sequence[tuple[T, "asyncio.Future[R]"]]) -> None:
        results: Sequence[R | Exception]
        try:
            results = await self._act(key, [value for value, _ in batch])
        except asyncio.CancelledError:
            _cancel(batch)
            raise
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, DomainError):
                for each in batch:
                    await self._settle(key, [each])
                return
            results = [error] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller gave up
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)


def _cancel(batch: "Sequence[tuple[object, asyncio.Future[R]]] | deque[tuple[T, asyncio.Future[R]]]") -> None:
    for _, future in batch:
        future.cancel()
