import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.scheduler.encoding import (
    decoded_cached_state,
    decoded_repair,
    decoded_state,
    encoded_cached_state,
    encoded_repair,
    encoded_state,
)
from adapters.scheduler.history_memory import MemoryHistories
from adapters.scheduler.memory import MemoryHotStates, MemoryStore
from domain.scheduler.decide import decide
from domain.scheduler.difficulties import DifficultyChain
from domain.scheduler.model import Decision, LearnerUpdate, Repair
from domain.scheduler.policy import PRACTICE_2
from domain.scheduler.pool import compiled
from domain.scheduler.replay import HistoryIncomplete, Inputs, known_by, replay
from domain.scheduler.state import MOST_REPAIRS, MOST_UPDATES, LearnerState, key_of
from domain.scheduler.use_cases.apply_updates import ApplyUpdates
from domain.scheduler.use_cases.observe import Observe
from domain.scheduler.use_cases.recall import Recall
from domain.shared.caller import Caller, Role
from tests.unit.scheduler.making import NOW, logs, publication, repair, request, update

SERVICE = Caller("north", "assessment", frozenset({Role.SERVICE}))


def told(log: list[LearnerUpdate]) -> LearnerState:
    return LearnerState.new().after(log)


def test_a_repair_replaces_mastery_and_abilities_and_leaves_the_items_memory() -> None:
    before = told([update(1, skill="a", mean=0.9, ability=1.0), update(2, "item-1", skill="b", mean=0.8)])
    after = before.after([repair(2, a=0.25, c=0.5, ability=-0.5)])
    assert after.version == (2, 1)
    assert dict(zip(after.skills["key"].tolist(), after.skills["mean"].tolist(), strict=True)) == {
        key_of("a"): 0.25,
        key_of("c"): 0.5,
    }
    assert after.abilities[["mean", "error"]].tolist() == [(-0.5, 0.25)]
    assert after.items.tobytes() == before.items.tobytes()
    assert after.recent.tobytes() == before.recent.tobytes()
    assert after.lineage != before.lineage


def test_attempts_after_a_repair_go_on_from_it() -> None:
    state = told([update(1, mean=0.9), repair(1, a=0.25, b=0.5), update(2, mean=0.375)])
    assert state.version == (2, 1)
    assert state.skills["mean"].tolist() == [0.375, 0.5]


def test_a_repair_that_is_known_or_was_overtaken_changes_nothing() -> None:
    state = told([update(1), repair(1), repair(1, 2), update(2)])
    for each in (repair(1, a=1.0), repair(1, 2, a=1.0), repair(2, 2, a=1.0)):
        assert state.after([each]) is state
    assert state.after([repair(2, 3, a=1.0)]).version == (2, 3)


def test_a_repair_follows_its_attempt_and_the_repair_before_it() -> None:
    state = told([update(1)])
    following = state.following([repair(1), repair(1, 2), update(2), repair(2, 4), update(3), repair(3, 3), update(5)])
    assert [each.version for each in following] == [(1, 1), (1, 2), (2, 0), (3, 0), (3, 3)]


@given(logs(), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=20))
def test_a_log_that_is_delivered_again_and_again_in_any_batches_ends_in_the_same_state(
    log: list[LearnerUpdate], deliveries: list[tuple[int, int]]
) -> None:
    """Each begins where something was delivered before, or right behind it; the last is of what is left."""
    state, end = LearnerState.new(), 0
    for start, least in (*deliveries, (len(log), len(log))):
        start, end = min(start, end), max(end, min(least, len(log)))
        state = state.after(log[start:end])
    assert encoded_state(state) == encoded_state(told(log))
    assert state.after(log) is state


