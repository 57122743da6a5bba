"""The fold: a batch of answers over the state it touches, in memory, between one load and one save."""

from collections.abc import Iterator, Mapping, Sequence
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
from domain.psychometrics.response_model import Gaussian, ItemEvidence, Lesson

_REPEATED = Outcome(Verdict.REPEATED, reason=Verdict.REPEATED.value)
_CONFLICT = Outcome(Verdict.CONFLICT, reason=Verdict.CONFLICT.value)
_NEW_SKILL = SkillState()
_NEW_COURSE = CourseState()
_NEW_ITEM = ItemEvidence()

_SkillKey = tuple[str, str]
_Traced = tuple[bkt.State, bkt.Estimate]


class Workbook:
    """Counts answers and collects what has to be saved.

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
        skills: Mapping[_SkillKey, SkillState],
        items: Mapping[str, ItemEvidence],
    ) -> None:
        self._counts = dict(counts)
        self.fingerprints = dict(counted)
        self._courses = courses
        self._skills = skills
        self._items = dict(items)
        self.attempts: list[Attempt] = []
        self.updates: list[ProgressUpdated] = []
        self.new_counts: dict[str, int] = {}
        self.new_courses: dict[tuple[str, str], CourseState] = {}
        self.new_skills: dict[_SkillKey, SkillState] = {}
        self.gained: dict[str, ItemEvidence] = {}

    def count(self, answers: Sequence[Answer], now: datetime) -> list[Outcome]:
        """Counts answers that passed their check, each unless its id was counted before; the same as one after the other."""
        known = [self._known(each) for each in answers]
        fresh = [answer for answer, outcome in zip(answers, known, strict=True) if outcome is None]
        traced = iter(self._trace(fresh))
        return [
            outcome or Outcome(Verdict.COUNTED, self._count(answer, traced, now))
            for answer, outcome in zip(answers, known, strict=True)
        ]

    def _known(self, answer: Answer) -> Outcome | None:
        fingerprint = answer.fingerprint()
        known = self.fingerprints.setdefault(answer.id, fingerprint)
        if known is fingerprint:
            return None
        return _REPEATED if known == fingerprint else _CONFLICT

    def _trace(self, answers: Sequence[Answer]) -> list[_Traced]:
        """Returns what each answer leaves of each of its skills, in order.

        Answers with no skill of a learner in common go through the tracing together, which costs little more than one of them.
        """
        keys = [_skill_keys(each) for each in answers]
        latest: dict[_SkillKey, bkt.State] = {}
        traced: list[list[_Traced]] = [[]] * len(answers)
        for wave in _waves(keys):
            touched = [key for place in wave for key in keys[place]]
            before = [latest[key] if key in latest else self._skill(key).knowledge for key in touched]
            after = bkt.observe_each(before, [len(keys[place]) for place in wave], [answers[place].score for place in wave])
            latest.update(zip(touched, after, strict=True))
            found = zip(after, bkt.estimates(after), strict=True)
            for place in wave:
                traced[place] = [next(found) for _ in keys[place]]
        return [each for of_answer in traced for each in of_answer]

    def _count(self, answer: Answer, traced: Iterator[_Traced], now: datetime) -> ProgressUpdated:
        keys = _skill_keys(answer)
        before = [self._skill(each) for each in keys]
        lesson = self._learn(answer, [each.deviation for each in before])
        after = [
            old.after(answer, skill, *next(traced), deviation)
            for old, skill, deviation in zip(before, answer.skills, lesson.deviations, strict=True)
        ]
        self.new_skills.update(zip(keys, after, strict=True))
        attempt = Attempt(
            answer,
            self._next_sequence(answer.learner),
            lesson.predicted,
            MODEL_VERSION,
            now,
            tuple([Move(skill, old.mean, new.mean) for skill, old, new in zip(answer.skills, before, after, strict=True)]),
        )
        update = ProgressUpdated(
            attempt,
            tuple([each.mastery for each in after if each.mastery]),
            Ability.of(answer.course, lesson.ability),
            self._items[answer.item].difficulty,
        )
        self.attempts.append(attempt)
        self.updates.append(update)
        return update

    def _learn(self, answer: Answer, deviations: Sequence[Gaussian]) -> Lesson:
        key, item = (answer.learner, answer.course), answer.item
        course = self.new_courses.get(key) or self._courses.get(key, _NEW_COURSE)
        evidence = self._items.get(item, _NEW_ITEM)
        lesson = response_model.learn(course.ability, deviations, evidence, answer.correct)
        skills = course.skills if course.skills.issuperset(answer.skills) else course.skills.union(answer.skills)
        self.new_courses[key] = CourseState(lesson.ability, skills)
        self._items[item] = evidence + lesson.evidence
        self.gained[item] = self.gained[item] + lesson.evidence if item in self.gained else lesson.evidence
        return lesson

    def _next_sequence(self, learner: str) -> int:
        self._counts[learner] = self.new_counts[learner] = self._counts.get(learner, 0) + 1
        return self._counts[learner]

    def _skill(self, key: _SkillKey) -> SkillState:
        return self.new_skills.get(key) or self._skills.get(key, _NEW_SKILL)


def _skill_keys(answer: Answer) -> list[_SkillKey]:
    return [(answer.learner, each) for each in answer.skills]


def _waves(keys: Sequence[Sequence[_SkillKey]]) -> list[list[int]]:
    """Splits answers, told by the keys that they touch, into waves: each comes after every earlier answer that shares a key with it.

    Returns the places of the answers in each wave.
    """
    reached: dict[_SkillKey, int] = {}
    waves: list[list[int]] = []
    for place, touched in enumerate(keys):
        wave = max([reached.get(key, 0) for key in touched])
        reached.update(dict.fromkeys(touched, wave + 1))
        if wave == len(waves):
            waves.append([])
        waves[wave].append(place)
    return waves
