from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scheduler.constraints import NO_ITEMS
from domain.scheduler.decide import Difficulties, decide, seed_of
from domain.scheduler.drawing import best
from domain.scheduler.model import Decision, ProgressUpdate, Publication, ReasonKind
from domain.scheduler.policy import PRACTICE_2, Policy, Weights
from domain.scheduler.pool import closure, compiled
from domain.scheduler.state import LearnerState
from tests.unit.scheduler.making import ID, NOW, histories, learner_with, policy_with, publication, publications, request, update

LATER = NOW + timedelta(days=30)


def decided(
    made: Publication, state: LearnerState, size: int = 1, decision_id: str = ID, policy: Policy = PRACTICE_2, now=LATER
) -> Decision:
    pool = compiled(made)
    return decide(pool, Difficulties.unknown(pool), state, policy, request(size, decision_id), now)


@given(publications(), histories(), st.integers(1, 50), st.uuids(version=4))
def test_a_decision_is_a_function_of_its_arguments(made, updates: list[ProgressUpdate], size: int, decision_id) -> None:
    state = LearnerState.new().after(updates)
    assert decided(made, state, size, str(decision_id)) == decided(made, state, size, str(decision_id))


@given(publications(), histories(), st.integers(1, 30))
def test_shown_items_are_distinct_recorded_and_have_exact_propensities(made, updates: list[ProgressUpdate], size: int) -> None:
    decision = decided(made, LearnerState.new().after(updates), size)
    items = [each.item for each in decision.choices]
    assert len(set(items)) == len(items) <= size
    assert items
    assert not decision.empty_reason
    recorded = {each.item: each for each in decision.candidates}
    assert set(items) <= set(recorded)
    assert all(0 < each.propensity <= 1 for each in decision.choices)
    # At the first place, the probability to be put first is the probability to be shown there.
    assert decision.choices[0].propensity == pytest.approx(recorded[items[0]].propensity)
    assert sum(each.propensity for each in decision.candidates) <= 1 + 1e-9


@given(publications(), histories())
def test_with_all_candidates_recorded_the_propensities_of_the_first_place_sum_to_one(made, updates) -> None:
    policy = policy_with(recorded=200)
    decision = decided(made, LearnerState.new().after(updates), policy=policy)
    assert sum(each.propensity for each in decision.candidates) == pytest.approx(1.0)


@given(publications(), histories())
def test_terms_are_shares_and_the_score_is_their_weighted_sum(made, updates: list[ProgressUpdate]) -> None:
    decision = decided(made, LearnerState.new().after(updates), 5)
    for candidate in decision.candidates:
        terms = decision.terms(candidate)
        assert [each.kind for each in terms] == list(ReasonKind)
        assert all(0 <= each.value <= 1 for each in terms)
        assert candidate.score == pytest.approx(sum(each.contribution for each in terms))
        assert 0 < candidate.predicted_correct < 1


@given(publications(), histories(), st.integers(1, 30))
def test_prerequisites_are_never_relaxed(made: Publication, updates: list[ProgressUpdate], size: int) -> None:
    pool = compiled(made)
    state = LearnerState.new().after(updates)
    means = {each.skills[0].skill: each.skills[0].mean for each in updates}
    locks = {}
    for group, skill in zip(pool.lock_groups.tolist(), pool.lock_skills.tolist(), strict=True):
        locks.setdefault(group, set()).add(pool.skills[skill].id)
    before = closure({each.id: each.prerequisites for each in made.skills})
    for item in (each.item for each in decided(made, state, size).choices):
        position = pool.items.index(item)
        waited = locks.get(int(pool.item_groups[position]), set())
        assert all(np.float32(means.get(each, PRACTICE_2.prior_mean)) >= PRACTICE_2.met_mean for each in waited)
        assert waited <= {each for skill in pool.skills_of(position) for each in before[pool.skills[skill].id]}


@given(publications(), histories())
def test_everything_open_is_shown_when_that_many_are_asked_for(made: Publication, updates: list[ProgressUpdate]) -> None:
    decision = decided(made, LearnerState.new().after(updates), 50)
    closed = dict(decision.constraints).get("prerequisites", 0)
    assert len(decision.choices) == len(made.items) - closed


def test_shown_items_come_as_often_as_their_propensities_say() -> None:
    made, state = publication(9, ("a",)), learner_with(a=0.5)
    policy = policy_with(temperature=0.5, recorded=100)
    pool = compiled(made)
    difficulty = Difficulties(np.linspace(-2, 2, 9), np.ones(9, dtype=np.bool_))
    times = 3_000
    decisions = [decide(pool, difficulty, state, policy, request(1, f"{ID}-{n}"), LATER) for n in range(times)]
    expected = {each.item: each.propensity for each in decisions[0].candidates}
    seen = dict.fromkeys(expected, 0)
    for decision in decisions:
        seen[decision.choices[0].item] += 1
    # Pearson's chi-square with 8 degrees of freedom: 35 is exceeded once in 37,000 runs.
    assert sum((seen[item] - times * p) ** 2 / (times * p) for item, p in expected.items()) < 35


def test_a_new_learner_gets_only_items_of_skills_without_prerequisites() -> None:
    decision = decided(publication(), LearnerState.new(), 12)
    assert {each.skills for each in decision.choices} == {("a",)}
    assert dict(decision.constraints)["prerequisites"] == 8
    assert set(decision.fallbacks) == {"ability_unknown", "mastery_unknown", "difficulty_unknown"}


def test_a_prerequisite_that_was_only_seen_does_not_open_what_follows() -> None:
    assert {each.skills for each in decided(publication(), learner_with(a=0.79), 12).choices} == {("a",)}
    assert {each.skills for each in decided(publication(), learner_with(a=0.81), 12).choices} == {("a",), ("b",)}


