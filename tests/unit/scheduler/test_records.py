from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paideia.scheduler.v1.events_pb2 import DecisionMade

from adapters.scheduler.kafka import decision_in, decision_made, decision_message
from domain.scheduler.decide import Difficulties, decide
from domain.scheduler.model import Decision, Goal, Mode, ProgressUpdate, Publication, PublishedItem, PublishedSkill
from domain.scheduler.policy import PRACTICE_2
from domain.scheduler.pool import compiled
from domain.scheduler.state import LearnerState
from tests.unit.scheduler.making import ID, NOW, histories, publication, publications, request, update


def decided(made: Publication, state: LearnerState, size: int) -> Decision:
    pool = compiled(made)
    return decide(pool, Difficulties.unknown(pool), state, PRACTICE_2, request(size), NOW + timedelta(days=1))


@given(publications(), histories(), st.integers(1, 30))
def test_a_record_comes_back_as_it_was_and_is_what_the_contract_says(
    made: Publication, updates: list[ProgressUpdate], size: int
) -> None:
    decision = decided(made, LearnerState.new().after(updates), size)
    payload = decision_made("north", decision).payload
    assert decision_in(payload) == decision
    message = DecisionMade.FromString(payload).decision
    assert message == decision_message(decision)
    first, candidate = message.candidates[0], decision.candidates[0]
    assert (first.item, first.score, first.propensity) == (f"items/{candidate.item}", candidate.score, candidate.propensity)
    assert [(term.value, term.weight) for term in first.terms] == [(t.value, t.weight) for t in decision.terms(candidate)]


@pytest.mark.parametrize("length", [1, 5, 6, 121, 122, 128])
def test_ids_of_every_length_are_kept(length: int) -> None:
    made = Publication("sql", 1, (PublishedSkill("a", "A"),), (PublishedItem("i" * length, 1, ("a",)),))
    decision = decided(made, LearnerState.new(), 1)
    assert decision_in(decision_made("north", decision).payload).candidates[0].item == "i" * length


def test_a_record_without_candidates_comes_back() -> None:
    decision = decided(publication(0), LearnerState.new(), 1)
    assert decision_in(decision_made("north", decision).payload) == decision


@pytest.mark.parametrize("mode", Mode)
def test_a_record_of_every_mode_and_with_a_goal_comes_back(mode: Mode) -> None:
    goal = Goal(NOW + timedelta(days=30), 20.0, 0.9, ("b",))
    pool = compiled(publication())
    state = LearnerState.new().after([update(1, correct=False), update(2, "item-3")])
    decision = decide(
        pool, Difficulties.unknown(pool), state, PRACTICE_2, request(2, mode=mode, goal=goal), NOW + timedelta(days=1)
    )
    assert decision_in(decision_made("north", decision).payload) == decision
    assert decision_in(decision_made("north", replace(decision, shadow_of=ID)).payload).shadow_of == ID
