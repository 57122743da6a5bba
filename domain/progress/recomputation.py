"""A learner's state computed anew from the log of attempts, and what of the stored state differs from it.

Each attempt is evaluated by the version of the model that counted it and by what was known of its item then, which it carries. So on the
code that counted them the result is the stored state, bit for bit, however the attempts were batched, and every difference is a fault.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from itertools import groupby
from typing import NamedTuple

import numpy as np

from domain.progress.fold import Fold, SkillKey, Step
from domain.progress.model import Attempt, CourseState, LearnerState, SkillState
from domain.progress.versions import ModelVersions
from domain.psychometrics.response_model import ItemEvidence

_MOST_TOLD = 100
_NEW_ITEM = ItemEvidence()


class Order(Enum):
    """In which order attempts are taken."""

    AS_IT_STANDS = "in which the stored state was computed"
    COUNTED = "in which they were counted"
    OCCURRED = "in which they occurred"


class Difference(NamedTuple):
    """A number that is stored as one thing and recomputed as another; None where there is none.

    `kind` is learner, skill, course or attempt, and `of` which one.
    """

    kind: str
    of: str
    field: str
    stored: float | None
    recomputed: float | None


class Recomputation:
    """Takes a learner's attempts chunk by chunk and carries the state from one to the next; keeps nothing else of them.

    After all, `differences` holds the first 100 of `difference_count`, `repairable` says whether the state has to be replaced, and
    `without_evidence` counts the attempts that did not keep what was known of their item.
    """

    def __init__(self, models: ModelVersions, known: LearnerState, reordered: int) -> None:
        """The first `reordered` attempts will come in the order in which they occurred, the others in that of their sequence."""
        self._models = models
        self._learner = known.learner
        self._reordered = reordered
        self._courses: dict[tuple[str, str], CourseState] = {}
        self._skills: dict[SkillKey, SkillState] = {}
        # Abilities and deviations that rest on an attempt without evidence cannot be known exactly.
        self._vague: set[str] = set()
        # What a state predicted before it was repaired, or in another order, is no fault: what was said stays what was said.
        self._comparable = known.revision == 0
        self.attempt_count = 0
        self.newest: Attempt | None = None
        self.without_evidence = 0
        self.repairable = False
        self.difference_count = 0
        self.differences: list[Difference] = []

    def take(self, attempts: Sequence[Attempt], items: Mapping[str, ItemEvidence]) -> list[Attempt]:
        """Takes the next attempts and returns, with the right moves, those whose stored moves differ.

        `items` stands in for what was known of an item where an attempt did not keep it. Raises ModelVersionNotFound.
        """
        corrected = []
        for attempt, step in self._steps(attempts, items):
            self.attempt_count += 1
            self._comparable = self._comparable and attempt.sequence == self.attempt_count
            if self.newest is None or attempt.sequence > self.newest.sequence:
                self.newest = attempt
            told = _touched(attempt)
            if attempt.evidence is None:
                self.without_evidence += 1
                self._vague |= told
            if self._comparable and self._vague.isdisjoint(told):
                self._compare(
                    "attempt", attempt.answer.id, {"predicted": attempt.predicted}, {"predicted": step.lesson.predicted}
                )
            if attempt.moves != step.moves:
                self._compare("attempt", attempt.answer.id, _moves(attempt.moves), _moves(step.moves))
                corrected.append(attempt._replace(moves=step.moves))
        return corrected

    def compared(self, stored: LearnerState) -> LearnerState:
        """Holds the result against the stored state and returns what should be stored."""
        self._compare(
            "learner", self._learner, {"attempt_count": stored.attempt_count}, {"attempt_count": self.attempt_count}, False
        )
        skills = {skill: self._exact_skill(skill, state, stored) for (_, skill), state in self._skills.items()}
        courses = {course: self._exact_course(course, state, stored) for (_, course), state in self._courses.items()}
        for skill in sorted(skills.keys() | stored.skills.keys()):
            kept, made = stored.skills.get(skill), skills.get(skill)
            self._compare("skill", skill, _skill(kept), _skill(made))
            if kept and made and (distance := _distance(kept, made)):
                self._compare("skill", skill, {"knowledge": 0.0}, {"knowledge": distance})
        for course in sorted(courses.keys() | stored.courses.keys()):
            self._compare("course", course, _course(stored.courses.get(course)), _course(courses.get(course)))
        # Sequences are never given twice, even if attempts were lost.
        count = max(self.newest.sequence if self.newest else 0, stored.attempt_count)
        self.repairable |= count != stored.attempt_count or stored.reordered != self._reordered
        return LearnerState(self._learner, count, skills, courses, self._reordered, stored.revision + 1)

    def _steps(self, attempts: Sequence[Attempt], items: Mapping[str, ItemEvidence]) -> Iterator[tuple[Attempt, Step]]:
        for version, run in groupby(attempts, key=lambda each: each.model_version):
            fold = Fold(self._models.get(version), self._courses, self._skills)
            together = list(run)
            traced = fold.trace([each.answer for each in together])
            for attempt in together:
                stand_in = items.get(attempt.answer.item, _NEW_ITEM)
                yield attempt, fold.advance(attempt.answer, traced, attempt.evidence or stand_in)
            self._courses |= fold.new_courses
            self._skills |= fold.new_skills

    def _exact_skill(self, skill: str, state: SkillState, stored: LearnerState) -> SkillState:
        kept = stored.skills.get(skill)
        if kept is None or _SKILL + skill not in self._vague:
            return state
        return SkillState(state.knowledge, kept.deviation, state.mastery)

    def _exact_course(self, course: str, state: CourseState, stored: LearnerState) -> CourseState:
        kept = stored.courses.get(course)
        return state if kept is None or _COURSE + course not in self._vague else CourseState(kept.ability, state.skills)

    def _compare(
        self, kind: str, of: str, stored: Mapping[str, float], recomputed: Mapping[str, float], repairable: bool = True
    ) -> None:
        for field in {**stored, **recomputed}:
            one, other = stored.get(field), recomputed.get(field)
            if one != other:
                self.difference_count += 1
                self.repairable |= repairable
                if len(self.differences) < _MOST_TOLD:
                    self.differences.append(Difference(kind, of, field, one, other))


_COURSE, _SKILL = "courses/", "skills/"


def _touched(attempt: Attempt) -> set[str]:
    return {_COURSE + attempt.answer.course, *(_SKILL + each for each in attempt.answer.skills)}


def _moves(moves: Sequence[tuple[str, float, float, float]]) -> dict[str, float]:
    return {
        f"{field} of {skill}": value
        for skill, *values in moves
        for field, value in zip(("mean_before", "mean_retained", "mean_after"), values, strict=True)
    }


def _skill(state: SkillState | None) -> dict[str, float]:
    if state is None:
        return {}
    mastery = state.mastery
    return {
        **mastery.estimate._asdict(),
        "attempt_count": mastery.attempt_count,
        "correct_count": mastery.correct_count,
        "last_answer_time": mastery.last_answered_at.timestamp(),
        "deviation_mean": state.deviation.mean,
        "deviation_variance": state.deviation.variance,
    }


def _distance(one: SkillState, other: SkillState) -> float:
    """The greatest distance between two states' probabilities."""
    if one.knowledge.shape != other.knowledge.shape:
        return 1.0
    return float(np.abs(one.knowledge - other.knowledge).max())


def _course(state: CourseState | None) -> dict[str, float]:
    if state is None:
        return {}
    return {"ability_mean": state.ability.mean, "ability_variance": state.ability.variance, "skills": len(state.skills)}