def test_the_item_just_answered_does_not_come_again_while_others_are_free() -> None:
    state = LearnerState.new().after([update(1, "item-3", correct=False)])
    for n in range(50):
        decision = decided(publication(), state, decision_id=f"{ID}-{n}", now=NOW)
        assert decision.choices[0].item != "item-3"
        assert ("recency", 1) in decision.constraints


def test_what_was_right_and_is_not_due_comes_last_but_one_and_the_recent_last() -> None:
    state = LearnerState.new().after([update(1, "item-0"), update(2, "item-3"), update(3, "item-6", correct=False)])
    decision = decided(publication(), state, 4, now=NOW + timedelta(hours=1))
    # Of the four open items one is free; one, a third of them, counts as recent.
    assert decision.choices[0].item == "item-9"
    assert {each.item for each in decision.choices[1:3]} == {"item-0", "item-3"}
    assert decision.choices[3].item == "item-6"
    assert dict(decision.constraints) == {"prerequisites": 8, "recency": 1, "settled": 2}
    assert {"settled_relaxed", "recency_relaxed"} <= set(decision.fallbacks)
    assert [decision.choices[0].propensity, decision.choices[3].propensity] == [1.0, 1.0]


def test_when_only_settled_items_are_left_the_record_still_has_the_exact_propensity_of_each() -> None:
    items = [f"item-{n}" for n in (7, 2, 5, 0, 8, 1, 3, 6, 4)]
    state = LearnerState.new().after(update(n + 1, item, at=NOW.timestamp() - 86_000 + n) for n, item in enumerate(items))
    decision = decided(publication(9, ("a",)), state, 9, now=NOW)
    assert decision.fallbacks[-1] == "settled_relaxed"
    assert sum(each.propensity for each in decision.candidates) == pytest.approx(1.0)
    first = next(each for each in decision.candidates if each.item == decision.choices[0].item)
    assert first.propensity == pytest.approx(decision.choices[0].propensity)


def test_a_pool_with_one_item_shows_it_again_and_again() -> None:
    state = LearnerState.new().after([update(1, "item-0")])
    assert [each.item for each in decided(publication(1, ("a",)), state, 3, now=NOW).choices] == ["item-0"]


def test_a_course_without_items_says_so() -> None:
    decision = decided(publication(0), LearnerState.new())
    assert (decision.choices, decision.empty_reason) == ((), NO_ITEMS)


def test_what_is_overdue_is_reviewed_before_what_is_mastered_is_practised_further() -> None:
    policy = policy_with(temperature=0.005)
    state = LearnerState.new().after([update(1, "item-0", mean=0.97, at=NOW.timestamp() - 40 * 86_400)])
    choice = decided(publication(9, ("a",)), state, policy=policy, now=NOW).choices[0]
    assert (choice.item, choice.reason_kind, choice.attempts, choice.correct) == ("item-0", ReasonKind.REVIEW, 1, 1)
    assert choice.last_answered_at == NOW - timedelta(days=40)


def test_the_challenge_is_greatest_where_the_prediction_lies_in_the_target_band() -> None:
    pool = compiled(publication(41, ("a",)))
    difficulty = Difficulties(np.linspace(-4, 4, 41), np.ones(41, dtype=np.bool_))
    policy = policy_with(weights=Weights(challenge=1.0), recorded=100)
    candidates = decide(pool, difficulty, LearnerState.new(), policy, request(), NOW).candidates
    assert policy.target_low <= candidates[0].predicted_correct <= policy.target_high
    for candidate in candidates:
        inside = policy.target_low <= candidate.predicted_correct <= policy.target_high
        assert inside == (candidate.score == 1.0)


def test_a_mastered_skill_has_nothing_left_to_grow() -> None:
    decision = decided(publication(3, ("a",)), learner_with(a=0.96))
    terms = [term for each in decision.candidates for term in decision.terms(each)]
    assert {each.value for each in terms if each.kind is ReasonKind.GROWTH} == {0.0}


@given(histories(), st.floats(-3, 3), st.floats(0.1, 3))
def test_a_harder_item_is_never_predicted_easier(updates: list[ProgressUpdate], difficulty: float, harder: float) -> None:
    pool = compiled(publication(2, ("s1",)))
    values = Difficulties(np.array([difficulty, difficulty + harder]), np.ones(2, dtype=np.bool_))
    decision = decide(pool, values, LearnerState.new().after(updates), PRACTICE_2, request(2), LATER)
    predicted = {each.item: each.predicted_correct for each in decision.candidates}
    assert predicted["item-0"] > predicted["item-1"]


def test_the_record_names_what_it_knew() -> None:
    decision = decided(publication(), learner_with(a=0.9))
    assert (decision.learner_sequence, decision.policy_version, decision.seed) == (1, "practice-2", seed_of(ID))
    snapshot = next(each for each in decision.skills if each.skill in decision.choices[0].skills)
    assert snapshot.title == f"Skill {snapshot.skill}"


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.6]), min_size=1, max_size=300), st.integers(1, 3))
def test_the_best_are_the_greatest(scores: list[float], count: int) -> None:
    values = np.array(scores)
    assert sorted(values[best(values[None], count)[0]], reverse=True) == sorted(scores, reverse=True)[:count]


@pytest.mark.parametrize("count", [1, 12, 100])
def test_the_best_of_many_are_the_greatest_and_never_what_is_held_back(count: int) -> None:
    values = np.random.default_rng(7).integers(0, 50, 5_000) / 50.0
    values[:4_900] = -np.inf
    assert sorted(values[best(values[None], count)[0]]) == sorted(values[4_900:])[-count:]
    assert best(np.full((2, 5_000), -np.inf), count) == [[], []]
