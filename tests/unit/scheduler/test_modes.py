from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scheduler.constraints import ALL_ANSWERED, NO_ITEMS, NOTHING_ANSWERED
from domain.scheduler.decide import Difficulties, decide
from domain.scheduler.model import Decision, Goal, Mode, ProgressUpdate, Publication, ReasonKind
from domain.scheduler.policy import PRACTICE_2, Balance, Policy, SkillShare, Weights
from domain.scheduler.pool import compiled
from domain.scheduler.state import LearnerState
from domain.shared.errors import InvalidInput
from tests.unit.scheduler.making import ID, NOW, histories, learner_with, policy_with, publication, publications, request, update

LATER = NOW + timedelta(days=30)


def decided(
    made: Publication,
    state: LearnerState,
    mode: Mode,
    size: int = 1,
    policy: Policy = PRACTICE_2,
    now=LATER,
    goal: Goal | None = None,
    decision_id: str = ID,
    difficulties: Difficulties | None = None,
) -> Decision:
    pool = compiled(made)
    return decide(
        pool,
        difficulties or Difficulties.unknown(pool),
        state,
        policy,
        request(size, decision_id, mode=mode, goal=goal),
        now,
    )


@given(publications(), histories(), st.sampled_from(Mode), st.integers(1, 50))
def test_in_every_mode_something_is_shown_or_the_reason_is_given(
    made: Publication, updates: list[ProgressUpdate], mode: Mode, size: int
) -> None:
    decision = decided(made, LearnerState.new().after(updates), mode, size)
    items = [each.item for each in decision.choices]
    assert bool(items) != bool(decision.empty_reason)
    assert len(set(items)) == len(items) <= size
    assert all(0 < each.propensity <= 1 and each.propensity == each.arm_propensity for each in decision.choices)
    assert decision == decided(made, LearnerState.new().after(updates), mode, size)


@given(publications(), histories(), st.sampled_from(Mode))
def test_in_every_mode_the_propensities_of_the_first_place_sum_to_one(made, updates, mode: Mode) -> None:
    decision = decided(made, LearnerState.new().after(updates), mode, policy=policy_with(recorded=200))
    if decision.choices:
        assert sum(each.propensity for each in decision.candidates) == pytest.approx(1.0)
        first = next(each for each in decision.candidates if each.item == decision.choices[0].item)
        assert first.propensity == pytest.approx(decision.choices[0].propensity)


@pytest.mark.parametrize("mode", Mode)
def test_a_course_without_items_says_so_in_every_mode(mode: Mode) -> None:
    assert decided(publication(0), LearnerState.new(), mode).empty_reason == NO_ITEMS


@given(publications(), histories(), st.integers(1, 30))
def test_a_review_shows_what_is_due_the_most_forgotten_first(made, updates: list[ProgressUpdate], size: int) -> None:
    state = LearnerState.new().after(updates)
    decision = decided(made, state, Mode.REVIEW, size, policy_with(recorded=200))
    urgency = {each.item: each.values[0] for each in decision.candidates}
    free = [urgency[each.item] for each in decision.choices if not each.relaxed]
    assert free == sorted(free, reverse=True)
    due = {each.item for each in updates} & {each.id for each in made.items}
    assert {each.item for each in decision.choices} <= due


def test_a_review_holds_back_what_is_not_due_and_says_when_it_will_be() -> None:
    state = LearnerState.new().after([update(1, "item-0", at=NOW.timestamp())])
    decision = decided(publication(), state, Mode.REVIEW, now=NOW + timedelta(minutes=5))
    assert decision.empty_reason == "Nothing is due for review now; the next review is due within a day."
    assert dict(decision.constraints) == {"unanswered": 11, "not_due": 1}
    assert decided(publication(), LearnerState.new(), Mode.REVIEW).empty_reason == NOTHING_ANSWERED


def test_an_exam_repeats_nothing_and_is_even_over_the_skills() -> None:
    state = LearnerState.new().after([update(1, "item-0"), update(2, "item-1", skill="b")])
    decision = decided(publication(30), state, Mode.EXAM, 12)
    assert not {"item-0", "item-1"} & {each.item for each in decision.choices}
    counts = Counter(each.skills[0] for each in decision.choices) + Counter("ab")
    assert max(counts.values()) - min(counts.values()) <= 1
    assert dict(decision.constraints) == {"repetition": 2}
    for choice in decision.choices:
        assert choice.reason == f"This is your exam's next question on Skill {choice.skills[0]}."


def test_an_exam_ends_when_everything_was_answered() -> None:
    state = LearnerState.new().after(update(n + 1, f"item-{n}") for n in range(3))
    assert decided(publication(3), state, Mode.EXAM).empty_reason == ALL_ANSWERED


def test_placement_takes_what_tells_most_spread_over_skills_whose_prerequisites_do_not_count() -> None:
    made = publication(30)
    pool = compiled(made)
    difficulty = Difficulties(np.where(np.arange(30) % 2, 3.0, 0.0), np.ones(30, dtype=np.bool_))
    decision = decided(made, LearnerState.new(), Mode.PLACEMENT, 9, difficulties=difficulty)
    assert Counter(each.skills[0] for each in decision.choices) == {"a": 3, "b": 3, "c": 3}
    assert {float(difficulty.values[pool.items.index(each.item)]) for each in decision.choices} == {0.0}
    assert {each.reason_kind for each in decision.choices} == {ReasonKind.INFORMATION}


