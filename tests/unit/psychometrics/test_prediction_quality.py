"""How well the online response model predicts real answers before it sees them.

The logs are streamed in file order, and with 32 learners at a time; the second half of the learners is judged, each answer by the
prediction made before it. The model's constants were chosen on the first half alone (docs/mastery.md). The logs are no part of the
repository: PAIDEIA_TEST_DATA says where they are.
"""

import csv
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from domain.psychometrics.response_model import Gaussian, ItemEvidence, ResponseModel

DATA = Path(os.environ.get("PAIDEIA_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no response logs at {DATA}")

Row = tuple[str, str, tuple[str, ...], bool]


def rows_of(name: str) -> list[Row]:
    with (DATA / name).open() as file:
        return [
            (row["learner"], row["item"], tuple(row["skills"].split(";")), row["correct"] == "1") for row in csv.DictReader(file)
        ]


def interleaved(rows: list[Row], learners: int) -> Iterator[Row]:
    """The same rows with so many learners answering at a time, each in their own order."""
    chance = random.Random(0)
    by_learner: dict[str, list[Row]] = {}
    for row in rows:
        by_learner.setdefault(row[0], []).append(row)
    waiting = iter([iter(each) for each in by_learner.values()])
    active = list(islice(waiting, learners))
    while active:
        place = chance.randrange(len(active))
        if row := next(active[place], None):
            yield row
        elif following := next(waiting, None):
            active[place] = following
        else:
            del active[place]


def predictions(rows: list[Row]) -> list[float]:
    model = ResponseModel()
    abilities: dict[str, Gaussian] = {}
    deviations: dict[tuple[str, str], Gaussian] = {}
    items: dict[str, ItemEvidence] = {}
    predicted = []
    for learner, item, skills, correct in rows:
        evidence = items.get(item, ItemEvidence())
        keys = [(learner, each) for each in skills]
        told = [deviations.get(each, model.new_deviation) for each in keys]
        lesson = model.learn(abilities.get(learner, model.new_ability), told, evidence, correct)
        abilities[learner] = lesson.ability
        deviations.update(zip(keys, lesson.deviations, strict=True))
        items[item] = evidence + lesson.evidence
        predicted.append(lesson.predicted)
    return predicted


def auc(correct: np.ndarray, predicted: np.ndarray) -> float:
    """P(a right answer was predicted higher than a wrong one): the Mann-Whitney statistic, ties counted half."""
    _, place, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    right = correct.sum()
    return float((ranks[correct].sum() - right * (right + 1) / 2) / (right * (len(correct) - right)))


def calibration_error(correct: np.ndarray, predicted: np.ndarray) -> float:
    """Expected calibration error over ten bins with an equal count of answers each."""
    bins = np.array_split(np.argsort(predicted, kind="stable"), 10)
    return float(sum(len(each) * abs(correct[each].mean() - predicted[each].mean()) for each in bins) / len(predicted))


@pytest.mark.parametrize("learners_at_a_time", [1, 32])
@pytest.mark.parametrize(("name", "least_auc"), [("fraction.csv", 0.876), ("ecpe.csv", 0.742)])
def test_real_answers_are_predicted_well_and_honestly(name: str, least_auc: float, learners_at_a_time: int) -> None:
    rows = rows_of(name)
    learners = list(dict.fromkeys(row[0] for row in rows))
    second_half = set(learners[len(learners) // 2 :])
    rows = list(interleaved(rows, learners_at_a_time))
    judged = np.array([row[0] in second_half for row in rows])
    correct = np.array([row[3] for row in rows])[judged]
    predicted = np.array(predictions(rows))[judged]
    assert auc(correct, predicted) >= least_auc
    assert calibration_error(correct, predicted) <= 0.03
