from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scheduler.goal import LEFT, RATES, items_needed
from domain.scheduler.goal_plan import GoalPlan, plan
from domain.scheduler.model import Goal, Publication
from domain.scheduler.policy import PRACTICE_2
from domain.scheduler.pool import closure, compiled
from domain.scheduler.state import LearnerState
from domain.shared.errors import InvalidInput
from tests.unit.scheduler.making import NOW, histories, learner_with, publication, publications, update

GOAL = Goal(NOW + timedelta(days=30), 20.0, 0.9)


def planned(made: Publication, state: LearnerState, goal: Goal = GOAL, minutes_per_item: float = 1.5) -> GoalPlan:
    return plan(compiled(made), state, PRACTICE_2, goal, NOW, minutes_per_item)


def test_what_is_left_of_the_way_is_the_mean_over_the_rates() -> None:
    assert LEFT[0] == 1.0
    assert LEFT[7] == pytest.approx(np.mean((1.0 - RATES) ** 7))
    assert np.all(np.diff(LEFT) < 0)


@given(st.floats(0, 0.999), st.floats(0.5, 0.99))
def test_the_items_needed_are_the_fewest_that_are_expected_to_do(mean: float, target: float) -> None:
    needed = int(items_needed(np.array([mean]), target)[0])
    reached = 1.0 - (1.0 - mean) * LEFT
    assert reached[needed] >= target - 1e-9
    assert needed == 0 or reached[needed - 1] < target


@given(publications(), histories(), st.floats(0.1, 366), st.floats(1, 240), st.floats(0.5, 0.99))
def test_a_plan_keeps_to_the_minutes_the_order_and_the_bounds(made, updates, days: float, minutes: float, target: float) -> None:
    state = LearnerState.new().after(updates)
    goal = Goal(NOW + timedelta(days=days), minutes, target)
    result = planned(made, state, goal)
    by_skill = dict.fromkeys(result.goal.skills, 0)
    spent, before = 0, result.now.mean
    for day in result.days:
        spent += day.reviews + sum(items for _, items in day.practice)
        assert spent * 1.5 <= (day.day + 1) * minutes + 1e-6
        assert NOW <= day.starts_at < goal.deadline
        assert day.mastery.mean >= before - 1e-9
        before = day.mastery.mean
        for skill, items in day.practice:
            by_skill[skill] += items
    for each in result.skills:
        assert by_skill[each.skill] == each.items_planned <= each.items_needed
        for projection in (each.now, each.at_deadline, result.now, result.at_deadline):
            assert 0.0 <= projection.lower <= projection.mean <= projection.upper <= 1.0
    assert result.reachable == all(each.at_deadline.mean >= target - 1e-6 for each in result.skills)
    # Nothing is practised before what it builds on is done.
    done: set[str] = set()
    before_of = closure({each.id: each.prerequisites for each in made.skills})
    for each in result.skills:
        assert before_of.get(each.skill, frozenset()) & by_skill.keys() <= done
        done.add(each.skill)


def test_the_minutes_a_day_that_are_said_to_do_do_and_a_tenth_fewer_do_not() -> None:
    goal = replace(GOAL, minutes_a_day=3.0)
    needed = planned(publication(), LearnerState.new(), goal).minutes_a_day_needed
    assert not planned(publication(), LearnerState.new(), goal).reachable
    assert planned(publication(), LearnerState.new(), replace(goal, minutes_a_day=needed)).reachable
    assert not planned(publication(), LearnerState.new(), replace(goal, minutes_a_day=needed * 0.9)).reachable


def test_more_minutes_never_lead_to_less() -> None:
    means = [
        planned(publication(), learner_with(a=0.5), replace(GOAL, minutes_a_day=minutes)).at_deadline.mean
        for minutes in (1, 2, 5, 10, 20, 60)
    ]
    assert all(later >= earlier for earlier, later in pairwise(means))


def test_only_the_named_skills_and_what_they_build_on_are_planned() -> None:
    result = planned(publication(), LearnerState.new(), replace(GOAL, skills=("b",)))
    assert [each.skill for each in result.skills] == ["a", "b"]
    assert result.goal.skills == ("a", "b")


def test_what_is_mastered_already_needs_nothing() -> None:
    result = planned(publication(), learner_with(a=0.95, b=0.95, c=0.95))
    assert (result.reachable, result.minutes_a_day_needed, result.days) == (True, 0.0, ())
    assert result.now == result.at_deadline


def test_reviews_come_on_the_day_they_fall_due_and_take_at_most_their_share() -> None:
    state = LearnerState.new().after(update(n + 1, f"item-{n}", mean=0.95) for n in range(12))
    result = planned(publication(), state, replace(GOAL, minutes_a_day=15.0))
    reviews = {each.day: each.reviews for each in result.days if each.reviews}
    assert reviews[1] == 4  # twelve fall due a day later; two a day fit, and the first day's were left
    assert sum(reviews.values()) == 12


@pytest.mark.parametrize("deadline", [NOW, NOW - timedelta(days=1), NOW + timedelta(days=367)])
def test_a_deadline_that_does_not_lie_within_a_year_ahead_is_refused(deadline) -> None:
    with pytest.raises(InvalidInput) as refusal:
        planned(publication(), LearnerState.new(), replace(GOAL, deadline=deadline))
    assert refusal.value.violations[0].field == "goal.deadline"


def test_a_course_without_skills_is_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        planned(publication(0, ()), LearnerState.new())
    assert refusal.value.violations[0].field == "course"


def test_a_long_chain_of_skills_is_planned_for_a_year() -> None:
    made = publication(600, [f"s{n}" for n in range(600)])
    result = planned(
        made, LearnerState.new(), replace(GOAL, deadline=NOW + timedelta(days=366), minutes_a_day=240.0, skills=("s599",))
    )
    assert [each.skill for each in result.skills] == [f"s{n}" for n in range(600)]
    assert (result.reachable, len(result.days)) == (True, 80)  # 600 skills of 17 items each, 128 items a day
