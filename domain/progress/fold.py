"""The fold: what answers make of the state of learners, one after the other."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from domain.progress.model import Ability, Answer, CourseState, Move, SkillState
from domain.progress.versions import ModelVersion
from domain.psychometrics import bkt
from domain.psychometrics.response_model import ItemEvidence, Lesson

_DAY: Final = timedelta(days=1)

SkillKey = tuple[str, str]
"""Learner and skill."""


class Traced(NamedTuple):
    """What an answer made of one skill: the mean that time had retained of it, the state after the answer, the estimate from that."""

    retained: float
    knowledge: bkt.State
    estimate: bkt.Estimate


class Step(NamedTuple):
    """What an answer made of its learner: what it taught, the states of its skills after it, and how it moved them."""

    lesson: Lesson
    states: tuple[SkillState, ...]
    moves: tuple[Move, ...]
    ability: Ability


class Fold:
    """Carries states from answer to answer by one version of the model.

    Begins with `courses` by (learner, course) and `skills` by (learner, skill); what changed is in `new_courses` and `new_skills`. An item's
    evidence comes from outside, answer by answer.
    """

    def __init__(
        self, model: ModelVersion, courses: Mapping[tuple[str, str], CourseState], skills: Mapping[SkillKey, SkillState]
    ) -> None:
        self._model = model
        self._courses = courses
        self._skills = skills
        self.new_courses: dict[tuple[str, str], CourseState] = {}
        self.new_skills: dict[SkillKey, SkillState] = {}

    def trace(self, answers: Sequence[Answer]) -> Iterator[Traced]:
        """Yields what each answer leaves of each of its skills, in order.

        Answers with no skill of a learner in common go through the tracing together, which costs little more than one of them.
        """
        tracing = self._model.tracing
        keys = [_skill_keys(each) for each in answers]
        latest: dict[SkillKey, tuple[bkt.State, datetime]] = {}
        traced: list[list[Traced]] = [[]] * len(answers)
        for wave in _waves(keys):
            touched, before, days = [], [], []
            for place in wave:
                moment = answers[place].answered_at
                for key in keys[place]:
                    if key in latest:
                        knowledge, last = latest[key]
                    else:
                        state = self._skill(key, moment)
                        knowledge, last = tracing.adopted(state.knowledge), state.mastery.last_answered_at
                    touched.append((key, max(last, moment)))
                    before.append(knowledge)
                    days.append(days_since(last, moment))
            names = [skill for (_, skill), _ in touched]
            retained = tracing.retained(before, days, names)
            counts, scores = [len(keys[place]) for place in wave], [answers[place].score for place in wave]
            after = tracing.observe_each(retained, counts, scores, names)
            latest.update((key, (state, last)) for (key, last), state in zip(touched, after, strict=True))
            found = map(Traced, bkt.means(retained), after, tracing.estimates(after))
            for place in wave:
                traced[place] = [next(found) for _ in keys[place]]
        return (each for of_answer in traced for each in of_answer)

    def advance(self, answer: Answer, traced: Iterator[Traced], evidence: ItemEvidence) -> Step:
        """Takes in the next answer; `traced` goes on with its skills, `evidence` is what is known of its item before it."""
        keys = _skill_keys(answer)
        before = [self._skill(each, answer.answered_at) for each in keys]
        after = [next(traced) for _ in keys]
        lesson = self._learn(answer, before, evidence)
        states = tuple(
            [
                old.after(answer, new.knowledge, new.estimate, deviation)
                for old, new, deviation in zip(before, after, lesson.deviations, strict=True)
            ]
        )
        self.new_skills.update(zip(keys, states, strict=True))
        moves = tuple(
            [
                Move(skill, old.mastery.estimate.mean, new.retained, new.estimate.mean)
                for skill, old, new in zip(answer.skills, before, after, strict=True)
            ]
        )
        return Step(lesson, states, moves, Ability.of(answer.course, lesson.ability))

    def _learn(self, answer: Answer, before: Sequence[SkillState], evidence: ItemEvidence) -> Lesson:
        key = (answer.learner, answer.course)
        course = self.new_courses.get(key) or self._courses.get(key, self._model.new_course)
        lesson = self._model.response.learn(course.ability, [each.deviation for each in before], evidence, answer.correct)
        skills = course.skills if course.skills.issuperset(answer.skills) else course.skills.union(answer.skills)
        self.new_courses[key] = CourseState(lesson.ability, skills)
        return lesson

    def _skill(self, key: SkillKey, moment: datetime) -> SkillState:
        return self.new_skills.get(key) or self._skills.get(key) or self._model.new_skill(*key, moment)


def days_since(last: datetime, moment: datetime) -> float:
    """Returns how long a skill was not practised at a moment, in days; 0 if that lies before the last answer."""
    return max((moment - last) / _DAY, 0.0)


def _skill_keys(answer: Answer) -> list[SkillKey]:
    return [(answer.learner, each) for each in answer.skills]


def _waves(keys: Sequence[Sequence[SkillKey]]) -> list[list[int]]:
    """Splits answers, told by the keys that they touch, into waves: each comes after every earlier answer that shares a key with it.

    Returns the places of the answers in each wave.
    """
    reached: dict[SkillKey, int] = {}
    waves: list[list[int]] = []
    for place, touched in enumerate(keys):
        wave = max([reached.get(key, 0) for key in touched])
        reached.update(dict.fromkeys(touched, wave + 1))
        if wave == len(waves):
            waves.append([])
        waves[wave].append(place)
    return waves
