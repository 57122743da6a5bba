"""Calibrating response files: what counts, what is said about holes, groups, the artifact and the report."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from domain.psychometrics.irt import Items, probabilities
from lab.fitting.artifact import text_of
from lab.fitting.irt import MODELS, response_table, study_irt
from lab.fitting.irt_report import irt_report
from lab.responses import ResponseLog, read_responses

DATA = Path(os.environ.get("PAIDEIA_TEST_DATA", Path(__file__).parents[4] / "shared" / "data"))
SOURCE = {"file": "log.csv", "sha256": "0"}


def log_of(folder: Path, rows: list[tuple[str, str, int]]) -> ResponseLog:
    file = folder / "log.csv"
    lines = [f"{learner},{place},{item},s,{correct}" for place, (learner, item, correct) in enumerate(rows)]
    file.write_text("\n".join(["learner,position,item,skills,correct", *lines]))
    return read_responses(file)


def simulated(learners: int = 300, items: int = 8, seed: int = 1) -> list[tuple[str, str, int]]:
    chance = np.random.default_rng(seed)
    pool = Items.of(chance.uniform(0.8, 2, items), chance.normal(size=items))
    right = chance.random((learners, items)) < probabilities(pool, chance.standard_normal(learners))
    return [(f"l{a}", f"i{b}", int(right[a, b])) for a in range(learners) for b in range(items)]


def test_the_first_answer_of_a_learner_to_an_item_counts(tmp_path: Path) -> None:
    log = log_of(tmp_path, [("ada", "x", 0), ("ada", "y", 1), ("ada", "x", 1), ("bob", "y", 0)])
    table, repeated = response_table(log)
    assert table.tolist() == [[0, 1], [-1, 0]]
    assert repeated == 1


def test_holes_repetitions_and_perfect_scores_are_noted(tmp_path: Path) -> None:
    rows = simulated()[:-3]
    rows += [("l0", "i0", 1), *(("top", f"i{each}", 1) for each in range(8))]
    notes = " ".join(study_irt(log_of(tmp_path, rows), MODELS["2pl"]).notes)
    assert "1 answers to an item that the learner had answered before were left out" in notes
    assert "3 of 2,408 answers are missing" in notes
    assert "have everything right" in notes


def test_the_version_depends_on_the_parameters_alone(tmp_path: Path) -> None:
    rows = simulated()
    log = log_of(tmp_path, rows)
    first, again = (study_irt(log, MODELS["2pl"]).document(SOURCE) for _ in range(2))
    other = study_irt(log_of(tmp_path, rows[:-40]), MODELS["2pl"]).document(SOURCE)
    assert first == again
    assert first["version"] != other["version"]
    assert set(first["model"]["items"]) == {f"i{each}" for each in range(8)}
    assert json.loads(text_of(first)) == first


def test_an_item_that_cannot_be_calibrated_stays_out_of_the_bank_and_is_explained(tmp_path: Path) -> None:
    rows = [(learner, item, 1 if item == "i3" else correct) for learner, item, correct in simulated()]
    document = study_irt(log_of(tmp_path, rows), MODELS["2pl"]).document(SOURCE)
    assert "i3" not in document["model"]["items"]
    assert "everybody answered it right" in document["statistics"]["items"]["i3"]["note"]


@pytest.mark.parametrize("rows", [[], [("ada", "x", 1)], [("ada", "x", 1), ("ada", "y", 0)], [("ada", "x", 1), ("bob", "x", 0)]])
def test_too_little_to_calibrate_is_refused_with_the_reason(tmp_path: Path, rows: list[tuple[str, str, int]]) -> None:
    with pytest.raises(ValueError, match="at least 2 learners and 2 items"):
        study_irt(log_of(tmp_path, rows), MODELS["2pl"])


def test_groups_are_compared_with_the_largest(tmp_path: Path) -> None:
    log = log_of(tmp_path, simulated(400))
    groups = {f"l{each}": "a" if each < 150 else "b" if each < 380 else "" if each < 385 else "tiny" for each in range(400)}
    study = study_irt(log, MODELS["1pl"], groups)
    assert [(each.reference, each.focal, each.learners) for each in study.dif] == [("b", "a", (230, 150))]
    notes = " ".join(study.notes)
    assert "5 learners have no group" in notes
    assert "group tiny has 15 learners" in notes
    assert study.document(SOURCE)["statistics"]["items"]["i1"]["dif"]["a"]["class"] in "ABC"


def test_one_group_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two groups"):
        study_irt(log_of(tmp_path, simulated()), MODELS["2pl"], {f"l{each}": "a" for each in range(300)})


@pytest.mark.parametrize("model", list(MODELS))
def test_the_report_has_the_same_bytes_twice_and_escapes_names(tmp_path: Path, model: str) -> None:
    rows = [(learner, "<b>$i$</b>" if item == "i1" else item, correct) for learner, item, correct in simulated()]
    log = log_of(tmp_path, rows)
    study = study_irt(log, MODELS[model], {f"l{each}": "ab"[each % 2] for each in range(300)})
    first, again = (irt_report(study, "irt-1") for _ in range(2))
    assert first == again
    assert "<b>$i$" not in first
    assert "Differential item functioning" in first
    assert first.count("<figure>") == 2


@pytest.mark.parametrize("model", list(MODELS))
@pytest.mark.parametrize("name", ["fraction", "ecpe"])
def test_real_responses_calibrate(name: str, model: str) -> None:
    if not (DATA / f"{name}.csv").is_file():
        pytest.skip(f"no response logs at {DATA}")
    study = study_irt(read_responses(DATA / f"{name}.csv"), MODELS[model])
    assert study.calibration.converged
    assert study.calibration.usable.all()
    assert 0.7 < study.reliability < 1
    assert all(each.p is not None for each in study.fits)
