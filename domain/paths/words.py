"""What a path says of itself, in plain words for the learner: per step and as a whole."""

from collections.abc import Mapping, Sequence
from datetime import date

from domain.paths.decisions import Decisions
from domain.paths.graph import followers
from domain.paths.model import Feasibility, Goal, Override, OverrideKind, Step, StepStatus, Verdict


def percent(probability: float) -> str:
    """Returns `83 %`. It is rounded down, so that what is below a target does not look as if it had reached it."""
    return f"{int(probability * 100 + 1e-9)} %"


def listed(names: Sequence[str], most: int = 3) -> str:
    """Returns `A`, `A and B`, `A, B and C`, or `A, B and 7 more`."""
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else "nothing"


def said(override: Override) -> str:
    """Returns `by grace`, with the note if there is one."""
    return f"by {override.by} (“{override.note}”)" if override.note else f"by {override.by}"


class Telling:
    """Says why each step of one plan is where it is."""

    def __init__(
        self,
        goal: Goal,
        steps: Sequence[Step],
        before: Mapping[str, Sequence[str]],
        decided: Decisions,
        pin: Mapping[str, int],
        settled: Mapping[str, bool],
    ) -> None:
        self._goal = frozenset(goal.skills)
        self._titles = {each.skill: each.title for each in steps}
        self._before = before
        self._behind = followers(before)
        self._decided = decided
        self._pin = pin
        self._settled = settled

    def reason(self, step: Step) -> str:
        """Returns one to three sentences."""
        if step.status is StepStatus.SKIPPED:
            return f"Left out {said(self._decided.by[OverrideKind.SKIP, step.skill])}."
        if step.status in (StepStatus.DONE, StepStatus.KNOWN):
            return f"{self._why(step)} Done: mastery is {percent(step.mastery.mean)}, {percent(step.target)} was wanted."
        return f"{self._why(step)} {self._where(step)}"

    def _why(self, step: Step) -> str:
        by = self._decided.by
        parts: list[str] = []
        if pinned := by.get((OverrideKind.PIN_FIRST, step.skill)):
            parts.append(f"Put first {said(pinned)}.")
        elif self._pin[step.skill] < len(self._decided.pins):
            goal = self._decided.pins[self._pin[step.skill]]
            parts.append(f"Comes before {self._titles[goal]}, which was put first {said(by[OverrideKind.PIN_FIRST, goal])}.")
        if added := by.get((OverrideKind.ADD, step.skill)):
            parts.append(f"Added {said(added)}.")
        elif step.skill in self._goal or not self._goal:
            parts.append("Part of the goal.")
        if builds_on := [self._titles[each] for each in self._behind[step.skill] if not self._settled[each]]:
            parts.append(f"Needed for {listed(builds_on)}.")
        order = self._decided.order
        if order and step.skill in order.skills:
            parts.append(f"Its place in the order was set {said(order)}.")
        return " ".join(parts) or "Comes before a part of the goal."

    def _where(self, step: Step) -> str:
        if step.status is StepStatus.LOCKED:
            return f"Waits for {listed([self._titles[each] for each in self._before[step.skill] if not self._settled[each]])}."
        return (
            f"Can be practised now: mastery is {percent(step.mastery.mean)}, {percent(step.target)} is wanted, "
            f"which takes about {step.minutes.expected} minutes."
        )


def set_aside(decided: Decisions, present: Mapping[str, Step], order_holds: bool) -> list[str]:
    """Returns a sentence for each override that stays on record and cannot count now."""
    sentences = [
        f"{each.skills[0]} is not on the path now, so what {each.by} decided about it rests."
        for each in decided.overrides
        if each.kind is not OverrideKind.LOCK_ORDER and each.skills[0] not in present
    ]
    if decided.order and not order_holds:
        sentences.append(f"The order that {decided.order.by} set contradicts the prerequisites now, so it rests.")
    return sentences


def summary(goal: Goal, steps: Sequence[Step], feasibility: Feasibility, today: date, due_by: str, notes: Sequence[str]) -> str:
    """Returns what is left, whether it fits, and what would help if it does not. `due_by` is the teacher who set the date, if one did."""
    left = [each for each in steps if each.left]
    if not left:
        return " ".join([_nothing_left(steps), *notes])
    done = sum(each.status is StepStatus.DONE for each in steps)
    minutes = feasibility.minutes
    sentences = [
        f"{counted(len(left), 'step')} left, {done} done. About {minutes.expected} minutes of practice are expected "
        f"({minutes.lower} to {minutes.upper}); until {goal.due}{f' (set by {due_by})' if due_by else ''} "
        f"there are {feasibility.available}.",
        *(_what_helps(goal, steps, feasibility, today) if feasibility.verdict is Verdict.LATE else [_fits(feasibility)]),
    ]
    return " ".join([*sentences, *notes])


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _nothing_left(steps: Sequence[Step]) -> str:
    if not steps:
        return "The course has none of the goal's skills any more: there is nothing to plan."
    if all(each.status is StepStatus.KNOWN for each in steps):
        return "Everything for this goal is mastered already: there is nothing to do."
    return "The goal is reached: every step is done or left out."


def _fits(feasibility: Feasibility) -> str:
    end = f"By the plan the last step ends on {feasibility.end}"
    return f"{end}, on track." if feasibility.verdict is Verdict.ON_TRACK else f"{end}; should it take long, the date is missed."


def _what_helps(goal: Goal, steps: Sequence[Step], feasibility: Feasibility, today: date) -> list[str]:
    gone = "The date has passed" if goal.due < today else "The date cannot be met"
    helps = [f"moving the date to {feasibility.end}"]
    if feasibility.sufficient:
        helps.insert(0, f"{feasibility.sufficient} minutes a day")
    if feasibility.droppable:
        titles = {each.skill: each.title for each in steps}
        helps.append(f"leaving out {listed([titles[each] for each in feasibility.droppable])}")
    return [f"{gone}: {feasibility.missing} minutes are missing.", f"What would do: {', or '.join(helps)}."]
