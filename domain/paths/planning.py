"""Lays a path over a course's graph and plans it: which skills, in which order, when, and whether that fits.

All of it is a pure function of the path, the graph, the learner's mastery and the day, and linear in skills and prerequisites but for the
logarithm of a heap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from math import ceil

from domain.paths import words
from domain.paths.decisions import Decisions
from domain.paths.effort import NEVER_PRACTISED, Mastery, Minutes, minutes_to, total
from domain.paths.graph import CourseGraph, chains, closure, cycle_in, followers, ordered
from domain.paths.model import (
    MOST_MINUTES,
    PREREQUISITE_TARGET,
    CourseWithoutSkills,
    Feasibility,
    Goal,
    LearnerMastery,
    Path,
    PrerequisitesCyclic,
    Step,
    StepStatus,
    Verdict,
)


def laid_out(path: Path, graph: CourseGraph, learner: LearnerMastery, today: date) -> Path:
    """Returns the path over this publication, planned from this mastery (unless the path knows newer).

    Steps that were on it keep what they have reached. Goal skills that the course has lost are left out, as are overrides of such skills: they
    stay on record and count again when the skill returns. Raises CourseWithoutSkills, or PrerequisitesCyclic naming the cycle.
    """
    if not graph.skills:
        raise CourseWithoutSkills(f"course {path.course} has no skills to plan")
    decisions = Decisions(path.overrides)
    wanted = decisions.added.union(path.goal.skills or graph.skills)
    course = {each.id: each.prerequisites for each in graph.skills.values()}
    inside = closure(course, wanted, decisions.skipped)
    before = {skill: tuple(each for each in course[skill] if each in inside) for skill in inside}
    if cycle := cycle_in(before):
        raise PrerequisitesCyclic(f"the prerequisites of course {path.course} form a cycle: {' → '.join(cycle)}")
    behind = followers(before)
    earlier = {each.skill: each for each in path.steps}
    steps: list[Step] = []
    for skill in [*(each for each in earlier if each in inside), *sorted(inside.difference(earlier))]:
        # What comes before another skill needs at least what opens that skill.
        target = max(path.goal.target if skill in wanted else 0.0, PREREQUISITE_TARGET if behind[skill] else 0.0)
        step = Step(skill, graph.skills[skill].title, before[skill], target, NEVER_PRACTISED)
        known = learner.skills.get(skill, NEVER_PRACTISED)
        steps.append(_carried(step, earlier.get(skill), known, learner.sequence >= path.sequence))
    sequence = max(path.sequence, learner.sequence)
    return replanned(replace(path, steps=tuple(steps), sequence=sequence, publication=graph.number), today)


def _carried(step: Step, earlier: Step | None, mastery: Mastery, newer: bool) -> Step:
    if earlier is None:
        fresh = step.measured(mastery)
        return replace(fresh, known=fresh.reached)
    if earlier.target != step.target:
        earlier = replace(earlier, reached=earlier.mastery.mean >= step.target)
    carried = replace(step, reached=earlier.reached, known=earlier.known, reason=earlier.reason)
    return carried.measured(mastery if newer else earlier.mastery)


def replanned(path: Path, today: date) -> Path:
    """Returns the path with its steps in order, each with its status, minutes, dates and reason, as of today."""
    decisions = Decisions(path.overrides)
    steps = {each.skill: each for each in path.steps}
    before, order_holds = _with_order(steps, decisions)
    pin = _pins(before, decisions)
    settled = {each.skill: each.reached or each.skill in decisions.skipped for each in path.steps}
    # What is settled goes first, then what is pinned, then what most skills in a row wait for (the critical path), then as it was,
    # then the weakest.
    length = chains(before, ordered(before, dict.fromkeys(before, ())))
    rank = {
        each.skill: (
            not settled[each.skill],
            pin[each.skill],
            -length[each.skill],
            place if each.reason else len(steps),  # without a reason it is new
            each.mastery.mean,
        )
        for place, each in enumerate(path.steps)
    }
    in_order = [steps[skill] for skill in ordered(before, rank)]
    planned: list[Step] = []
    spent = 0
    for step in in_order:
        status = _status(step, settled, before[step.skill], decisions)
        minutes, start, end = Minutes(), None, None
        if not settled[step.skill]:
            minutes = minutes_to(step.mastery, step.target, path.pace)
            start, end = (_day(today, at // path.goal.minutes_per_day) for at in (spent, spent + minutes.expected - 1))
            spent += minutes.expected
        planned.append(replace(step, status=status, minutes=minutes, start=start, end=end))
    feasibility = _feasibility(path.goal, planned, decisions, today)
    telling = words.Telling(path.goal, planned, {each.skill: before[each.skill] for each in planned}, decisions, pin, settled)
    planned = [replace(each, reason=telling.reason(each)) for each in planned]
    notes = words.set_aside(decisions, steps, order_holds)
    due_by = path.teacher_settings.get("due_date", "")
    summary = words.summary(path.goal, planned, feasibility, today, due_by, notes)
    return replace(path, steps=tuple(planned), feasibility=feasibility, summary=summary, planned_on=today)


def _with_order(steps: Mapping[str, Step], decisions: Decisions) -> tuple[dict[str, tuple[str, ...]], bool]:
    """Returns what each step waits for, the locked order included if it does not contradict the prerequisites, and whether it does not."""
    before = {each.skill: each.prerequisites for each in steps.values()}
    if decisions.order is None:
        return before, True
    held = locked_before(before, [each for each in decisions.order.skills if each not in decisions.skipped])
    holds = cycle_in(held) is None
    return (held if holds else before), holds


def locked_before(before: Mapping[str, tuple[str, ...]], order: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns the prerequisites with those that a locked order adds; its skills that are not on the path are passed over."""
    held = dict(before)
    present = [each for each in order if each in held]
    for earlier, later in pairwise(present):
        if earlier not in held[later]:
            held[later] = (*held[later], earlier)
    return held


