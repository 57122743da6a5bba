import asyncio
from collections.abc import Sequence

import pytest

from adapters.scheduler.coalescer import Coalescer


class Doubling:
    """Doubles numbers once `gate` is open, refuses 13, and remembers the batches."""

    def __init__(self, apart: float = 0.0) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.coalescer: Coalescer[int, int] = Coalescer(self._work, most=4, apart=apart)

    async def _work(self, numbers: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(numbers))
        await self.gate.wait()
        if 99 in numbers:
            raise OSError("away")
        return [ValueError("13") if each == 13 else 2 * each for each in numbers]


async def test_calls_that_arrive_while_one_is_in_flight_share_the_next() -> None:
    doubling = Doubling()
    first = asyncio.create_task(doubling.coalescer(0))
    await asyncio.sleep(0.01)
    rest = [asyncio.create_task(doubling.coalescer(n)) for n in range(1, 7)]
    await asyncio.sleep(0.01)
    doubling.gate.set()
    assert await asyncio.gather(first, *rest) == [0, 2, 4, 6, 8, 10, 12]
    assert doubling.batches == [[0], [1, 2, 3, 4], [5, 6]]


async def test_calls_soon_after_a_batch_began_share_the_next_though_none_is_in_flight() -> None:
    doubling = Doubling(apart=0.05)
    doubling.gate.set()
    assert await doubling.coalescer(0) == 0
    first = asyncio.create_task(doubling.coalescer(1))
    await asyncio.sleep(0.001)
    assert await asyncio.gather(first, doubling.coalescer(2)) == [2, 4]
    assert doubling.batches == [[0], [1, 2]]


async def test_an_error_reaches_only_whom_it_concerns() -> None:
    doubling = Doubling()
    doubling.gate.set()
    results = await asyncio.gather(*(doubling.coalescer(n) for n in (1, 13, 2)), return_exceptions=True)
    assert (results[0], type(results[1]), results[2]) == (2, ValueError, 4)


async def test_a_failure_of_the_whole_batch_reaches_everybody_and_the_next_batch_goes_on() -> None:
    doubling = Doubling()
    doubling.gate.set()
    results = await asyncio.gather(*(doubling.coalescer(n) for n in (1, 99)), return_exceptions=True)
    assert [type(each) for each in results] == [OSError, OSError]
    assert await doubling.coalescer(5) == 10


async def test_a_caller_who_gives_up_disturbs_nobody() -> None:
    doubling = Doubling()
    waiting = [asyncio.create_task(doubling.coalescer(n)) for n in range(3)]
    await asyncio.sleep(0.01)
    waiting[1].cancel()
    doubling.gate.set()
    assert [await waiting[0], await waiting[2]] == [0, 4]
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]
