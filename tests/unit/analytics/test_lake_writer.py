"""The writer: every event of a topic in its table once, whatever comes and whatever fails."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.analytics.lake_memory import MemoryPseudonyms, MemoryTable
from domain.analytics.lake import SESSIONS, Offsets, Row
from domain.shared.errors import Unavailable
from services.analytics import lake_writer
from services.analytics.lake_writer import LakeWriter
from tests.unit.analytics.lake_messages import Told, session_event, told


class Log:
    """A topic of one partition that lies in memory, read in batches of a few."""

    def __init__(self, messages: Sequence[Told], at_a_time: int = 3) -> None:
        self.messages = messages
        self._at_a_time = at_a_time
        self.exhausted = asyncio.Event()
        self._next = 0

    def opened(self, topic: str, offsets: Mapping[int, int]) -> "Log":
        assert topic == SESSIONS.topic
        self._next = offsets.get(0, 0)
        return self

    async def __aenter__(self) -> "Log":
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def batch(self, most: int, seconds: float) -> Sequence[Told]:
        await asyncio.sleep(0)
        found = self.messages[self._next : self._next + min(most, self._at_a_time)]
        self._next += len(found)
        if not found:
            self.exhausted.set()
            await asyncio.sleep(3_600)
        return found


class UnsureTable(MemoryTable):
    """Fails before or after each commit as it is told, so that the writer cannot know which."""

    def __init__(self, fates: Sequence[str]) -> None:
        super().__init__()
        self._fates = list(fates)

    async def append(self, rows: Sequence[Row], offsets: Offsets, start: Offsets | None = None) -> int:
        fate = self._fates.pop(0) if self._fates else "well"
        if fate == "before":
            raise Unavailable("away before it")
        added = await super().append(rows, offsets, start)
        if fate == "after":
            raise Unavailable("away after it")
        return added


async def written(log: Log, table: MemoryTable, quarantine: MemoryTable) -> None:
    writer = LakeWriter(SESSIONS, table, quarantine, MemoryPseudonyms(), log.opened, most=10, longest=timedelta(seconds=0.01))
    task = asyncio.create_task(writer.run())
    try:
        await asyncio.wait_for(log.exhausted.wait(), 30)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_writer, "_PAUSE_SECONDS", 0.0)


def messages(numbers: Sequence[int]) -> list[Told]:
    return [
        told(SESSIONS.topic, session_event(number, f"l{number % 3}"), number=number, offset=at)
        for at, number in enumerate(numbers)
    ]


async def test_every_event_is_a_row_and_learners_have_one_pseudonym_each() -> None:
    table, quarantine = MemoryTable(), MemoryTable()
    await written(Log(messages(range(20))), table, quarantine)
    assert sorted(row["session"] for row in table.rows.values()) == sorted(f"s{each}" for each in range(20))
    assert len({row["learner"] for row in table.rows.values()}) == 3
    assert await table.offsets() == {0: 20}
    assert not quarantine.rows


async def test_what_no_table_takes_lies_in_quarantine_and_stops_nobody() -> None:
    poison = told(SESSIONS.topic, session_event(3), number=3, offset=2, type="paideia.future.v1.Thing")
    log = Log([*messages([1, 2]), poison, *(each for each in messages([0, 0, 0, 4, 5]) if each.offset > 2)])
    table, quarantine = MemoryTable(), MemoryTable()
    await written(log, table, quarantine)
    assert sorted(row["session"] for row in table.rows.values()) == ["s1", "s2", "s4", "s5"]
    assert [(row["type"], row["log_offset"]) for row in quarantine.rows.values()] == [("paideia.future.v1.Thing", 2)]


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=40),
    st.lists(st.sampled_from(["well", "before", "after"]), max_size=12),
    st.integers(1, 7),
)
def test_rows_are_the_events_exactly_whatever_fails_and_repeats(numbers: list[int], fates: list[str], at_a_time: int) -> None:
    async def run() -> None:
        lake_writer._PAUSE_SECONDS = 0.0
        table = UnsureTable(fates)
        await written(Log(messages(numbers), at_a_time), table, MemoryTable())
        assert sorted(row["session"] for row in table.rows.values()) == sorted({f"s{each}" for each in numbers})

    asyncio.run(run())