def _pins(before: Mapping[str, Sequence[str]], decisions: Decisions) -> dict[str, int]:
    """Returns the place of each skill among the pins, which what comes before a pinned skill shares; one more than all for the rest."""
    pin: dict[str, int] = {}
    for place, skill in enumerate(decisions.pins):
        waiting = [skill] if skill in before else []
        while waiting:
            each = waiting.pop()
            if each not in pin:
                pin[each] = place
                waiting.extend(before[each])
    return {each: pin.get(each, len(decisions.pins)) for each in before}


def _status(step: Step, settled: Mapping[str, bool], before: Sequence[str], decisions: Decisions) -> StepStatus:
    if step.skill in decisions.skipped:
        return StepStatus.SKIPPED
    if step.reached:
        return StepStatus.KNOWN if step.known and step.skill not in decisions.added else StepStatus.DONE
    return StepStatus.OPEN if all(settled[each] for each in before) else StepStatus.LOCKED


def _day(today: date, days: int) -> date:
    return today + timedelta(days=min(days, (date.max - today).days))


def _feasibility(goal: Goal, steps: Sequence[Step], decisions: Decisions, today: date) -> Feasibility:
    left = [each for each in steps if each.left]
    minutes = total([each.minutes for each in left])
    days = max((goal.due - today).days + 1, 0)
    available = days * goal.minutes_per_day
    missing = max(minutes.expected - available, 0)
    sufficient = ceil(minutes.expected / days) if days else 0
    return Feasibility(
        verdict=Verdict.LATE if missing else Verdict.TIGHT if minutes.upper > available else Verdict.ON_TRACK,
        minutes=minutes,
        available=available,
        missing=missing,
        end=left[-1].end if left else None,
        sufficient=sufficient if sufficient <= MOST_MINUTES else 0,
        droppable=_droppable(goal, left, decisions, available) if missing else (),
    )


def _droppable(goal: Goal, left: Sequence[Step], decisions: Decisions, available: int) -> tuple[str, ...]:
    """Returns goal skills, from the end of the path, without which the rest fits: what only they need goes with them.

    What a person added or pinned stays. Empty if leaving out everything else is not enough.
    """
    steps = {each.skill: each for each in left}
    kept = decisions.added.union(decisions.pins)
    wanted = frozenset(goal.skills or steps) | kept
    needed = dict.fromkeys(steps, 0)
    for each in left:
        for earlier in each.prerequisites:
            if earlier in needed:
                needed[earlier] += 1
    expected = sum(each.minutes.expected for each in left)
    dropped: list[str] = []
    gone = 0
    for step in reversed(left):
        if expected <= available:
            break
        if step.skill not in wanted or step.skill in kept or needed[step.skill]:
            continue
        dropped.append(step.skill)
        leaving = [step.skill]
        while leaving:
            skill = leaving.pop()
            gone += 1
            expected -= steps[skill].minutes.expected
            for earlier in steps[skill].prerequisites:
                if earlier in needed:
                    needed[earlier] -= 1
                    if not needed[earlier] and earlier not in wanted:
                        leaving.append(earlier)
    return tuple(dropped) if expected <= available and gone < len(left) else ()
