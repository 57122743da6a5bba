"""Fitting knowledge tracing to response files: several skills an item, unseen learners, artifacts and reports."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from lab.fitting.artifact import text_of
from lab.fitting.bkt import FOLDS, Chains, study_bkt
from lab.fitting.reports import bkt_report
from lab.fitting.simulated import simulated_parameters, simulated_responses
from lab.responses import ResponseLog, read_responses

DATA = Path(os.environ.get("PAIDEIA_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
HEADER = "learner,position,item,skills,correct\n"


def log_of(directory: Path, rows: list[str]) -> ResponseLog:
    path = directory / "responses.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return read_responses(path)


def simulated_log(directory: Path, answers: int, skills: int, learners: int) -> ResponseLog:
    simulated = simulated_responses(answers, simulated_parameters(skills, 1), learners, 2)
    learner, skill = (np.repeat(each, simulated.lengths).tolist() for each in (simulated.learners, simulated.skills))
    return log_of(
        directory,
        [
            f"l{a},{n},i{b}-{n % 7},s{b},{int(c)}"
            for n, (a, b, c) in enumerate(zip(learner, skill, simulated.correct, strict=True))
        ],
    )


def test_an_answer_counts_for_each_skill_of_its_item_in_the_learners_order(tmp_path: Path) -> None:
    log = log_of(tmp_path, ["ann,2,i1,a;b,0", "ann,1,i2,a,1", "bob,1,i1,a;b,1"])
    chains = Chains.of(log)
    told = {
        (log.learners[learner], log.skills[skill]): [bool(log.correct[row]) for row in rows]
        for learner, skill, rows in zip(
            chains.learner, chains.skill, np.split(chains.row, np.cumsum(chains.lengths)[:-1]), strict=True
        )
    }
    assert told == {("ann", "a"): [True, False], ("ann", "b"): [False], ("bob", "a"): [True], ("bob", "b"): [True]}


def test_an_answer_to_several_skills_is_judged_once(tmp_path: Path) -> None:
    rows = [
        f"l{learner},{place},i{place},{'a;b' if place % 2 else 'a'},{place % 3 % 2}" for learner in range(8) for place in range(6)
    ]
    study = study_bkt(log_of(tmp_path, rows))
    assert study.quality.answers == len(study.predicted) == 48
    assert study.answers.tolist() == [48, 24]
    assert ((study.predicted > 0) & (study.predicted < 1)).all()


def test_simulated_learners_are_predicted_better_than_by_shares_and_calibrated(tmp_path: Path) -> None:
    study = study_bkt(simulated_log(tmp_path, 12_000, 8, 300))
    assert study.quality.auc > study.baseline.auc + 0.05
    assert study.quality.log_loss < study.baseline.log_loss
    assert study.quality.calibration_error < 0.03


def test_a_learner_is_predicted_without_his_own_answers(tmp_path: Path) -> None:
    base = [f"l{learner},{place},i,a,{int((learner * 7 + place * 3) % 5 > 1)}" for learner in range(10) for place in range(8)]
    one = study_bkt(log_of(tmp_path, base))
    changed = [row[:-1] + "1" if row.startswith("l0,7,") else row for row in base]  # the last answer of the first learner
    other = study_bkt(log_of(tmp_path, changed))
    assert one.predicted[:8].tolist() == other.predicted[:8].tolist()
    assert one.predicted[8:16].tolist() != other.predicted[8:16].tolist()


def test_progress_is_told_fit_by_fit(tmp_path: Path) -> None:
    told: list[int] = []
    study_bkt(log_of(tmp_path, [f"l{n},1,i,a,1" for n in range(9)]), after_each=told.append)
    assert told == list(range(1, FOLDS + 2))


def test_one_learner_alone_can_be_fitted(tmp_path: Path) -> None:
    study = study_bkt(log_of(tmp_path, [f"ann,{n},i{n},a,{n % 2}" for n in range(6)]))
    assert np.isfinite(study.predicted).all()
    assert "Knowledge tracing" in bkt_report(study, "v")


def test_more_answers_than_the_fit_counts_are_predicted_too(tmp_path: Path) -> None:
    rows = [f"l{learner},{n},i,a,{int(n % 3 > 0)}" for learner in range(5) for n in range(600)]
    assert np.isfinite(study_bkt(log_of(tmp_path, rows)).predicted).all()


def test_a_file_without_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no answers"):
        study_bkt(log_of(tmp_path, []))


def test_the_artifact_and_the_report_are_the_same_each_time(tmp_path: Path) -> None:
    log = simulated_log(tmp_path, 2000, 4, 80)
    studies = [study_bkt(log, forget=True) for _ in range(2)]
    documents = [each.document({"file": "x.csv"}) for each in studies]
    assert text_of(documents[0]) == text_of(documents[1])
    assert documents[0]["version"].startswith("bkt-")
    skill = json.loads(text_of(documents[0]))["model"]["skills"][log.skills[0]]
    assert list(skill) == ["prior", "learn", "guess", "slip", "forget"]
    reports = [bkt_report(each, documents[0]["version"]) for each in studies]
    assert reports[0] == reports[1]
    assert documents[0]["version"] in reports[0]


def test_names_from_the_file_stand_in_the_report_as_text(tmp_path: Path) -> None:
    report = bkt_report(study_bkt(log_of(tmp_path, [f"l{n},1,i,<script>x,{n % 2}" for n in range(10)])), "v")
    assert "<script>" not in report
    assert "&lt;script&gt;x" in report


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no response logs at {DATA}")
@pytest.mark.parametrize(("name", "auc", "log_loss"), [("fraction", 0.84, 0.51), ("ecpe", 0.65, 0.57)])
def test_real_answers_of_unseen_learners_are_predicted(name: str, auc: float, log_loss: float) -> None:
    study = study_bkt(read_responses(DATA / f"{name}.csv"))
    assert study.quality.auc >= auc
    assert study.quality.log_loss <= log_loss
    assert study.fit.converged.all()
