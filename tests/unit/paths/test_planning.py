from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.paths.graph import CourseGraph, CourseSkill
from domain.paths.model import (
    CourseWithoutSkills,
    LearnerMastery,
    OverrideKind,
    Path,
    PathState,
    PrerequisitesCyclic,
    StepStatus,
    Verdict,
)
from domain.paths.planning import laid_out, replanned
from tests.unit.paths.making import DUE, FRACTIONS, TODAY, bare, graph, knowing, names, override, path, planned_paths

PIN, SKIP, ADD, ORDER = OverrideKind.PIN_FIRST, OverrideKind.SKIP, OverrideKind.ADD, OverrideKind.LOCK_ORDER


def status(planned: Path) -> dict[str, str]:
    return {each.skill: each.status.value for each in planned.steps}


def reason(planned: Path, skill: str) -> str:
    return next(each.reason for each in planned.steps if each.skill == skill)


@given(planned_paths())
def test_every_prerequisite_comes_before_what_builds_on_it(made: tuple[CourseGraph, Path]) -> None:
    over, planned = made
    place = {each.skill: number for number, each in enumerate(planned.steps)}
    for step in planned.steps:
        for before in over.skills[step.skill].prerequisites:
            assert before not in place or place[before] < place[step.skill]


@given(planned_paths())
def test_a_step_is_open_exactly_when_nothing_left_comes_before_it(made: tuple[CourseGraph, Path]) -> None:
    _, planned = made
    left = {each.skill for each in planned.steps if each.left}
    order = next((each.skills for each in planned.overrides if each.kind is ORDER), ())
    for step in planned.steps:
        if step.left and step.skill not in order:
            assert (step.status is StepStatus.OPEN) == left.isdisjoint(step.prerequisites)


@given(planned_paths())
def test_whenever_something_is_left_something_can_be_practised(made: tuple[CourseGraph, Path]) -> None:
    _, planned = made
    if planned.state is PathState.ACTIVE:
        assert any(each.status is StepStatus.OPEN for each in planned.steps)


