"""A table of the lake, in memory and in Iceberg over a real S3 and a real PostgreSQL."""

import asyncio
from collections.abc import Callable

import pytest

from adapters.analytics.iceberg import IcebergTable
from adapters.analytics.lake_memory import MemoryTable
from domain.analytics.lake import SESSIONS, LakeConflict, TableStore
from tests.contract.analytics.lakes import days_ago, lake_of, session, sessions

OpenTable = Callable[[], TableStore]


@pytest.fixture(params=["memory", "iceberg"])
def open_table(request: pytest.FixtureRequest) -> OpenTable:
    """Opens the same table again and again, as processes do."""
    if request.param == "memory":
        table = MemoryTable()
        return lambda: table
    lake = lake_of(request.getfixturevalue("postgres"), request.getfixturevalue("s3"))
    return lambda: IcebergTable(lake, SESSIONS)


async def test_a_new_table_has_no_offsets(open_table: OpenTable) -> None:
    assert await open_table().offsets() == {}


async def test_rows_and_offsets_come_together(open_table: OpenTable) -> None:
    assert await open_table().append(sessions(range(5)), {0: 3, 1: 2}, {}) == 5
    assert await open_table().offsets() == {0: 3, 1: 2}


async def test_offsets_of_other_partitions_stay(open_table: OpenTable) -> None:
    table = open_table()
    await table.append(sessions(range(5)), {0: 3, 1: 2}, {})
    await table.append(sessions(range(5, 8)), {1: 5}, {0: 3, 1: 2})
    assert await table.offsets() == {0: 3, 1: 5}


async def test_an_event_is_added_once_however_often_and_by_whomever(open_table: OpenTable) -> None:
    first = open_table()
    assert await first.append(sessions([1, 2, 1, 2, 3]), {0: 5}) == 3
    assert await first.append(sessions([3, 4]), {0: 7}) == 1
    again = open_table()
    assert await again.append(sessions([1, 2, 3, 4, 5]), {0: 9}) == 1
    assert await first.append(sessions([5, 6]), {0: 11}, await first.offsets()) == 1


async def test_late_events_of_other_days_and_organizations_are_known_again(open_table: OpenTable) -> None:
    rows = [
        session(number, organization=organization, time=days_ago(days))
        for number, (organization, days) in enumerate([("north", 0), ("north", 3), ("south", 0), ("south", 400), ("", 1)])
    ]
    assert await open_table().append(rows, {0: 5}) == 5
    assert await open_table().append([*rows, session(99, time=days_ago(3))], {0: 11}) == 1


async def test_a_batch_without_new_rows_changes_nothing(open_table: OpenTable) -> None:
    await open_table().append(sessions([1, 2]), {0: 2})
    assert await open_table().append(sessions([2, 1]), {0: 4}) == 0
    assert await open_table().offsets() == {0: 2}


async def test_the_second_of_two_writers_of_the_same_rows_is_refused(open_table: OpenTable) -> None:
    first, second = open_table(), open_table()
    assert await first.offsets() == await second.offsets() == {}
    await first.append(sessions(range(10)), {0: 10}, {})
    with pytest.raises(LakeConflict):
        await second.append(sessions(range(12)), {0: 12}, {})
    assert await second.append(sessions(range(10, 12)), {0: 12}, await second.offsets()) == 2


async def test_writers_that_race_from_the_same_place_write_its_rows_once(open_table: OpenTable) -> None:
    async def one() -> int:
        table = open_table()
        await table.offsets()
        try:
            return await table.append(sessions(range(50)), {0: 50}, {})
        except LakeConflict:
            return 0

    assert sorted(await asyncio.gather(*(one() for _ in range(4)))) == [0, 0, 0, 50]
    assert await open_table().append(sessions(range(51)), {0: 51}, {0: 50}) == 1
