"""The report's statistics, held against their definitions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.replay.statistics import prediction_quality

pairs = st.lists(st.tuples(st.sampled_from([0.1, 0.25, 0.5, 0.8, 0.9]), st.booleans()), min_size=2, max_size=60)


@given(pairs)
def test_auc_is_the_share_of_pairs_put_in_the_right_order(sample: list[tuple[float, bool]]) -> None:
    right = [p for p, y in sample if y]
    wrong = [p for p, y in sample if not y]
    quality = prediction_quality([p for p, _ in sample], [y for _, y in sample])
    if not right or not wrong:
        assert quality.auc is None
        return
    expected = sum((a > b) + 0.5 * (a == b) for a in right for b in wrong) / (len(right) * len(wrong))
    assert quality.auc == pytest.approx(expected)


@given(pairs)
def test_log_loss_is_the_mean_surprise(sample: list[tuple[float, bool]]) -> None:
    expected = -sum(math.log(p if y else 1 - p) for p, y in sample) / len(sample)
    assert prediction_quality([p for p, _ in sample], [y for _, y in sample]).log_loss == pytest.approx(expected)


def test_calibrated_predictions_have_no_calibration_error() -> None:
    predicted = [0.2] * 50 + [0.8] * 50
    correct = ([True] + [False] * 4) * 10 + ([True] * 4 + [False]) * 10
    assert prediction_quality(predicted, correct).calibration_error == pytest.approx(0)


def test_nothing_predicted_is_nothing_to_judge() -> None:
    assert prediction_quality([], []).auc is None
