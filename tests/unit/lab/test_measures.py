"""Measures of predictions against scikit-learn, and artifacts."""

import json
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from lab.fitting.artifact import artifact, number, text_of
from lab.fitting.measures import auc, calibration, quality_of

answers = st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), st.booleans()), min_size=2, max_size=60)


@given(answers)
def test_auc_and_log_loss_are_those_of_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    predicted, correct = np.array([each for each, _ in rows]), np.array([each for _, each in rows])
    if 0 < correct.sum() < len(correct):
        assert auc(predicted, correct) == pytest.approx(roc_auc_score(correct, predicted))
    else:
        assert auc(predicted, correct) == 0.5
    assert quality_of(predicted, correct).log_loss == pytest.approx(log_loss(correct, predicted, labels=[False, True]))


def test_the_calibration_error_is_the_mean_distance_between_predicted_and_actual() -> None:
    predicted = np.repeat([0.2, 0.6], 50)
    correct = np.concatenate([np.arange(50) % 10 < 3, np.arange(50) % 10 < 6])  # 0.3 and 0.6 are right, in each ten alike
    assert quality_of(predicted, correct).calibration_error == pytest.approx(0.05)
    assert sum(each.answers for each in calibration(predicted, correct)) == 100


def test_nothing_to_judge_is_no_quality() -> None:
    quality = quality_of(np.array([]), np.array([], dtype=np.bool_))
    assert quality.answers == 0
    assert isnan(quality.auc)
    assert quality.document() == {"answers": 0, "auc": None, "log_loss": None, "calibration_error": None}


def test_the_version_depends_on_the_model_alone() -> None:
    one = artifact("bkt", {"a": 1, "b": 2}, {"auc": 0.7}, {"file": "x.csv"})
    same = artifact("bkt", {"b": 2, "a": 1}, {"auc": 0.8}, {"file": "y.csv"})
    assert one["version"] == same["version"]
    assert one["version"].startswith("bkt-")
    assert artifact("bkt", {"a": 1, "b": 3}, {}, {})["version"] != one["version"]
    assert artifact("fsrs", {"a": 1, "b": 2}, {}, {})["version"].split("-")[1] != one["version"].split("-")[1]
    assert json.loads(text_of(one)) == one


def test_a_document_holds_no_number_that_json_has_not() -> None:
    assert number(nan) is None
    assert number(0.123456789) == 0.123457
    with pytest.raises(ValueError, match="JSON"):
        text_of({"x": nan})
