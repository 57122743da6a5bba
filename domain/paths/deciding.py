"""What people decide about a path, and who may decide what."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from domain.paths.graph import CourseGraph, cycle_in
from domain.paths.model import (
    MOST_ORDERED,
    MOST_OVERRIDES,
    Goal,
    Override,
    OverrideKind,
    OverrideNotAllowed,
    Path,
    PathChange,
    SetByTeacher,
    TooManyOverrides,
    teaches,
)
from domain.paths.planning import locked_before
from domain.shared.caller import Caller
from domain.shared.errors import FieldViolation, InvalidInput

LONGEST_NOTE: Final = 500
_GOVERNED: Final = ("goal_skills", "target_mastery", "due_date", "learner_may_skip")
"""What a learner cannot change once a teacher has set it. The minutes a day are always the learner's own."""
_VERBS: Final = {
    OverrideKind.PIN_FIRST: ("put {} first", "no longer puts {} first"),
    OverrideKind.SKIP: ("left out {}", "no longer leaves out {}"),
    OverrideKind.ADD: ("added {}", "took {} back off the path"),
    OverrideKind.LOCK_ORDER: ("set the order {}", "withdrew the order {}"),
}


def founded(path: Path, caller: Caller) -> Path:
    """Returns a new path with what its creator set; raises SetByTeacher if a learner allows themselves to skip."""
    if teaches(caller):
        return replace(path, teacher_settings=dict.fromkeys(_GOVERNED, caller.user))
    if path.learner_may_skip:
        raise SetByTeacher("whether learners may skip steps is decided by teachers: leave learner_may_skip out")
    return path


def changed(path: Path, change: PathChange, caller: Caller) -> Path:
    """Returns the path with the change, not yet planned. Raises SetByTeacher naming the fields that are not the caller's to change."""
    fields = change.fields()
    settings = dict(path.teacher_settings)
    if teaches(caller):
        settings |= {name: caller.user for name in _GOVERNED if name in fields}
    else:
        held = {name: settings[name] for name in fields if name in settings}
        if "learner_may_skip" in fields:
            held.setdefault("learner_may_skip", "teachers")
        if held:
            raise SetByTeacher(f"decided by others: {', '.join(f'{name} by {by}' for name, by in sorted(held.items()))}")
    goal = Goal(
        due=path.goal.due if change.due is None else change.due,
        minutes_per_day=path.goal.minutes_per_day if change.minutes_per_day is None else change.minutes_per_day,
        skills=path.goal.skills if change.skills is None else change.skills,
        target=path.goal.target if change.target is None else change.target,
    )
    return replace(
        path,
        goal=goal,
        title=path.title if change.title is None else change.title,
        learner_may_skip=path.learner_may_skip if change.learner_may_skip is None else change.learner_may_skip,
        teacher_settings=settings,
    )


def unknown_goals(goal: Goal, graph: CourseGraph) -> list[FieldViolation]:
    """Returns a fault for every goal skill that the course does not have."""
    return [
        FieldViolation(f"path.goal_skills[{index}]", f"the course {graph.course} has no skill {each}")
        for index, each in enumerate(goal.skills)
        if each not in graph.skills
    ]


def check_form(override: Override, withdraw: bool) -> None:
    """Raises InvalidInput naming what is wrong with an override whatever the path."""
    count = len(override.skills)
    order = override.kind is OverrideKind.LOCK_ORDER
    fits = (2 <= count <= MOST_ORDERED or (withdraw and not count)) if order else count == 1
    rules = (
        (fits, "skills", f"must be 2 to {MOST_ORDERED} skills in their order" if order else "must be exactly one skill"),
        (len(set(override.skills)) == count, "skills", "must not name a skill twice"),
        (
            len(override.note) <= LONGEST_NOTE and "\0" not in override.note,
            "note",
            f"must have at most {LONGEST_NOTE} characters",
        ),
    )
    if found := [FieldViolation(field, description) for holds, field, description in rules if not holds]:
        raise InvalidInput(found)


def overridden(path: Path, override: Override, caller: Caller, graph: CourseGraph) -> Path:
    """Returns the path with the override, not yet planned; the path itself if it is set already. The newest override is last.

    Raises OverrideNotAllowed, InvalidInput naming the skill that does not fit, or TooManyOverrides.
    """
    if not teaches(caller) and not (override.kind is OverrideKind.SKIP and path.learner_may_skip):
        raise OverrideNotAllowed(
            "learners may only leave steps out, where the path allows it"
            if path.learner_may_skip
            else "teachers decide about the steps"
        )
    if any(each.same_as(override) for each in path.overrides):
        return path
    _check_fit(path, override, graph)
    if len(path.overrides) >= MOST_OVERRIDES:
        raise TooManyOverrides(f"the path has {MOST_OVERRIDES} overrides: withdraw some first")
    others = path.overrides
    if override.kind is OverrideKind.LOCK_ORDER:
        others = tuple(each for each in others if each.kind is not OverrideKind.LOCK_ORDER)
    return replace(path, overrides=(*others, override))


def withdrawn(path: Path, override: Override, caller: Caller) -> tuple[Path, Override | None]:
    """Returns the path without the override, not yet planned, and the override as it was set; the path itself and None if it was not.

    An order is withdrawn whatever skills are named. Raises OverrideNotAllowed for a learner, unless it is their own skip.
    """
    order = override.kind is OverrideKind.LOCK_ORDER
    found = next((each for each in path.overrides if each.kind is override.kind and (order or each.same_as(override))), None)
    if not teaches(caller) and (found is None or found.by != caller.user or found.kind is not OverrideKind.SKIP):
        raise OverrideNotAllowed("learners withdraw only what they left out themselves")
    if found is None:
        return path, None
    return replace(path, overrides=tuple(each for each in path.overrides if each is not found)), found


def _check_fit(path: Path, override: Override, graph: CourseGraph) -> None:
    steps = {each.skill: each for each in path.steps}
    for index, skill in enumerate(override.skills):
        field = f"skills[{index}]"
        if skill not in graph.skills:
            raise InvalidInput.of(field, f"the course {path.course} has no skill {skill}")
        if override.kind is OverrideKind.ADD:
            if skill in steps:
                raise InvalidInput.of(field, f"{skill} is on the path already")
        elif skill not in steps:
            raise InvalidInput.of(field, f"{skill} is not on the path; add it first")
        elif override.kind is not OverrideKind.SKIP and _skips(path, skill):
            raise InvalidInput.of(field, f"{skill} is left out; withdraw that first")
    if override.kind is OverrideKind.LOCK_ORDER:
        before = {each.skill: each.prerequisites for each in path.steps}
        if cycle := cycle_in(locked_before(before, override.skills)):
            raise InvalidInput.of("skills", f"the prerequisites want another order: {' → '.join(cycle)} cannot be")


def _skips(path: Path, skill: str) -> bool:
    return any(each.kind is OverrideKind.SKIP and each.skills == (skill,) for each in path.overrides)


def told(override: Override, withdraw: bool, graph: CourseGraph, by: str) -> str:
    """Returns what somebody did, such as `grace put Fractions first (“before the exam”)`."""
    titles = [graph.skills[each].title if each in graph.skills else each for each in override.skills]
    sentence = f"{by} {_VERBS[override.kind][withdraw].format(_arrows(titles))}"
    return f"{sentence} (“{override.note}”)" if override.note and not withdraw else sentence


def _arrows(titles: Sequence[str]) -> str:
    shown = titles if len(titles) <= 6 else [*titles[:5], "…", titles[-1]]
    return " → ".join(shown)