def test_information_is_greatest_where_the_prediction_is_one_half() -> None:
    pool = compiled(publication(41, ("a",)))
    difficulty = Difficulties(np.linspace(-4, 4, 41), np.ones(41, dtype=np.bool_))
    policy = policy_with(weights=Weights(information=1.0), recorded=100)
    candidates = decide(pool, difficulty, LearnerState.new(), policy, request(), NOW).candidates
    assert candidates[0].predicted_correct == pytest.approx(0.5)
    for each in candidates:
        assert each.score == pytest.approx(4.0 * each.predicted_correct * (1.0 - each.predicted_correct))


def test_an_item_that_had_its_share_of_all_answers_waits_until_others_ran_out() -> None:
    state = LearnerState.new().after(
        update(n + 1, "item-0", correct=False, at=NOW.timestamp() + n) for n in range(PRACTICE_2.exposure_floor)
    )
    decision = decided(publication(3, ("a",)), state, Mode.PRACTICE, 3)
    assert dict(decision.constraints) == {"exposure": 1}
    assert (decision.choices[-1].item, decision.choices[-1].relaxed) == ("item-0", "exposure")
    assert "exposure_relaxed" in decision.fallbacks


def practised(*items: int) -> LearnerState:
    return LearnerState.new().after(
        update(n + 1, f"item-{item}", skill="abc"[item % 3], mean=0.9, at=NOW.timestamp() + n) for n, item in enumerate(items)
    )


def test_a_skill_that_had_its_share_waits_for_the_others() -> None:
    policy = policy_with(balance=Balance(window=4, most=0.6))
    decision = decided(publication(30), practised(0, 3, 6, 1), Mode.PRACTICE, 1, policy)
    assert dict(decision.constraints)["balance"] == 10
    assert {
        each.item for each in decided(publication(30), practised(0, 3, 6, 1), Mode.PRACTICE, 15, policy).choices[:15]
    }.isdisjoint({f"item-{n}" for n in range(0, 30, 3)})


def test_a_skill_below_its_least_share_comes_first() -> None:
    policy = policy_with(balance=Balance(window=4, shares=(SkillShare("b", least=0.5),)))
    for n in range(20):
        decision = decided(publication(30), practised(0, 3, 6, 1), Mode.PRACTICE, 1, policy, decision_id=f"{ID}-{n}")
        assert decision.choices[0].skills == ("b",)


def test_when_every_skill_had_its_share_nothing_waits_for_it() -> None:
    policy = policy_with(balance=Balance(window=2, most=0.5))
    decision = decided(publication(30, ("a", "b")), practised(0, 1), Mode.PRACTICE, 1, policy)
    assert "balance" not in dict(decision.constraints)
    assert decision.choices


def test_constraints_that_contradict_each_other_give_way_in_their_order() -> None:
    policy = policy_with(balance=Balance(window=4, most=0.3), recency=4)
    decision = decided(publication(12), practised(0, 3, 6, 1), Mode.PRACTICE, 12, policy, now=NOW + timedelta(hours=1))
    order = [each.relaxed for each in decision.choices]
    assert order == sorted(order, key=["", "balance", "settled", "exposure", "recency"].index)
    assert len(order) == 12
    assert [each for each in decision.fallbacks if each.endswith("_relaxed")] == [
        f"{each}_relaxed" for each in dict.fromkeys(order) if each
    ]


def test_a_goal_prefers_the_skills_that_can_still_get_there() -> None:
    policy = policy_with(weights=Weights(goal=1.0), recorded=200)
    state = learner_with(a=0.85, b=0.5, c=0.97)
    made = replace(publication(30), skills=tuple(replace(each, prerequisites=()) for each in publication(30).skills))
    soon = Goal(LATER + timedelta(days=1), 20.0, 0.9)
    decision = decided(made, state, Mode.PRACTICE, 5, policy, goal=soon)
    value = {made.items[int(each.item[5:])].skills[0]: each.values[5] for each in decision.candidates}
    assert value["c"] == 0.0
    assert value["a"] == 1.0
    assert 0.0 < value["b"] <= 1.0
    assert decision.goal == soon


def test_a_goal_whose_date_has_passed_counts_for_nothing_and_the_record_says_so() -> None:
    passed = decided(publication(), LearnerState.new(), Mode.PRACTICE, goal=Goal(NOW, 20.0))
    assert "goal_passed" in passed.fallbacks
    assert {each.values[5] for each in passed.candidates} == {0.0}


def test_a_goal_with_a_skill_that_the_course_lacks_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidInput) as refusal:
        decided(publication(), LearnerState.new(), Mode.PRACTICE, goal=Goal(LATER + timedelta(days=1), 20.0, 0.9, ("a", "z")))
    assert refusal.value.violations[0].field == "goal.skills[1]"


@pytest.mark.parametrize("mode", Mode)
def test_a_clock_that_goes_back_and_answers_at_one_moment_decide_all_the_same(mode: Mode) -> None:
    state = LearnerState.new().after(update(n + 1, f"item-{n % 4}", at=NOW.timestamp()) for n in range(40))
    decision = decided(publication(), state, mode, 5, now=NOW - timedelta(days=3))
    assert bool(decision.choices) != bool(decision.empty_reason)
    assert all(0.0 <= value <= 1.0 for each in decision.candidates for value in each.values)
