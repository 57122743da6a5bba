import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from adapters.scheduler.policies_memory import MemoryPolicyStore
from domain.scheduler.policies import PolicyDraft, PolicyNotFound, PolicyVersion
from domain.scheduler.policy import PRACTICE_2
from domain.scheduler.policy_book import REFRESH, HeldPolicies
from domain.scheduler.ports import PolicyUnit
from domain.scheduler.use_cases.create_policy import CreatePolicy
from domain.scheduler.use_cases.roll_back_policy import RollBackPolicy
from domain.scheduler.use_cases.stage_policy import StageOrder, StagePolicy
from domain.shared.caller import Caller, Role
from domain.shared.errors import Unavailable
from domain.shared.rollout import Stage
from tests.unit.scheduler.making import NOW

ROOT = Caller("north", "root", frozenset({Role.ADMIN}))
DEFINITION: dict[str, Any] = {"model_version": PRACTICE_2.model_version, "arms": PRACTICE_2.to_document()["arms"]}


@dataclass
class Process:
    """One process of the scheduler; give it another's store to run beside it."""

    store: MemoryPolicyStore = field(default_factory=MemoryPolicyStore)
    now: datetime = NOW
    reads: int = 0
    away: bool = False

    def __post_init__(self) -> None:
        clock: Callable[[], datetime] = lambda: self.now  # noqa: E731
        self.book = HeldPolicies(self.unit, clock)
        self.create = CreatePolicy(self.store.unit, clock)
        self.stage = StagePolicy(self.store.unit, self.book, clock)
        self.roll_back = RollBackPolicy(self.store.unit, self.book, clock)

    def unit(self, organization: str) -> PolicyUnit:
        self.reads += 1
        if self.away:
            raise Unavailable("the database is away")
        return self.store.unit(organization)

    async def live(self, name: str) -> PolicyVersion:
        await self.create(ROOT, str(uuid4()), PolicyDraft(name, DEFINITION))
        await self.stage(ROOT, StageOrder(str(uuid4()), name, Stage.SHADOW))
        await self.stage(ROOT, StageOrder(str(uuid4()), name, Stage.CANARY, 0.5))
        return await self.stage(ROOT, StageOrder(str(uuid4()), name, Stage.LIVE))

    async def serving(self, organization: str = "north") -> str:
        return (await self.book.assigned(organization, "sql", "ada")).serving.version


async def test_an_organization_without_policies_has_the_built_in_one() -> None:
    process = Process()
    assert [await process.serving() for _ in range(3)] == ["practice-2"] * 3
    assert process.reads == 1


async def test_many_first_questions_are_one_read() -> None:
    process = Process()
    await asyncio.gather(*(process.serving() for _ in range(20)))
    assert process.reads == 1


async def test_the_process_that_stages_a_policy_decides_by_it_at_once() -> None:
    process = Process()
    assert await process.serving() == "practice-2"
    await process.live("next")
    assert await process.serving() == "next"
    assert await process.serving("south") == "practice-2"
    await process.roll_back(ROOT, str(uuid4()), "next", None)
    assert await process.serving() == "practice-2"


async def test_other_processes_follow_after_a_moment_off_the_request() -> None:
    process = Process()
    other = Process(process.store)
    assert await other.serving() == "practice-2"
    await process.live("next")
    assert await other.serving() == "practice-2"
    other.now += REFRESH + timedelta(seconds=1)
    assert await other.serving() == "practice-2"
    await asyncio.sleep(0.01)
    assert await other.serving() == "next"
    assert other.reads == 2


async def test_while_policies_cannot_be_read_what_is_held_goes_on() -> None:
    process = Process()
    await process.live("next")
    process.away = True
    for _ in range(3):
        process.now += REFRESH + timedelta(seconds=1)
        assert await process.serving() == "next"
        await asyncio.sleep(0)


async def test_a_first_question_that_cannot_be_answered_is_refused_and_asked_again_later() -> None:
    process = Process(away=True)
    with pytest.raises(Unavailable):
        await process.serving()
    process.away = False
    assert await process.serving() == "practice-2"


async def test_a_read_that_ends_late_does_not_bring_back_the_past() -> None:
    process = Process()
    await process.live("first")
    started, go_on = asyncio.Event(), asyncio.Event()
    slow_unit = process.store.unit("north")

    class Slow:
        async def __aenter__(self) -> PolicyUnit:
            await slow_unit.__aenter__()
            started.set()
            await go_on.wait()
            return slow_unit

        async def __aexit__(self, *error: object) -> None:
            return None

    process.book.new_unit = lambda organization: Slow()  # type: ignore[assignment, return-value]
    late = asyncio.create_task(process.book.renew("north"))
    await started.wait()
    process.book.new_unit = process.unit
    await process.live("second")
    go_on.set()
    await late
    assert await process.serving() == "second"


async def test_a_version_is_found_whatever_became_of_it() -> None:
    process = Process()
    await process.live("first")
    await process.live("second")
    assert (await process.book.version("north", "first")).version == "first"
    assert await process.book.version("north", "practice-2") == PRACTICE_2
    for organization, name in (("north", "third"), ("south", "first")):
        with pytest.raises(PolicyNotFound):
            await process.book.version(organization, name)
