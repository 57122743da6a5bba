import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from domain.progress.model import Answer, Outcome, Verdict
from domain.shared.errors import Unavailable
from services.progress.group_commit import GroupCommit

NOW = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)


def answer(item: str = "half") -> Answer:
    return Answer(str(uuid4()), "ada", "", item, ("add",), 1.0, True, NOW)


class Recorder:
    """Remembers what was recorded together; each transaction waits for `go`. Answers to the item `bad` are a fault."""

    def __init__(self) -> None:
        self.groups: list[tuple[str, list[Answer]]] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, organization: str, answers: Sequence[Answer]) -> list[Outcome]:
        self.groups.append((organization, list(answers)))
        await self.go.wait()
        if self.error:
            raise self.error
        if any(each.item == "bad" for each in answers):
            raise RuntimeError("a fault")
        return [Outcome(Verdict.COUNTED, reason=each.id) for each in answers]

    def sizes(self) -> list[int]:
        return [len(answers) for _, answers in self.groups]


async def test_a_lone_call_starts_at_once_and_the_rest_share_the_next_transaction() -> None:
    record = Recorder()
    commit = GroupCommit(record)
    told = [[answer() for _ in range(size)] for size in (1, 2, 3, 1)]
    calls = [asyncio.create_task(commit("north", each)) for each in told[:1]]
    await asyncio.sleep(0.001)
    assert record.sizes() == [1]
    calls += [asyncio.create_task(commit("north", each)) for each in told[1:]]
    await asyncio.sleep(0.001)
    record.go.set()
    outcomes = await asyncio.gather(*calls)
    assert record.sizes() == [1, 6]
    assert [[each.reason for each in own] for own in outcomes] == [[each.id for each in own] for own in told]


async def test_organizations_do_not_wait_for_each_other_nor_mix() -> None:
    record = Recorder()
    commit = GroupCommit(record)
    calls = [asyncio.create_task(commit(organization, [answer()])) for organization in ("north", "south", "north", "south")]
    await asyncio.sleep(0.001)
    assert sorted(organization for organization, _ in record.groups) == ["north", "south"]
    record.go.set()
    await asyncio.gather(*calls)
    assert sum(record.sizes()) == 4


async def test_a_group_holds_no_more_than_one_call_may() -> None:
    record = Recorder()
    record.go.set()
    commit = GroupCommit(record, most=5)
    await asyncio.gather(*(commit("north", [answer() for _ in range(2)]) for _ in range(9)))
    assert max(record.sizes()) <= 5
    assert sum(record.sizes()) == 18


async def test_a_caller_who_gives_up_does_not_disturb_the_others() -> None:
    record = Recorder()
    commit = GroupCommit(record)
    calls = [asyncio.create_task(commit("north", [answer()])) for _ in range(4)]
    await asyncio.sleep(0.001)
    calls[0].cancel()
    calls[2].cancel()
    await asyncio.sleep(0.001)
    record.go.set()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in results] == [True, False, True, False]
    assert (await commit("north", [answer()]))[0].verdict is Verdict.COUNTED


async def test_a_refusal_is_everybodys() -> None:
    record = Recorder()
    record.go.set()
    record.error = Unavailable("away")
    commit = GroupCommit(record)
    results = await asyncio.gather(*(commit("north", [answer()]) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(each, Unavailable) for each in results)
    record.error = None
    assert (await commit("north", [answer()]))[0].verdict is Verdict.COUNTED


async def test_a_fault_of_one_call_costs_the_others_nothing() -> None:
    record = Recorder()
    record.go.set()
    commit = GroupCommit(record)
    results = await asyncio.gather(
        *(commit("north", [answer(item)]) for item in ("half", "half", "bad", "half")), return_exceptions=True
    )
    assert [isinstance(each, RuntimeError) for each in results] == [False, False, True, False]


async def test_stopping_lets_nobody_wait_for_ever() -> None:
    record = Recorder()
    commit = GroupCommit(record)
    calls = [asyncio.create_task(commit("north", [answer()])) for _ in range(3)]
    await asyncio.sleep(0.001)
    [work] = [each for each in asyncio.all_tasks() if "Coalescer._run" in repr(each.get_coro())]
    work.cancel()
    results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
    assert all(isinstance(each, asyncio.CancelledError) for each in results)


@pytest.mark.parametrize("calls", [1, 7])
async def test_nothing_is_kept_once_all_is_done(calls: int) -> None:
    record = Recorder()
    record.go.set()
    commit = GroupCommit(record)
    await asyncio.gather(*(commit("north", [answer()]) for _ in range(calls)))
    await asyncio.sleep(0)
    assert not [each for each in asyncio.all_tasks() if "Coalescer._run" in repr(each.get_coro())]
