import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from adapters.scheduler.history_memory import MemoryHistories
from adapters.scheduler.memory import MemoryDecisionLog, MemoryHotStates, MemoryPublications, MemoryStore
from domain.scheduler.follow_up import MOST_WAITING, FollowUp, shadow_id
from domain.scheduler.model import Decision, DecisionNotFound
from domain.scheduler.policies import Assignment
from domain.scheduler.policy import PRACTICE_2, Policy
from domain.scheduler.policy_book import FixedPolicies
from domain.scheduler.pools import Pools
from domain.scheduler.together import Together
from domain.scheduler.use_cases.next_items import NextItems
from domain.scheduler.use_cases.recall import Recall
from domain.shared.caller import Caller, Role
from domain.shared.errors import Unavailable
from domain.shared.rollout import Stage
from tests.unit.scheduler.making import NOW, publication, request

ADA = Caller("north", "ada", frozenset({Role.LEARNER}))
GREEDY = replace(PRACTICE_2, version="greedy", arms=(replace(PRACTICE_2.arms[0], temperature=0.0),))


class Shadowed(FixedPolicies):
    """PRACTICE_2 serves everybody, with a policy in its shadow."""

    async def assigned(self, organization: str, course: str, learner: str) -> Assignment:
        return Assignment(PRACTICE_2, (self.policy,), Stage.CANARY)


@dataclass
class World:
    shadow: Policy = GREEDY
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        store, hot, source = MemoryStore(), MemoryHotStates(), MemoryPublications()
        source.put("north", publication())
        self.log = MemoryDecisionLog(hot)
        self.follow_up = FollowUp(self.log, self.count, lambda policy, error: self.count(policy, "shadow_failed"))
        pools, recall = Pools(store.unit, source, hot, lambda: NOW, MemoryHistories(store).unit), Recall(store.unit, hot)
        self.next_items, self.unshadowed = (
            NextItems(hot, recall, pools, self.log, book, Together(), self.follow_up, lambda: NOW)
            for book in (Shadowed(self.shadow), FixedPolicies(PRACTICE_2))
        )

    def count(self, policy: str, outcome: str) -> None:
        self.counts[policy, outcome] += 1

    async def shadow_of(self, decision: Decision) -> Decision:
        return await self.log.get("north", shadow_id(decision.id, self.shadow.version))


async def test_a_shadow_decides_the_same_request_and_says_whose_shadow_it_is() -> None:
    world = World()
    served = await world.next_items(ADA, request(3))
    await world.follow_up.work_off()
    silent = await world.shadow_of(served)
    assert (served.policy_version, served.shadow_of) == ("practice-2", "")
    assert (silent.policy_version, silent.shadow_of) == ("greedy", served.id)
    assert len(silent.choices) == 3
    assert all(0.0 < each.propensity <= 1.0 for each in silent.choices)
    assert (silent.learner, silent.course, silent.publication, silent.decided_at, silent.learner_sequence) == (
        served.learner,
        served.course,
        served.publication,
        served.decided_at,
        served.learner_sequence,
    )
    assert world.counts == {("practice-2", "canary"): 1, ("greedy", "shadow"): 1}


async def test_what_is_served_is_the_same_with_and_without_a_shadow() -> None:
    with_shadow, without = World(), World()
    for n in range(30):
        served = await with_shadow.next_items(ADA, request(2, f"id-{n}"))
        await with_shadow.follow_up.work_off()
        assert served == await without.unshadowed(ADA, request(2, f"id-{n}"))


async def test_the_answer_does_not_wait_for_the_shadow() -> None:
    world = World()
    served = await world.next_items(ADA, request())
    with pytest.raises(DecisionNotFound):
        await world.shadow_of(served)


async def test_a_repeated_request_is_shadowed_once() -> None:
    world = World()
    for _ in range(3):
        await world.next_items(ADA, request())
        await world.follow_up.work_off()
    assert world.counts == {("practice-2", "canary"): 1, ("greedy", "shadow"): 1}


async def test_a_shadow_that_cannot_decide_or_be_recorded_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    assert (await world.next_items(ADA, request(1, "first"))).choices

    async def away(organization: str, decision: Decision) -> Decision:
        raise Unavailable("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(world.log, "add", away)
        await world.follow_up.work_off()
    world.follow_up("north", Assignment(PRACTICE_2, (GREEDY,)), await world.log.get("north", "first"), _fails)
    await world.follow_up.work_off()
    assert world.counts["greedy", "shadow_failed"] == 2
    assert (await world.next_items(ADA, request(1, "second"))).choices
    await world.follow_up.work_off()
    assert world.counts["greedy", "shadow"] == 1


async def test_shadows_that_come_too_fast_are_dropped_and_counted() -> None:
    world = World()
    for n in range(MOST_WAITING + 10):
        await world.next_items(ADA, request(1, f"id-{n}"))
    assert world.counts["greedy", "shadow_dropped"] == 10
    assert world.counts["practice-2", "canary"] == MOST_WAITING + 10


async def test_the_job_makes_what_waits_until_it_is_stopped() -> None:
    world = World()
    job = asyncio.create_task(world.follow_up.run())
    for n in range(3):
        await world.next_items(ADA, request(1, f"id-{n}"))
    async with asyncio.timeout(5):
        while world.counts["greedy", "shadow"] < 3:
            await asyncio.sleep(0.001)
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)


def _fails(policy: Policy, decision_id: str) -> Decision:
    raise ArithmeticError("a policy that divides by zero")