@given(logs(), st.data())
def test_whatever_is_observed_meanwhile_the_log_decides_and_every_state_on_the_way_can_be_made_again(
    log: list[LearnerUpdate], data: st.DataObject
) -> None:
    """What is observed may come in any order, again, early, and without the repairs; the log comes in order, parts of it again."""
    store, hot = MemoryStore(), MemoryHotStates()
    histories = MemoryHistories(store)
    apply, observe = ApplyUpdates(store.unit, hot, histories.unit), Observe(hot, Recall(store.unit, hot))
    seen: list[LearnerState] = []

    async def live() -> None:
        delivered = 0
        while delivered < len(log):
            observed = data.draw(st.lists(st.sampled_from(log), max_size=6))
            if observed:
                await observe(SERVICE, observed)
                seen.extend((await hot.states("north", ["ada"])).values())
            start = data.draw(st.integers(0, delivered))
            delivered = data.draw(st.integers(delivered + 1, len(log)))
            await apply("north", log[start:delivered])
            seen.extend((await hot.states("north", ["ada"])).values())
        async with store.unit("north") as unit:
            seen.append((await unit.states.of(["ada"]))["ada"])
        async with histories.unit("north") as history:
            for state in seen:
                again = told(list(known_by(state.lineage, await history.updates.of("ada", state.sequence))))
                assert encoded_state(again) == encoded_state(state)

    asyncio.run(live())
    expected = encoded_state(told(log))
    assert [encoded_state(each) for each in seen[-2:]] == [expected] * len(seen[-2:])


async def test_the_cache_gets_a_repair_from_the_log_although_who_committed_it_died() -> None:
    store, hot = MemoryStore(), MemoryHotStates()
    apply = ApplyUpdates(store.unit, hot, MemoryHistories(store).unit)
    await apply("north", [update(1)])
    await ApplyUpdates(store.unit, MemoryHotStates(), MemoryHistories(store).unit)("north", [repair(1)])
    await apply("north", [repair(1)])
    assert (await hot.states("north", ["ada"]))["ada"].version == (1, 1)


def decided(state: LearnerState) -> Decision:
    pool = compiled(publication())
    return decide(pool, DifficultyChain().of(pool), state, PRACTICE_2, request(3), NOW)


def test_decisions_on_either_side_of_a_repair_are_replayed_each_with_what_it_knew() -> None:
    """Also those that knew an attempt after the repair already, but not yet the repair."""
    first, fix, second, last = update(1, mean=0.9), repair(1, a=0.1), update(2, "item-3", mean=0.95), repair(2, 2, a=0.2, b=0.9)
    history = [first, fix, second, last]
    for known in ([first], [first, fix], [first, second], [first, fix, second], history):
        state = told(known)
        record = decided(state)
        up_to = [each for each in history if each.sequence <= record.learner_sequence]
        replayed = replay(record, Inputs(publication(), up_to, [], PRACTICE_2))
        assert replayed.identical, replayed.difference
    assert decided(told([first])).skills != decided(told([first, fix])).skills


@pytest.mark.parametrize(
    "history",
    [
        [update(1), update(2)],
        [update(1), repair(1, a=0.125), update(2)],
        [update(1), repair(1, 2, a=0.5), update(2)],
        [update(1), replace(repair(1, a=0.5), skills=()), update(2)],
    ],
)
def test_a_lost_or_altered_repair_is_noticed(history: list[LearnerUpdate]) -> None:
    record = decided(told([update(1), repair(1, a=0.5), update(2)]))
    with pytest.raises(HistoryIncomplete):
        replay(record, Inputs(publication(), history, [], PRACTICE_2))


@given(logs())
def test_what_is_encoded_is_what_is_decoded(log: list[LearnerUpdate]) -> None:
    state = told(log)
    for decoded in (decoded_state(encoded_state(state)), decoded_cached_state(encoded_cached_state(state))):
        assert decoded is not None
        assert decoded.version == state.version
        assert encoded_state(decoded) == encoded_state(state)
    for each in log:
        if isinstance(each, Repair):
            assert decoded_repair("ada", each.sequence, each.revision, encoded_repair(each)) == each


versions = st.tuples(st.integers(0, MOST_UPDATES), st.integers(0, MOST_REPAIRS))


@given(versions, versions)
def test_the_cache_orders_states_by_sequence_and_then_revision(one: tuple[int, int], other: tuple[int, int]) -> None:
    def number(version: tuple[int, int]) -> int:
        state = replace(LearnerState.new(), sequence=version[0], revision=version[1])
        return int.from_bytes(encoded_cached_state(state)[:8], "big")

    assert (number(one) < number(other)) == (one < other)
    assert number(one) < 2**53


def test_a_state_that_was_cached_before_there_were_repairs_still_reads() -> None:
    state = told([update(1), update(2, "item-3")])
    read = decoded_cached_state(encoded_state(state))
    assert read is not None
    assert encoded_state(read) == encoded_state(state)


def test_a_release_that_knows_nothing_of_repairs_reads_the_rest() -> None:
    state = told([update(1), repair(1, a=0.5)])
    assert encoded_state(state)[:-8] == encoded_state(replace(state, revision=0))
