import json
from dataclasses import replace
from datetime import timedelta
from random import Random

import numpy as np
import pytest

from adapters.scheduler.encoding import decoded_state, decoded_update, encoded_state, encoded_update
from adapters.scheduler.kafka import decision_in, decision_made
from domain.scheduler.decide import decide
from domain.scheduler.difficulties import DifficultyChain, DifficultyEpoch
from domain.scheduler.model import Goal, Mode
from domain.scheduler.policy import PRACTICE_2, Policy
from domain.scheduler.pool import compiled
from domain.scheduler.replay import HistoryIncomplete, Inputs, replay
from domain.scheduler.state import LearnerState
from tests.unit.scheduler.making import NOW, request, update
from tests.unit.scheduler.worlds import World, worlds


@pytest.fixture(scope="module")
def thousand() -> list[World]:
    return worlds(1_000)


def test_a_thousand_random_decisions_come_out_the_same_from_what_was_stored(thousand: list[World]) -> None:
    """Stored means encoded as in the stores: the record, the attempts, the difficulties and the policy."""
    for world in thousand:
        payload = decision_made("north", world.decision).payload
        record = decision_in(payload)
        policy = Policy.from_document(json.loads(json.dumps(world.policy.to_document())))
        updates = [decoded_update(each.learner, each.sequence, encoded_update(each)) for each in world.updates]
        epochs = [DifficultyEpoch(each.number, json.loads(json.dumps(dict(each.values))), each.complete) for each in world.epochs]
        replayed = replay(record, Inputs(world.publication, updates, epochs, policy))
        assert replayed.identical, replayed.difference
        assert decision_made("north", replayed.decision).payload == payload


def test_a_change_of_the_policy_shows_as_the_first_difference(thousand: list[World]) -> None:
    world = next(each for each in thousand if each.decision.choices)
    other = replace(world.policy, version="another-1")
    replayed = replay(world.decision, Inputs(world.publication, world.updates, world.epochs, other))
    assert not replayed.identical
    assert replayed.difference.startswith(f"policy_version: '{world.policy.version}' was recorded, 'another-1' came out")


def test_a_single_lost_or_altered_attempt_is_noticed(thousand: list[World]) -> None:
    world = next(each for each in thousand if len(each.updates) > 3)
    for updates in (
        world.updates[1:],
        world.updates[:-1],
        [replace(world.updates[0], score=0.5, correct=False), *world.updates[1:]],
        [replace(world.updates[0], ability=np.nextafter(world.updates[0].ability, 9.0)), *world.updates[1:]],
    ):
        with pytest.raises(HistoryIncomplete):
            replay(world.decision, Inputs(world.publication, updates, world.epochs, world.policy))


def test_difficulties_of_another_epoch_are_noticed(thousand: list[World]) -> None:
    world = next(each for each in thousand if each.epochs)
    with pytest.raises(HistoryIncomplete, match="epoch"):
        replay(world.decision, Inputs(world.publication, world.updates, [], world.policy))


@pytest.mark.parametrize("engine", ["", "decide-1"])
def test_a_record_of_another_engine_is_not_replayed(thousand: list[World], engine: str) -> None:
    world = thousand[0]
    with pytest.raises(HistoryIncomplete):
        replay(
            replace(world.decision, engine_version=engine), Inputs(world.publication, world.updates, world.epochs, world.policy)
        )


def test_a_learner_with_very_many_attempts_is_replayed() -> None:
    random = Random(3)
    made = worlds(1)[0].publication
    updates = [
        update(n + 1, f"item-{random.randrange(2_000)}", correct=random.random() < 0.7, at=NOW.timestamp() - (20_000 - n) * 60)
        for n in range(20_000)
    ]
    # As they came: some by some, through the form in which states are kept.
    state = LearnerState.new()
    for start in range(0, len(updates), 500):
        kept = decoded_state(encoded_state(state.after(updates[start : start + 500])))
        assert kept is not None
        state = kept
    pool = compiled(made)
    record = decide(pool, DifficultyChain().of(pool), state, PRACTICE_2, request(3), NOW)
    assert replay(record, Inputs(made, updates, [], PRACTICE_2)).identical


def test_a_state_kept_before_there_were_lineages_still_reads() -> None:
    state = LearnerState.new().after([update(1), update(2, "item-3")])
    data = encoded_state(state)
    old = data[:8] + b"\x01" + data[9:25] + data[33:]
    read = decoded_state(old)
    assert read is not None
    assert (read.sequence, read.lineage, encoded_state(replace(read, lineage=state.lineage))) == (2, 0, data)


def test_the_chain_keeps_what_moved_and_everything_now_and_then() -> None:
    chain, epochs = DifficultyChain(), []
    random = Random(5)
    known = {f"item-{n}": 0.0 for n in range(20)}
    for _ in range(200):
        item = f"item-{random.randrange(20)}"
        known[item] += random.choice([-0.2, 0.01, 0.2])
        if (following := chain.following(known)) is not None:
            epochs.append(following)
            chain = chain.after([following])
    assert all(abs(chain.values[item] - value) < 0.05 for item, value in known.items())
    assert DifficultyChain().after(epochs) == chain
    last_complete = max(number for number, each in enumerate(epochs) if each.complete)
    assert DifficultyChain().after(epochs[last_complete:]) == chain
    # Complete epochs at most double what is kept.
    changes = sum(len(each.values) for each in epochs if not each.complete)
    assert sum(len(each.values) for each in epochs if each.complete) <= changes + 2 * len(known)


def test_a_goal_and_a_mode_are_part_of_what_is_replayed() -> None:
    world = worlds(1)[0]
    pool = compiled(world.publication)
    goal = Goal(NOW + timedelta(days=9), 30.0)
    state = LearnerState.new().after(world.updates)
    difficulties = DifficultyChain().after(world.epochs).of(pool)
    record = decide(pool, difficulties, state, world.policy, request(2, mode=Mode.EXAM, goal=goal), NOW)
    assert replay(record, Inputs(world.publication, world.updates, world.epochs, world.policy)).identical
