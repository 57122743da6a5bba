import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from adapters.scheduler.history_memory import MemoryHistories
from adapters.scheduler.memory import MemoryDecisionLog, MemoryHotStates, MemoryPublications, MemoryStore
from domain.scheduler.follow_up import FollowUp
from domain.scheduler.model import CourseNotPublished, Publication, RequestIdReused
from domain.scheduler.policy import PRACTICE_2
from domain.scheduler.policy_book import FixedPolicies
from domain.scheduler.pools import ASK_AGAIN, REFRESH, TRUST, Pools
from domain.scheduler.together import Together
from domain.scheduler.use_cases.apply_updates import ApplyUpdates
from domain.scheduler.use_cases.next_items import NextItems
from domain.scheduler.use_cases.observe import Observe
from domain.scheduler.use_cases.recall import Recall
from domain.scheduler.use_cases.renew_pool import RenewPool
from domain.shared.caller import Caller, Role
from domain.shared.errors import Unavailable
from tests.unit.scheduler.making import NOW, publication, request, update

ADA = Caller("north", "ada", frozenset({Role.LEARNER}))
SERVICE = Caller("north", "progress", frozenset({Role.SERVICE}))


@dataclass
class World:
    """One process of the scheduler; give it another's store, cache and source to run beside it."""

    store: MemoryStore = field(default_factory=MemoryStore)
    hot: MemoryHotStates = field(default_factory=MemoryHotStates)
    source: MemoryPublications = field(default_factory=MemoryPublications)
    decisions: MemoryDecisionLog | None = None
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.histories = MemoryHistories(self.store)
        self.decisions = self.decisions or MemoryDecisionLog(self.hot)
        recall = Recall(self.store.unit, self.hot)
        self.pools = Pools(self.store.unit, self.source, self.hot, lambda: self.now, self.histories.unit)
        follow_up = FollowUp(self.decisions, lambda policy, stage: None, lambda policy, error: None)
        self.next_items = NextItems(
            self.hot, recall, self.pools, self.decisions, FixedPolicies(PRACTICE_2), Together(), follow_up, lambda: self.now
        )
        self.observe = Observe(self.hot, recall)
        self.apply = ApplyUpdates(self.store.unit, self.hot, self.histories.unit)
        self.renew = RenewPool(self.pools)

    def publish(self, made: Publication) -> None:
        self.source.put("north", made)

    def beside(self) -> "World":
        return World(self.store, self.hot, self.source, self.decisions, self.now)


@pytest.fixture
def world() -> World:
    world = World()
    world.publish(publication())
    return world


async def test_an_observed_update_is_known_to_the_very_next_decision(world: World) -> None:
    await world.observe(SERVICE, [update(1)])
    assert (await world.next_items(ADA, request())).learner_sequence == 1


async def test_observing_and_then_reading_the_log_counts_once(world: World) -> None:
    await world.observe(SERVICE, [update(1), update(2)])
    await world.apply("north", [update(1), update(2)])
    await world.observe(SERVICE, [update(2), update(3)])
    state = (await world.hot.states("north", ["ada"]))["ada"]
    assert (state.sequence, int(state.items["attempts"][0])) == (3, 3)


async def test_after_a_gap_observe_leaves_the_rest_to_the_log(world: World) -> None:
    await world.observe(SERVICE, [update(1), update(3)])
    assert (await world.hot.states("north", ["ada"]))["ada"].sequence == 1
    await world.apply("north", [update(1), update(2), update(3)])
    assert (await world.hot.states("north", ["ada"]))["ada"].sequence == 3


async def test_a_hot_state_that_was_left_behind_catches_up_with_the_durable_one(world: World) -> None:
    await world.observe(SERVICE, [update(1)])
    async with world.store.unit("north") as unit:
        await unit.states.save({"ada": (await world.hot.states("north", ["ada"]))["ada"].after([update(2), update(3)])})
        await unit.commit()
    await world.observe(SERVICE, [update(4)])
    assert (await world.hot.states("north", ["ada"]))["ada"].sequence == 4


async def test_one_request_may_tell_of_several_learners(world: World) -> None:
    await world.observe(SERVICE, [update(1, learner="ada"), update(1, learner="grace"), update(2, learner="ada")])
    found = await world.hot.states("north", ["ada", "grace"])
    assert {learner: state.sequence for learner, state in found.items()} == {"ada": 2, "grace": 1}


async def test_losing_the_cache_loses_nothing_that_the_log_has_delivered(world: World) -> None:
    await world.apply("north", [update(1), update(2)])
    world.hot.forget()
    assert (await world.next_items(ADA, request())).learner_sequence == 2


async def test_a_repeat_returns_the_first_choice_though_the_learner_has_moved_on(world: World) -> None:
    first = await world.next_items(ADA, request(3))
    await world.observe(SERVICE, [update(1)])
    assert await world.next_items(ADA, request(3)) == first