@given(planned_paths())
def test_the_minutes_of_the_steps_add_up_and_fill_the_days_one_after_another(made: tuple[CourseGraph, Path]) -> None:
    _, planned = made
    left = [each for each in planned.steps if each.left]
    assert planned.feasibility.minutes.expected == sum(each.minutes.expected for each in left)
    spent = 0
    for step in left:
        assert step.minutes.lower <= step.minutes.expected <= step.minutes.upper
        assert step.start == TODAY + timedelta(days=spent // planned.goal.minutes_per_day)
        spent += step.minutes.expected
        assert step.end == TODAY + timedelta(days=(spent - 1) // planned.goal.minutes_per_day)
    assert planned.feasibility.end == (left[-1].end if left else None)


@given(planned_paths())
def test_the_verdict_and_what_would_help_are_true(made: tuple[CourseGraph, Path]) -> None:
    over, planned = made
    found, goal = planned.feasibility, planned.goal
    assert (found.verdict is Verdict.LATE) == (found.end is not None and found.end > goal.due) == (found.missing > 0)
    if found.missing and found.sufficient:
        faster = replanned(replace(planned, goal=replace(goal, minutes_per_day=found.sufficient)), TODAY)
        assert faster.feasibility.verdict is not Verdict.LATE
        assert found.sufficient == 1 or found.sufficient > goal.minutes_per_day
    if found.droppable:
        skips = tuple(override(SKIP, each) for each in found.droppable)
        mastery = LearnerMastery(planned.sequence, {each.skill: each.mastery for each in planned.steps})
        lighter = laid_out(replace(planned, overrides=(*planned.overrides, *skips)), over, mastery, TODAY)
        assert lighter.feasibility.missing == 0


@given(planned_paths())
def test_planning_again_changes_nothing(made: tuple[CourseGraph, Path]) -> None:
    over, planned = made
    mastery = LearnerMastery(planned.sequence, {each.skill: each.mastery for each in planned.steps})
    assert replanned(planned, TODAY) == planned
    assert laid_out(planned, over, mastery, TODAY) == planned


@given(planned_paths(), st.data())
def test_planning_never_loses_an_override(made: tuple[CourseGraph, Path], data: st.DataObject) -> None:
    over, planned = made
    kept = data.draw(st.sets(st.sampled_from(sorted(over.skills)), min_size=1))
    smaller = CourseGraph(
        "maths",
        2,
        {
            each.id: CourseSkill(each.id, each.title, tuple(one for one in each.prerequisites if one in kept))
            for each in over.skills.values()
            if each.id in kept
        },
    )
    shrunk = laid_out(planned, smaller, LearnerMastery(0, {}), TODAY)
    assert shrunk.overrides == planned.overrides
    grown = laid_out(shrunk, replace(over, number=3), LearnerMastery(0, {}), TODAY)
    assert grown.overrides == planned.overrides
    assert {each.skill for each in grown.steps} == {each.skill for each in planned.steps}


def test_only_what_the_goal_needs_is_on_the_path() -> None:
    assert set(names(path(skills=("mul",)))) == {"count", "add", "mul"}
    assert set(names(path())) == set(FRACTIONS.skills)


def test_what_most_skills_in_a_row_wait_for_comes_first_and_then_the_weakest() -> None:
    over = graph(long1="", long2="long1", long3="long2", weak="", strong="")
    planned = path(over=over, mastery=knowing(strong=0.7, weak=0.2, long1=0.75))
    assert names(planned) == ["long1", "long2", "weak", "long3", "strong"]


def test_practice_does_not_shuffle_the_steps() -> None:
    over = graph(a="", b="", c="")
    planned = path(over=over, mastery=knowing(a=0.2, b=0.3, c=0.4))
    practised = laid_out(planned, over, knowing(1, a=0.6, b=0.3, c=0.1), TODAY)
    assert names(practised) == names(planned) == ["a", "b", "c"]


def test_what_is_mastered_from_the_beginning_is_no_step() -> None:
    planned = path(mastery=knowing(count=0.9, add=0.85))
    assert names(planned) == ["mul", "sub", "fractions"]
    assert status(planned)["mul"] == status(planned)["sub"] == "OPEN"


def test_a_goal_that_is_mastered_already_is_a_path_without_steps_that_says_so() -> None:
    planned = path(mastery=knowing(**dict.fromkeys(FRACTIONS.skills, 0.9)))
    assert planned.visible == ()
    assert planned.state is PathState.ACHIEVED
    assert "mastered already" in planned.summary
    assert planned.feasibility.verdict is Verdict.ON_TRACK


def test_prerequisites_need_no_more_than_what_opens_the_next_skill() -> None:
    targets = {each.skill: each.target for each in path(skills=("mul",), target=0.95).steps}
    assert targets == {"count": 0.8, "add": 0.8, "mul": 0.95}
    low = {each.skill: each.target for each in path(target=0.6).steps}
    assert low == {"count": 0.8, "add": 0.8, "sub": 0.8, "mul": 0.8, "fractions": 0.6}


def test_a_cycle_is_refused_with_its_name() -> None:
    with pytest.raises(PrerequisitesCyclic, match=r": a → c → b → a$"):
        path(over=graph(a="b", b="c", c="a", d="a"))


def test_a_cycle_that_the_goal_does_not_need_does_no_harm() -> None:
    assert names(path(over=graph(a="b", b="a", c=""), skills=("c",))) == ["c"]


def test_a_course_without_skills_is_refused() -> None:
    with pytest.raises(CourseWithoutSkills):
        path(over=graph())


def test_a_goal_that_the_course_has_lost_says_so() -> None:
    lost = laid_out(path(skills=("mul",)), graph(number=2, sub=""), LearnerMastery(0, {}), TODAY)
    assert lost.steps == ()
    assert "none of the goal's skills" in lost.summary


def test_the_newest_pin_is_first_and_what_it_needs_comes_with_it() -> None:
    over = graph(a="", b="a", c="", d="", e="d")
    planned = path(override(PIN, "c"), override(PIN, "e", note="exam on Friday"), over=over)
    assert names(planned)[:3] == ["d", "e", "c"]
    assert "Put first by grace (“exam on Friday”)." in reason(planned, "e")
    assert "Comes before E, which was put first by grace" in reason(planned, "d")


def test_what_builds_on_a_skipped_step_waits_for_it_no_longer() -> None:
    planned = path(override(SKIP, "count"))
    assert status(planned)["count"] == "SKIPPED"
    assert status(planned)["add"] == status(planned)["sub"] == "OPEN"
    assert reason(planned, "count") == "Left out by grace."


def test_what_only_a_skipped_step_needs_leaves_with_it() -> None:
    planned = path(override(SKIP, "mul"), skills=("fractions",))
    assert status(planned) == {"count": "OPEN", "sub": "LOCKED", "mul": "SKIPPED", "fractions": "LOCKED"}


def test_an_added_skill_brings_what_it_needs() -> None:
    planned = path(override(ADD, "mul"), skills=("sub",))
    assert set(names(planned)) == {"count", "add", "mul", "sub"}
    assert "Added by grace." in reason(planned, "mul")
    assert "Needed for Mul." in reason(planned, "add")


def test_an_added_skill_that_is_mastered_is_shown_as_done() -> None:
    planned = path(override(ADD, "sub"), skills=("mul",), mastery=knowing(sub=0.9))
    assert status(planned)["sub"] == "DONE"


def test_each_step_of_a_locked_order_waits_for_the_one_before() -> None:
    over = graph(a="", b="", c="")
    planned = path(override(ORDER, "c", "a", "b"), over=over)
    assert names(planned) == ["c", "a", "b"]
    assert [each.status.value for each in planned.steps] == ["OPEN", "LOCKED", "LOCKED"]
    assert "Waits for C." in reason(planned, "a")
    assert "order was set by grace" in reason(planned, "a")


def test_an_order_that_a_new_publication_contradicts_rests_and_is_told() -> None:
    planned = path(override(ORDER, "b", "a"), over=graph(a="", b=""))
    after = laid_out(planned, graph(number=2, a="", b="a"), LearnerMastery(0, {}), TODAY)
    assert names(after) == ["a", "b"]
    assert after.overrides == planned.overrides
    assert "contradicts the prerequisites" in after.summary


def test_an_override_of_a_skill_that_the_course_has_lost_rests_and_is_told() -> None:
    after = laid_out(path(override(PIN, "sub")), graph(number=2, count=""), LearnerMastery(0, {}), TODAY)
    assert "sub is not on the path now, so what grace decided about it rests." in after.summary


def test_a_goal_that_does_not_fit_says_by_how_much_and_what_would_do() -> None:
    planned = path(due=date(2026, 9, 2), minutes=10)
    assert planned.feasibility.missing == planned.feasibility.minutes.expected - 20
    assert planned.feasibility.droppable == ("fractions", "sub", "mul")
    assert f"{planned.feasibility.missing} minutes are missing" in planned.summary
    assert f"{planned.feasibility.sufficient} minutes a day" in planned.summary
    assert "leaving out Fractions, Sub and Mul" in planned.summary


def test_what_a_person_added_or_pinned_is_not_offered_for_leaving_out() -> None:
    planned = path(override(PIN, "fractions"), due=date(2026, 9, 2), minutes=10)
    assert planned.feasibility.droppable == ()


def test_a_date_that_has_passed_is_told() -> None:
    later = replanned(path(), DUE + timedelta(days=1))
    assert later.feasibility.available == 0
    assert later.feasibility.sufficient == 0
    assert "The date has passed" in later.summary


def test_five_thousand_skills_are_one_chain_or_one_crowd() -> None:
    chain = CourseGraph("maths", 1, {f"s{n}": CourseSkill(f"s{n}", f"S{n}", (f"s{n - 1}",) if n else ()) for n in range(5_000)})
    crowd = CourseGraph("maths", 1, {f"s{n}": CourseSkill(f"s{n}", f"S{n}", ("s0",) if n else ()) for n in range(5_000)})
    for over in (chain, crowd):
        planned = laid_out(bare(due=date(2026, 9, 2)), over, LearnerMastery(0, {}), TODAY)
        assert len(planned.steps) == 5_000
        assert planned.steps[0].skill == "s0"
