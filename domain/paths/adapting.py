"""How a path goes from one plan to the next: what a new mastery does to it, and what then changed, in words."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from domain.paths.effort import NEVER_PRACTISED
from domain.paths.model import Cause, MasteryUpdate, Path, PathAdapted, PathState, Revision, Step, StepStatus, Verdict
from domain.paths.planning import replanned
from domain.paths.words import counted, percent

MOST_CHANGES: Final = 100
_BY_PEOPLE: Final = frozenset((Cause.CREATED, Cause.UPDATED, Cause.OVERRIDDEN, Cause.ARCHIVED))
_VERDICTS: Final = {
    Verdict.ON_TRACK: "the goal is on track for its date",
    Verdict.TIGHT: "the goal just fits its date",
    Verdict.LATE: "the goal does not fit its date",
}


def measured(path: Path, updates: Sequence[MasteryUpdate], now: datetime) -> Path:
    """Returns the path after the updates that it does not know yet and that concern its skills; each counts once, by its sequence and, if it
    is a repair, by the number of that.

    Whether a step is reached follows the updates one by one, so it does not depend on how they are batched. The path itself is returned if
    nothing concerns it.
    """
    steps = {each.skill: each for each in path.steps}
    pace, sequence, repair = path.pace, path.sequence, path.repair
    for update in sorted(updates, key=lambda each: each.version):
        touched = steps.keys() if update.repair else steps.keys() & update.skills.keys()
        if update.version <= (sequence, repair) or not touched:
            continue
        sequence, repair = update.sequence, max(repair, update.repair)
        for skill in touched:
            steps[skill] = steps[skill].measured(update.skills.get(skill, NEVER_PRACTISED))
        if update.seconds is not None and not update.repair:  # whose answer was counted before
            pace = pace.after(update.seconds)
    if (sequence, repair) == (path.sequence, path.repair):
        return path
    steps_now = tuple(steps.values())
    return replanned(replace(path, steps=steps_now, pace=pace, sequence=sequence, repair=repair), now.date())


def revised(old: Path | None, new: Path, cause: Cause, lead: str, now: datetime, by: str = "") -> tuple[Path, PathAdapted | None]:
    """Returns the new path and, if people changed something or the plan did, its next revision as an event.

    What only moved a mastery or a number of minutes is no revision: the steps, their order, their dates and the verdict are the plan.
    """
    changes = [] if old is None else _changes(old, new)
    if old is not None and cause not in _BY_PEOPLE and not changes:
        return new, None
    edition = new.edition + (old is not None and cause in _BY_PEOPLE)
    new = replace(new, revision=new.revision + 1, edition=edition, updated_at=now)
    if len(changes) > MOST_CHANGES:
        changes = [*changes[: MOST_CHANGES - 1], f"and {len(changes) - MOST_CHANGES + 1} more changes"]
    reason = f"{lead}: {changes[0]}" if changes and cause not in _BY_PEOPLE else lead
    return new, PathAdapted(new, Revision(new.learner, new.id, new.revision, cause, now, f"{reason}.", by, tuple(changes)))


def _changes(old: Path, new: Path) -> list[str]:
    before = {each.skill: each for each in old.steps}
    after = {each.skill: each for each in new.steps}
    found = [
        change
        for each in new.steps
        if (earlier := before.get(each.skill)) is None or earlier.status is not each.status
        if (change := _change(earlier, each))
    ]
    found += [f"{each.title} leaves the path" for each in old.visible if each.skill not in after]
    if old.state is not new.state and new.state is not PathState.ARCHIVED:
        found.append("the goal is reached" if new.state is PathState.ACHIEVED else "the goal is open again")
    return [*found, *_changes_of_plan(old, new, before)]


def _change(earlier: Step | None, step: Step) -> str:
    """Returns what happened to one step, empty for nothing that a reader would miss."""
    was = earlier.status if earlier else None
    mastery = percent(step.mastery.mean)
    if step.status is StepStatus.KNOWN:
        return ""
    if step.status is StepStatus.DONE:
        return f"{step.title} is done: mastery is {mastery}, {percent(step.target)} was wanted"
    if step.status is StepStatus.SKIPPED:
        return f"{step.title} is left out"
    if was is None:
        return f"{step.title} joins the path"
    if was in (StepStatus.DONE, StepStatus.KNOWN):
        return f"{step.title} is to be practised again: mastery is {mastery}, {percent(step.target)} is wanted"
    if was is StepStatus.SKIPPED:
        return f"{step.title} is no longer left out"
    return f"{step.title} can be practised now" if step.status is StepStatus.OPEN else f"{step.title} has to wait"


def _changes_of_plan(old: Path, new: Path, before: dict[str, Step]) -> list[str]:
    found: list[str] = []
    left = [each for each in new.steps if each.left]
    stayed = [each for each in left if each.skill in before and before[each.skill].left]
    staying = {each.skill for each in stayed}
    if [each.skill for each in stayed] != [each.skill for each in old.steps if each.skill in staying]:
        found.append(f"the order of the steps changed, {left[0].title} comes first")
    moved = sum((each.start, each.end) != (before[each.skill].start, before[each.skill].end) for each in stayed)
    if moved:
        end = f"the last step ends on {new.feasibility.end}"
        was = f", not on {old.feasibility.end}" if old.feasibility.end != new.feasibility.end else " as before"
        found.append(f"{counted(moved, 'step')} got new dates, {end}{was}")
    if old.feasibility.verdict is not new.feasibility.verdict and left:
        found.append(_VERDICTS[new.feasibility.verdict])
    return found
