"""Fitting forgetting to response files: which rows are reviews, calendar days, unseen learners, artifacts and reports."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from domain.psychometrics.fsrs import GREATEST_WEIGHTS, LEAST_WEIGHTS, Fsrs
from lab.fitting.artifact import text_of
from lab.fitting.fsrs import Memories, study_fsrs
from lab.fitting.reports import fsrs_report
from lab.fitting.simulated import different_weights, simulated_reviews
from lab.responses import ResponseLog, read_responses

HEADER = "learner,occurred_at,item,skills,correct,rating\n"


def log_of(directory: Path, rows: list[str], header: str = HEADER) -> ResponseLog:
    path = directory / "responses.csv"
    path.write_text(header + "\n".join(rows) + "\n")
    return read_responses(path)


def simulated_log(directory: Path, reviews: int, learners: int) -> ResponseLog:
    simulated = simulated_reviews(reviews, different_weights(3), 4)
    rows, place = [], 0
    for memory, length in enumerate(simulated.lengths.tolist()):
        moment = datetime(2001, 1, 1, 12, tzinfo=UTC)
        for number in range(place, place + length):
            days = int(simulated.elapsed_days[number]) if number > place else 0
            moment += timedelta(days=days) if days else timedelta(minutes=1)
            if moment.year >= 2026:
                break
            rating = int(simulated.ratings[number])
            rows.append(f"l{memory % learners},{moment.isoformat()},i{memory},s,{int(rating > 1)},{rating}")
        place += length
    return log_of(directory, rows)


def test_a_learners_answers_to_an_item_are_the_reviews_of_one_memory(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        [
            "ann,2026-03-01T22:00:00Z,i1,a,1,3",
            "ann,2026-03-02T08:00:00Z,i1,a,1,",  # the next morning: one day, and right without a rating is good
            "ann,2026-03-02T09:00:00Z,i2,a,0,",
            "ann,2026-03-02T09:30:00Z,i1,a,1,2",
            "bob,2026-03-01T22:00:00Z,i1,a,1,4",
        ],
    )
    memories = Memories.of(log)
    assert memories.lengths.tolist() == [3, 1, 1]
    assert memories.rating.tolist() == [3, 3, 2, 1, 4]
    assert memories.elapsed_days.tolist() == [0, 1, 0, 0, 0]


def test_days_are_those_of_the_learners_time_zone(tmp_path: Path) -> None:
    rows = ["ann,2026-01-05T18:30:00Z,i1,a,1,3", "ann,2026-01-05T19:30:00Z,i1,a,1,3"]  # 03:30 and 04:30 in Tokyo
    log = log_of(tmp_path, rows)
    assert Memories.of(log, ZoneInfo("Asia/Tokyo")).elapsed_days.tolist() == [0, 1]
    assert Memories.of(log, ZoneInfo("Asia/Tokyo"), day_begins=0).elapsed_days.tolist() == [0, 0]
    assert Memories.of(log).elapsed_days.tolist() == [0, 0]


@pytest.mark.parametrize("learners", [20, 2])
def test_simulated_reviews_are_predicted_better_than_by_the_default_weights(tmp_path: Path, learners: int) -> None:
    study = study_fsrs(simulated_log(tmp_path, 8000, learners))
    assert study.quality.answers == study.fit.trials
    assert study.quality.log_loss < study.default_quality.log_loss
    assert study.quality.calibration_error < min(0.02, study.default_quality.calibration_error)


def test_a_file_without_times_is_refused(tmp_path: Path) -> None:
    log = log_of(tmp_path, ["ann,1,i,a,1"], "learner,position,item,skills,correct\n")
    with pytest.raises(ValueError, match="occurred_at"):
        study_fsrs(log)


def test_a_file_in_which_nothing_comes_again_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="later day"):
        study_fsrs(log_of(tmp_path, ["ann,2026-03-01T22:00:00Z,i1,a,1,3", "ann,2026-03-01T22:10:00Z,i1,a,1,3"]))
    with pytest.raises(ValueError, match="no answers"):
        study_fsrs(log_of(tmp_path, []))


def test_a_single_memory_can_be_fitted(tmp_path: Path) -> None:
    study = study_fsrs(
        log_of(tmp_path, [f"ann,2026-03-{day:02}T12:00:00Z,i,a,{day % 2},{1 + 2 * (day % 2)}" for day in range(1, 20)])
    )
    assert study.quality.answers == 18
    assert "Forgetting" in fsrs_report(study, "v")


def test_the_artifact_can_be_used_again_and_is_the_same_each_time(tmp_path: Path) -> None:
    log = simulated_log(tmp_path, 2500, 10)
    studies = [study_fsrs(log) for _ in range(2)]
    documents = [each.document({}) for each in studies]
    assert text_of(documents[0]) == text_of(documents[1])
    weights = np.array(documents[0]["model"]["weights"])
    assert (weights >= np.array(LEAST_WEIGHTS)).all()
    assert (weights <= np.array(GREATEST_WEIGHTS)).all()
    Fsrs(tuple(weights.tolist()))
    assert fsrs_report(studies[0], "v") == fsrs_report(studies[1], "v")
