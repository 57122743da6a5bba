"""A batch of answers over the state it touches, in memory, between one load and one save."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from domain.progress.fold import Fold, SkillKey, Traced
from domain.progress.model import Answer, Attempt, CourseState, Outcome, ProgressUpdated, SkillState, Verdict
from domain.progress.versions import MODELS, ModelVersion
from domain.psychometrics.response_model import ItemEvidence

_REPEATED = Outcome(Verdict.REPEATED, reason=Verdict.REPEATED.value)
_CONFLICT = Outcome(Verdict.CONFLICT, reason=Verdict.CONFLICT.value)
_NEW_ITEM = ItemEvidence()


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
        skills: Mapping[SkillKey, SkillState],
        items: Mapping[str, ItemEvidence],
        model: ModelVersion = MODELS.live,
    ) -> None:
        self.model = model
        self._counts = dict(counts)
        self.fingerprints = dict(counted)
        self._fold = Fold(model, courses, skills)
        self._items = dict(items)
        self.attempts: list[Attempt] = []
        self.updates: list[ProgressUpdated] = []
        self.new_counts: dict[str, int] = {}
        self.new_courses = self._fold.new_courses
        self.new_skills = self._fold.new_skills
        self.gained: dict[str, ItemEvidence] = {}

    def count(self, answers: Sequence[Answer], now: datetime) -> list[Outcome]:
        """Counts answers that passed their check, each unless its id was counted before; the same as one after the other."""
        known = [self._known(each) for each in answers]
        fresh = [answer for answer, outcome in zip(answers, known, strict=True) if outcome is None]
        traced = self._fold.trace(fresh)
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

    def _count(self, answer: Answer, traced: Iterator[Traced], now: datetime) -> ProgressUpdated:
        item = answer.item
        evidence = self._items.get(item, _NEW_ITEM)
        lesson, states, moves, ability = self._fold.advance(answer, traced, evidence)
        sequence = self._next_sequence(answer.learner)
        attempt = Attempt(answer, sequence, lesson.predicted, self.model.id, now, moves, evidence)
        self._items[item] = after = evidence + lesson.evidence
        self.gained[item] = self.gained[item] + lesson.evidence if item in self.gained else lesson.evidence
        difficulty = self.model.response.difficulty(after)
        update = ProgressUpdated(attempt, tuple([each.mastery for each in states]), ability, difficulty)
        self.attempts.append(attempt)
        self.updates.append(update)
        return update

    def _next_sequence(self, learner: str) -> int:
        self._counts[learner] = self.new_counts[learner] = self._counts.get(learner, 0) + 1
        return self._counts[learner]
