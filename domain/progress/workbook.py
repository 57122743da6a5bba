"""The fold: a batch of answers over the state it touches, in memory, between one load and one save."""

from collections.abc import Mapping
from datetime import datetime

from domain.progress.model import (
    MODEL_VERSION,
    Ability,
    Answer,
    Attempt,
    CourseState,
    Move,
    Outcome,
    ProgressUpdated,
    SkillState,
    Verdict,
)
from domain.psychometrics import bkt, response_model
from domain.psychometrics.response_model import ItemEvidence, Lesson

_REPEATED = Outcome(Verdict.REPEATED, reason=Verdict.REPEATED.value)
_CONFLICT = Outcome(Verdict.CONFLICT, reason=Verdict.CONFLICT.value)
_NEW_SKILL = SkillState()
_NEW_COURSE = CourseState()
_NEW_ITEM = ItemEvidence()


class Workbook:
    """Counts answers one after the other and collects what has to be saved.

    What was loaded: `counts` (attempts of each learner so far), `counted` (the fingerprint of each attempt id counted before), `courses`
    by (learner, course), `skills` by (learner, skill), and `items`. What to save, each only if it was touched: `attempts`, their
    `fingerprints` by id, `updates`, `new_counts`, `new_courses`, `new_skills`, and `gained`: the evidence to ADD to each item, whoever else
    adds to it meanwhile.
    """

    def __init__(
        self,
        counts: Mapping[str, int],
        counted: Mapping[str, bytes],
        courses: Mapping[tuple[str, str], CourseState],
        skills: Mapping[tuple[str, str], SkillState],
        items: Mapping[str, ItemEvidence],
    ) -> None:
        self._counts = dict(counts)
        self.fingerprints = dict(counted)
        self._courses = courses
        self._skills = skills
        self._items = items
        self.attempts: list[Attempt] = []
        self.updates: list[ProgressUpdated] = []
        self.new_counts: dict[str, int] = {}
        self.new_courses: dict[tuple[str, str], CourseState] = {}
        self.new_skills: dict[tuple[str, str], SkillState] = {}
        self.gained: dict[str, ItemEvidence] = {}

    def count(self, answer: Answer, now: datetime) -> Outcome:
        """Counts an answer that passed its check, unless its id was counted before."""
        fingerprint = answer.fingerprint()
        known = self.fingerprints.setdefault(answer.id, fingerprint)
        if known is not fingerprint:
            return _REPEATED if known == fingerprint else _CONFLICT
        before = [self._skill(answer.learner, each) for each in answer.skills]
        course = self._course(answer)
        item = self._item(answer.item)
        lesson = response_model.learn(course.ability, [each.deviation for each in before], item, answer.correct)
        after = self._learn(answer, before, course, lesson)
        attempt = Attempt(
            answer,
            self._next_sequence(answer.learner),
            lesson.predicted,
            MODEL_VERSION,
            now,
            tuple(Move(skill, old.mean, new.mean) for skill, old, new in zip(answer.skills, before, after, strict=True)),
        )
        update = ProgressUpdated(
            attempt,
            tuple(each.mastery for each in after if each.mastery),
            Ability.of(answer.course, lesson.ability),
            (item + lesson.evidence).difficulty,
        )
        self.attempts.append(attempt)
        self.updates.append(update)
        return Outcome(Verdict.COUNTED, update)

    def _learn(self, answer: Answer, before: list[SkillState], course: CourseState, lesson: Lesson) -> list[SkillState]:
        knowledge = bkt.observe([each.knowledge for each in before], answer.score)
        after = [
            old.after(answer, skill, known, deviation)
            for old, skill, known, deviation in zip(before, answer.skills, knowledge, lesson.deviations, strict=True)
        ]
        for skill, state in zip(answer.skills, after, strict=True):
            self.new_skills[answer.learner, skill] = state
        self.new_courses[answer.learner, answer.course] = CourseState(lesson.ability, course.skills.union(answer.skills))
        self.gained[answer.item] = self.gained.get(answer.item, _NEW_ITEM) + lesson.evidence
        return after

    def _next_sequence(self, learner: str) -> int:
        self._counts[learner] = self.new_counts[learner] = self._counts.get(learner, 0) + 1
        return self._counts[learner]

    def _skill(self, learner: str, skill: str) -> SkillState:
        key = learner, skill
        return self.new_skills.get(key) or self._skills.get(key, _NEW_SKILL)

    def _course(self, answer: Answer) -> CourseState:
        key = answer.learner, answer.course
        return self.new_courses.get(key) or self._courses.get(key, _NEW_COURSE)

    def _item(self, item: str) -> ItemEvidence:
        stored = self._items.get(item, _NEW_ITEM)
        gained = self.gained.get(item)
        return stored + gained if gained else stored
