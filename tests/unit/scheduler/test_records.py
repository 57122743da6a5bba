from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paideia.scheduler.v1.events_pb2 import DecisionMade

from adapters.scheduler.kafka import decision_in, decision_made, decision_message
from domain.scheduler.decide import Difficulties, decide
from domain.scheduler.model import Decision, ProgressUpdate, Publication, PublishedItem, PublishedSkill
from domain.scheduler.policy import PRACTICE_1
from domain.scheduler.pool import compiled
from domain.scheduler.state import LearnerState
from tests.unit.scheduler.making import NOW, histories, publication, publications, request


def decided(made: Publication, state: LearnerState, size: int) -> Decision:
    pool = compiled(made)
    return decide(pool, Difficulties.unknown(pool), state, PRACTICE_1, request(size), NOW + timedelta(days=1))


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
    # Weights are kept with the terms of candidates: without any there is nothing to weigh.
    assert decision_in(decision_made("north", decision).payload) == replace(decision, weights=())
