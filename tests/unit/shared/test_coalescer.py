import asyncio

import pytest

from domain.shared.coalescer import Coalescer
from domain.shared.errors import Unavailable


class Act:
    """Doubles numbers, a batch at a time, when `gate` is open."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.batches = []

    async def __call__(self, key, values):
        self.batches.append((key, list(values)))
        await self.gate.wait()
        if 13 in values:
            raise ValueError("13")
        if 0 in values:
            raise Unavailable("away")
        return [2 * each for each in values]


async def test_a_lone_value_is_acted_on_at_once():
    act = Act()
    act.gate.set()
    assert await Coalescer(act)("north", 4) == 8


async def test_values_that_come_during_an_act_share_the_next_in_their_order():
    act = Act()
    double = Coalescer(act, most=3)
    first = asyncio.create_task(double("north", 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.create_task(double("north", each)) for each in (2, 3, 4, 5)]
    await asyncio.sleep(0)
    act.gate.set()
    assert await asyncio.gather(first, *rest) == [2, 4, 6, 8, 10]
    assert act.batches == [("north", [1]), ("north", [2, 3, 4]), ("north", [5])]


async def test_with_a_rest_more_values_share_the_next_act():
    act = Act()
    double = Coalescer(act, rest=1.0)
    first = asyncio.create_task(double("north", 1))
    await asyncio.sleep(0.03)
    second = asyncio.create_task(double("north", 2))
    await asyncio.sleep(0)
    act.gate.set()
    assert await first == 2
    third = asyncio.create_task(double("north", 3))
    assert await asyncio.gather(second, third) == [4, 6]
    assert act.batches == [("north", [1]), ("north", [2, 3])]


async def test_keys_never_share_an_act():
    act = Act()
    double = Coalescer(act)
    act.gate.set()
    assert await asyncio.gather(double("north", 1), double("south", 2)) == [2, 4]
    assert sorted(act.batches) == [("north", [1]), ("south", [2])]


async def test_a_value_at_fault_costs_its_neighbours_nothing():
    act = Act()
    double = Coalescer(act)
    tasks = [asyncio.create_task(double("north", each)) for each in (1, 13, 2)]
    act.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0] == 2
    assert isinstance(results[1], ValueError)
    assert results[2] == 4


async def test_an_outage_is_everybodys_and_passes():
    act = Act()
    double = Coalescer(act)
    act.gate.set()
    results = await asyncio.gather(*(double("north", each) for each in (0, 1)), return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in results)
    assert len(act.batches) == 1
    assert await double("north", 1) == 2


async def test_a_caller_who_gives_up_stops_nobody():
    act = Act()
    double = Coalescer(act)
    impatient, patient = asyncio.create_task(double("north", 1)), asyncio.create_task(double("north", 2))
    await asyncio.sleep(0)
    impatient.cancel()
    act.gate.set()
    assert await patient == 4
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_acts_keep_their_distance_so_that_values_between_them_share_one():
    act = Act()
    act.gate.set()
    double = Coalescer(act, apart=0.05)
    assert await double("north", 1) == 2
    first = asyncio.create_task(double("north", 2))
    await asyncio.sleep(0.001)
    assert await asyncio.gather(first, double("north", 3)) == [4, 6]
    assert act.batches == [("north", [1]), ("north", [2, 3])]