@pytest.mark.parametrize("other", [request(2), request(1, learner="grace"), request(1, course="art")])
async def test_a_repeat_with_another_body_is_refused(world: World, other: object) -> None:
    world.publish(publication(course="art"))
    await world.next_items(ADA, request(1))
    with pytest.raises(RequestIdReused):
        await world.next_items(ADA, other)


async def test_a_course_without_publication_is_refused(world: World) -> None:
    with pytest.raises(CourseNotPublished):
        await world.next_items(ADA, request(course="none"))


async def test_many_first_requests_pull_the_publication_once(world: World) -> None:
    await asyncio.gather(*(world.next_items(ADA, request(1, f"id-{n}")) for n in range(20)))
    assert world.source.pulls == 1


async def test_another_process_finds_the_publication_without_the_catalog(world: World) -> None:
    await world.next_items(ADA, request())
    await world.beside().next_items(ADA, request(1, "another"))
    assert world.source.pulls == 1


async def test_a_new_publication_is_served_by_every_process_at_once(world: World) -> None:
    other = world.beside()
    for each in (world, other):
        await each.next_items(ADA, request(1, "before"))
    world.publish(publication(15, number=2))
    await world.renew("north", "sql", 2)
    assert (await other.next_items(ADA, request(1, "after"))).publication == 2
    assert world.source.pulls == 2


async def test_without_a_cache_a_new_publication_is_served_after_a_moment(world: World) -> None:
    await world.next_items(ADA, request(1, "before"))
    async with world.store.unit("north") as unit:
        await unit.publications.save(publication(15, number=2))
        await unit.commit()
    world.hot.forget()
    assert (await world.next_items(ADA, request(1, "soon"))).publication == 1
    world.hot.forget()
    world.now += TRUST + timedelta(seconds=1)
    assert (await world.next_items(ADA, request(1, "later"))).publication == 2


async def test_a_publication_whose_event_was_lost_is_noticed_after_a_moment_off_the_request(world: World) -> None:
    await world.next_items(ADA, request(1, "before"))
    world.publish(publication(15, number=2))
    assert (await world.next_items(ADA, request(1, "soon"))).publication == 1
    world.now += ASK_AGAIN + timedelta(seconds=1)
    assert (await world.next_items(ADA, request(1, "starts the look"))).publication == 1
    async with asyncio.timeout(5):
        while (await world.next_items(ADA, request(1, str(uuid4())))).publication == 1:
            await asyncio.sleep(0.001)
    assert world.source.pulls == 2
    assert (await world.beside().next_items(ADA, request(1, "beside"))).publication == 2


async def test_while_the_catalog_cannot_be_asked_for_the_number_what_is_known_serves(world: World) -> None:
    await world.next_items(ADA, request(1, "before"))

    async def away(organization: str, course: str) -> int:
        raise Unavailable("the catalog is away")

    world.source.newest_number = away  # type: ignore[method-assign]
    for n in range(3):
        world.now += ASK_AGAIN + timedelta(seconds=1)
        assert (await world.next_items(ADA, request(1, f"meanwhile {n}"))).publication == 1
        await asyncio.sleep(0)


async def test_an_old_event_changes_nothing(world: World) -> None:
    world.publish(publication(number=3))
    await world.next_items(ADA, request())
    await world.renew("north", "sql", 2)
    assert world.source.pulls == 1


async def test_a_number_that_the_catalog_does_not_have_is_not_looked_for_with_every_request(world: World) -> None:
    await world.hot.keep_publication("north", "sql", 9)
    for n in range(5):
        assert (await world.next_items(ADA, request(1, f"id-{n}"))).publication == 1
    # The first request looks, and once more because the first look found less than was asked for.
    assert world.source.pulls == 2


async def test_learnt_difficulties_reach_the_decisions_after_the_refresh(world: World) -> None:
    before = await world.next_items(ADA, request(1, "before"))
    await world.apply("north", [update(1, each.id, learner="grace", difficulty=2.0) for each in publication().items[:1]])
    world.now += REFRESH + timedelta(seconds=1)
    await world.next_items(ADA, request(1, "starts the refresh"))
    await asyncio.sleep(0)
    after = await world.next_items(ADA, request(1, "after"))
    predicted = [
        next(each.predicted_correct for each in decision.candidates if each.item == "item-0") for decision in (before, after)
    ]
    assert predicted[0] == pytest.approx(0.5)
    assert predicted[1] == pytest.approx(0.1192, abs=1e-4)


async def test_a_catalog_that_is_away_is_no_reason_to_stop_with_what_is_known(world: World) -> None:
    await world.next_items(ADA, request(1, "before"))

    async def away(organization: str, course: str) -> Publication:
        raise Unavailable("the catalog is away")

    world.source.newest = away  # type: ignore[method-assign]
    assert (await world.next_items(ADA, request(1, "meanwhile"))).choices
    with pytest.raises(Unavailable):
        await world.renew("north", "sql", 2)
