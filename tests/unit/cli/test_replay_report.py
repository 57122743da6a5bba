import random

import numpy as np
import pytest

from cli.replay.html_report import html_report
from cli.replay.statistics import prediction_quality
from lab.fitting.measures import calibration

QUALITY = {"count": 400, "auc": 0.75, "log_loss": 0.5, "calibration_error": 0.02}
REPORT = {
    "course": "fractions <b>",
    **dict.fromkeys(("sent", "acknowledged", "counted"), 400),
    **dict.fromkeys(("lost", "duplicated", "refused"), 0),
    "prediction": {"all": QUALITY, "second_half": {**QUALITY, "count": 0, "auc": None}},
    "skills": [{"skill": "add <i>", "learners": 4, "attempts": 400, "mean": 0.7, "lower": 0.5, "upper": 0.9}],
}


def told(count: int) -> list[tuple[float, bool]]:
    chance = random.Random(1)
    predicted = [chance.random() for _ in range(count)]
    return [(each, chance.random() < each) for each in predicted]


def test_bins_have_equal_counts_in_the_order_of_the_predictions() -> None:
    pairs = told(1003)
    bins = calibration(np.array([p for p, _ in pairs]), np.array([y for _, y in pairs]))
    assert {each.answers for each in bins} <= {100, 101}
    assert sum(each.answers for each in bins) == 1003
    assert [each.predicted for each in bins] == sorted(each.predicted for each in bins)
    assert sum(each.answers * each.actual for each in bins) == pytest.approx(sum(y for _, y in pairs))
    assert calibration(np.array([]), np.array([], dtype=bool)) == []
    assert len(calibration(np.array([0.5, 0.6]), np.array([True, False]))) == 2


def test_the_calibration_error_is_the_mean_distance_of_the_bins() -> None:
    predicted, correct = [0.2] * 50 + [0.9] * 50, [True] * 20 + [False] * 30 + [True] * 40 + [False] * 10
    found = prediction_quality(predicted, correct)
    assert found.calibration_error is not None
    assert found.calibration_error >= 0.1


def test_the_report_is_one_file_with_a_described_plot_of_what_there_is() -> None:
    pairs = {"all": told(400), "second_half": []}
    page = html_report(REPORT, pairs)
    assert page == html_report(REPORT, pairs)
    assert page.count("<svg") == page.count("aria-label") == 2
    assert "furthest from it is" in page
    assert "<b>" not in page
    assert "add <i>" not in page
    assert "<script" not in page
