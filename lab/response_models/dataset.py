"""From a log of responses to what models are trained and judged on."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.inference.dkt import DktModel
from domain.inference.feature_model import FeatureModel, probabilities
from domain.inference.features import FEATURES, Learner
from domain.inference.history import NEWEST, Answered, merged
from domain.inference.item_table import UNKNOWN, ItemTable
from domain.inference.response_model import ResponseModel
from lab.responses import ResponseLog

Floats: TypeAlias = NDArray[np.float64]
Truths: TypeAlias = NDArray[np.bool_]
Integers: TypeAlias = NDArray[np.int64]

INNER_FOLDS: Final = 5
_CONTEXT: Final = NEWEST // 2
_UNKNOWN_SHARE: Final = 0.05
"""Of the rows to be trained on, so many are made as if nobody had answered the item: new items come after the training."""


class LearnerLog(NamedTuple):
    """A learner's answers, oldest first."""

    learner: str
    answers: list[Answered]


class Rows(NamedTuple):
    """Features (n, len(FEATURES)) of answers, whether they were right, and the place of their learner among those given."""

    features: Floats
    correct: Truths
    learner: Integers

    def only(self, chosen: Truths) -> "Rows":
        return Rows(self.features[chosen], self.correct[chosen], self.learner[chosen])


def learner_logs(log: ResponseLog) -> list[LearnerLog]:
    """Returns the learners of a log in its order. Rows that repeat one answer under several skills are merged into one answer."""
    skills = [log.skills[each] for each in log.skill]
    begins = np.searchsorted(log.learner, np.arange(len(log.learners) + 1))
    result = []
    for place, name in enumerate(log.learners):
        rows = range(begins[place], begins[place + 1])
        answers = (
            Answered(
                log.items[log.item[row]],
                tuple(skills[log.skill_start[row] : log.skill_start[row + 1]]),
                bool(log.correct[row]),
                None if log.occurred_at is None else float(log.occurred_at[row]),
            )
            for row in rows
        )
        result.append(LearnerLog(name, merged(answers)))
    return result


def correct_of(logs: Sequence[LearnerLog]) -> Truths:
    """Returns whether each answer was right (n,), learner by learner."""
    return np.array([each.correct for log in logs for each in log.answers], dtype=bool)


def windows(count: int) -> Iterator[tuple[int, int, int]]:
    """Yields where to begin reading, from where to predict, and where to end, so that every one of `count` answers is predicted once, from at
    most NEWEST before it, as in service, and from half of that at least where there are as many."""
    yield 0, 0, min(count, NEWEST)
    for begin in range(NEWEST, count, _CONTEXT):
        yield begin - _CONTEXT, begin, min(count, begin + _CONTEXT)


def rows_of(logs: Sequence[LearnerLog], table: ItemTable, timed: bool, chance: np.random.Generator | None = None) -> Rows:
    """Returns the rows of all answers, each from what came before it. With `chance` some items are taken for unknown."""
    features: list[list[float]] = []
    owners: list[int] = []
    for owner, log in enumerate(logs):
        for read, begin, end in windows(len(log.answers)):
            learner = Learner(table, timed, log.answers[read:begin])
            for each in log.answers[begin:end]:
                hidden = chance is not None and chance.random() < _UNKNOWN_SHARE
                known = learner.known(each.item, each.skills, each.at, UNKNOWN if hidden else None)
                features.append(known.row())
                owners.append(owner)
                learner.observe(each)
    shaped = np.array(features).reshape(-1, len(FEATURES))
    return Rows(shaped, correct_of(logs), np.array(owners, dtype=np.int64))


def training_rows(
    logs: Sequence[LearnerLog], timed: bool, seed: int, after_each: Callable[[int], None] = lambda folds: None
) -> Rows:
    """Returns rows in which nothing was learnt from the learner whose answers they are: the item table of each of INNER_FOLDS folds of the
    learners comes from the others. `after_each` is told how many folds are done."""
    chance = np.random.default_rng(seed)
    fold = chance.permutation(len(logs)) % INNER_FOLDS
    parts, owners = [], []
    for number in range(INNER_FOLDS):
        own = np.flatnonzero(fold == number)
        others = ItemTable.learnt([logs[each].answers for each in np.flatnonzero(fold != number).tolist()])
        part = rows_of([logs[each] for each in own.tolist()], others, timed, chance)
        parts.append(part)
        owners.append(own[part.learner])
        after_each(number + 1)
    features, correct = (np.concatenate([part[at] for part in parts]) for at in (0, 1))
    return Rows(features, correct, np.concatenate(owners))


def predictions(model: ResponseModel, logs: Sequence[LearnerLog]) -> Floats:
    """Returns P(correct) of every answer (n,), learner by learner, each from those before it."""
    if isinstance(model, FeatureModel):
        return probabilities(model.score(rows_of(logs, model.table, model.timed).features))
    if isinstance(model, DktModel):
        parts = [
            model.predict_each(log.answers[read:end])[begin - read :]
            for log in logs
            for read, begin, end in windows(len(log.answers))
        ]
        return np.concatenate(parts) if parts else np.empty(0)
    raise TypeError(f"cannot predict each answer by a {model.kind}")
