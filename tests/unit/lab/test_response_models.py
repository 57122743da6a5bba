"""Training: nothing of an answer leaks into its own features, learners are judged whole, and the same seed gives the same bytes."""

import builtins
import csv
import importlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.main import build
from domain.inference.dkt import DktModel
from domain.inference.feature_model import FeatureModel
from domain.inference.features import FEATURES
from domain.inference.history import NEWEST, Answered
from domain.inference.item_table import ItemTable
from domain.inference.response_model import Candidate
from domain.inference.trained import TrainedModel, Unseen
from lab.fitting.measures import auc, quality_of
from lab.response_models.boosting import trees_of
from lab.response_models.dataset import LearnerLog, Rows, correct_of, learner_logs, predictions, rows_of, training_rows, windows
from lab.response_models.dkt import Shape, fit_dkt
from lab.response_models.live import live_predictions
from lab.response_models.logistic import fit_logistic
from lab.response_models.simulated import simulated_logs
from lab.response_models.splitting import is_unseen
from lab.response_models.study import fit
from lab.responses import read_responses

LOGS, CHANCES = simulated_logs(learners=150, answers=24, seed=1, items=25)
SEEN, UNSEEN = LOGS[:110], LOGS[110:]
SMALL = Shape(vector=6, memory=8, hidden=8, most_epochs=2)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Beside other tests, threads that wait for each other take longer than one."""
    with importlib.import_module("threadpoolctl").threadpool_limits(1):
        yield


def written(path: Path, logs: list[LearnerLog]) -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["learner", "position", "item", "skills", "correct"])
        for log in logs:
            rows.writerows(
                [log.learner, place, each.item, ";".join(each.skills), int(each.correct)]
                for place, each in enumerate(log.answers)
            )
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("logs") / "simulated.csv", LOGS[:80])


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_what_is_trained_beats_the_base_rate_and_comes_near_the_truth(kind: str) -> None:
    predicted = predictions(fit(SEEN, kind, timed=True, seed=1), UNSEEN)
    correct = correct_of(UNSEEN)
    rate = np.full(len(correct), correct_of(SEEN).mean())
    truth = np.concatenate(CHANCES[110:])
    assert quality_of(predicted, correct).log_loss < quality_of(rate, correct).log_loss - 0.03
    assert auc(truth, correct) - 0.1 < auc(predicted, correct) < auc(truth, correct) + 0.02, (
        "no better than the truth: nothing leaks"
    )


def test_a_network_is_trained_and_predicts_with_numpy_what_torch_predicts() -> None:
    table = ItemTable.learnt([each.answers for each in SEEN])
    model = fit_dkt(SEEN, table, 1, Shape(vector=12, memory=16, hidden=16, most_epochs=8, learning_rate=0.02))
    predicted, correct = predictions(model, UNSEEN), correct_of(UNSEEN)
    rate = np.full(len(correct), correct_of(SEEN).mean())
    assert quality_of(predicted, correct).log_loss < quality_of(rate, correct).log_loss - 0.01
    torch = pytest.importorskip("torch")
    net = model.network
    depth, memory = net.item_vectors.shape[1], net.recurrent.shape[1]
    lstm = torch.nn.LSTM(2 * depth + 1, memory, batch_first=True)
    told = np.random.default_rng(0).normal(size=(2, 7, 2 * depth + 1))
    with torch.no_grad():
        for name, weights in (("weight_ih_l0", net.input), ("weight_hh_l0", net.recurrent), ("bias_ih_l0", net.bias)):
            getattr(lstm, name).copy_(torch.tensor(weights))
        lstm.bias_hh_l0.zero_()
        states = lstm.double()(torch.tensor(told))[0].numpy()
    assert net.states(told)[:, 1:] == pytest.approx(states, abs=1e-12)


def test_predicting_each_answer_is_predicting_from_what_came_before() -> None:
    model = fit_dkt(SEEN[:20], ItemTable.learnt([each.answers for each in SEEN[:20]]), 1, SMALL)
    other = fit(SEEN[:40], "logistic", timed=False, seed=1)
    for one in (model, other):
        log = UNSEEN[0].answers
        each = [
            one.predict([log[:place]], [Candidate(answer.item, answer.skills)], answer.at)[0, 0]
            for place, answer in enumerate(log)
        ]
        assert predictions(one, UNSEEN[:1]) == pytest.approx(np.array(each), abs=1e-12)


def test_a_verdict_moves_nothing_in_the_features_of_its_own_row_nor_in_the_items_of_its_learner() -> None:
    """What a row is to predict must not be in it: neither directly nor by way of the item table."""
    other = [LearnerLog(SEEN[0].learner, [each._replace(correct=not each.correct) for each in SEEN[0].answers]), *SEEN[1:60]]
    rows, changed = training_rows(SEEN[:60], False, 3), training_rows(other, False, 3)
    own = np.flatnonzero(rows.learner == 0)
    assert (rows.correct[own] != changed.correct[own]).all()
    first = own[0]
    assert rows.features[first].tolist() == changed.features[first].tolist(), "nothing was known before the first answer"
    place = [FEATURES.index(each) for each in ("item_intercept", "item_slope", "item_share", "item_answers", "item_skills_mean")]
    assert rows.features[np.ix_(own, place)].tolist() == changed.features[np.ix_(own, place)].tolist()
    last = own[-1]
    flipped = [LearnerLog(SEEN[0].learner, [*SEEN[0].answers[:-1], SEEN[0].answers[-1]._replace(correct=not rows.correct[last])])]
    table = ItemTable.learnt([each.answers for each in SEEN[1:60]])
    assert rows_of(flipped, table, False).features.tolist() == rows_of(SEEN[:1], table, False).features.tolist()


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_the_same_seed_gives_the_same_bytes(kind: str) -> None:
    one, again = (TrainedModel(fit(SEEN[:60], kind, False, 7), Unseen(7, 0.2)).packed() for _ in range(2))
    assert one == again
    assert TrainedModel(fit(SEEN[:60], kind, False, 8), Unseen(7, 0.2)).packed() != one


def test_trees_taken_out_predict_as_scikit_learn_does() -> None:
    ensemble = importlib.import_module("sklearn.ensemble")
    rng = np.random.default_rng(4)
    features = rng.normal(size=(3_000, 5)).round(2)
    correct = rng.random(3_000) < 1 / (1 + np.exp(-features[:, 0] * features[:, 1] - features[:, 2]))
    fitted = ensemble.HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(features, correct)
    trees = trees_of(fitted)
    assert trees.fault(5) == ""
    fresh = np.vstack([rng.normal(size=(2_500, 5)).round(2) * 2, features])
    assert trees(fresh) == pytest.approx(fitted.decision_function(fresh), abs=1e-9)


def test_logistic_regression_is_at_the_maximum_of_its_penalized_likelihood() -> None:
    linear_model = importlib.import_module("sklearn.linear_model")
    rows = rows_of(SEEN[:60], ItemTable.learnt([each.answers for each in SEEN[60:]]), False)
    mine = fit_logistic(rows)
    scaled = (rows.features - mine.mean) / mine.scale
    theirs = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(scaled, rows.correct)
    assert mine.weights == pytest.approx(theirs.coef_[0], abs=1e-4)
    assert mine.intercept == pytest.approx(theirs.intercept_[0], abs=1e-4)


def test_logistic_regression_of_answers_that_are_all_alike_ends() -> None:
    rows = Rows(np.random.default_rng(0).normal(size=(50, len(FEATURES))), np.ones(50, dtype=bool), np.zeros(50, dtype=np.int64))
    assert np.isfinite(fit_logistic(rows).intercept)


@given(st.integers(0, 1_500))
@settings(max_examples=30)
def test_every_answer_is_predicted_once_from_at_most_the_newest_before_it(count: int) -> None:
    cut = list(windows(count))
    assert [place for _, begin, end in cut for place in range(begin, end)] == list(range(count))
    assert all(begin - read in (0, NEWEST // 2) and end - read <= NEWEST for read, begin, end in cut)


def test_learners_are_kept_for_judging_whole_and_whatever_else_is_in_the_file() -> None:
    unseen = [each.learner for each in LOGS if is_unseen(each.learner, Unseen(1, 0.2))]
    assert 10 < len(unseen) < 50
    assert unseen != [each.learner for each in LOGS if is_unseen(each.learner, Unseen(2, 0.2))]


def test_rows_that_repeat_an_answer_under_another_skill_are_merged(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("learner,position,item,skills,correct\nada,1,x,a,1\nada,2,x,b,1\nada,3,x,a,0\n")
    (log,) = learner_logs(read_responses(path))
    assert log.answers == [Answered("x", ("a", "b"), True), Answered("x", ("a",), False)]


def test_the_platforms_predictor_never_sees_the_answer_it_predicts() -> None:
    log = UNSEEN[:1]
    flipped = [
        LearnerLog(log[0].learner, [*log[0].answers[:-1], log[0].answers[-1]._replace(correct=not log[0].answers[-1].correct)])
    ]
    assert live_predictions(SEEN, log).tolist() == live_predictions(SEEN, flipped).tolist()


def test_a_model_is_trained_judged_and_compared_by_command(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    trained = CliRunner().invoke(
        build(), ["model", "train", "--responses", str(file), "--kind", "logistic", "--out", str(out), "--json"]
    )
    assert trained.exit_code == 0, trained.output
    assert '"live_predictor"' in trained.stdout
    model = TrainedModel.unpacked((out / "model.paideia").read_bytes())
    assert isinstance(model.model, FeatureModel)
    assert model.evaluation["judged_on"]["learners"] + model.evaluation["trained_on"]["learners"] == 80
    report = (out / "report.html").read_text()
    assert "What moves its predictions" in report
    assert "http" not in report.split("<body>")[1].replace("http://www.w3.org", ""), "it loads nothing"
    compared = CliRunner().invoke(build(), ["model", "compare", str(out), "--responses", str(file), "--out", str(tmp_path)])
    assert compared.exit_code == 0, compared.output
    assert f"{model.evaluation['quality']['auc']:.4f}" in compared.stdout, "the same learners are judged in the same way"


@pytest.mark.parametrize(
    ("rows", "says"),
    [("", "too few"), ("ada,1,x,a,1\n", "too few"), ("".join(f"l{n},1,x,a,1\n" for n in range(40)), "alike")],
    ids=["no rows", "one learner", "all right"],
)
def test_what_cannot_be_trained_on_is_refused_in_words(rows: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"learner,position,item,skills,correct\n{rows}")
    done = CliRunner().invoke(build(), ["model", "train", "--responses", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert says in done.stderr
    assert not (tmp_path / "out").exists()


def test_models_that_have_no_unseen_learner_in_common_are_not_compared(file: Path, tmp_path: Path) -> None:
    model = fit(SEEN[:20], "logistic", False, 1)
    (tmp_path / "all.paideia").write_bytes(TrainedModel(model, Unseen(1, 0.0)).packed())
    done = CliRunner().invoke(build(), ["model", "compare", str(tmp_path / "all.paideia"), "--responses", str(file)])
    assert done.exit_code == 2
    assert "--seed" in done.stderr
    (tmp_path / "none.paideia").write_bytes(b"nothing")
    done = CliRunner().invoke(build(), ["model", "compare", str(tmp_path / "none.paideia"), "--responses", str(file)])
    assert done.exit_code == 2
    assert "does not begin" in done.stderr


def test_without_torch_training_a_network_says_what_to_install_and_predicting_goes_on(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = TrainedModel(fit_dkt(SEEN[:10], ItemTable.learnt([each.answers for each in SEEN[:10]]), 1, SMALL), Unseen(1, 0.2))

    def missing(name: str, *rest: object) -> object:
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return found(name, *rest)

    found = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", missing)
    monkeypatch.setattr(builtins, "__import__", _without_torch(builtins.__import__))
    done = CliRunner().invoke(
        build(), ["model", "train", "--responses", str(file), "--kind", "dkt", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 2
    assert "pip install 'paideia[inference]'" in " ".join(done.stderr.split())
    read = TrainedModel.unpacked(model.packed()).model
    assert isinstance(read, DktModel)
    assert read.predict([SEEN[0].answers], [Candidate("item-1")], None).shape == (1, 1)


def _without_torch(found: object) -> object:
    def missing(name: str, *rest: object, **named: object) -> object:
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return found(name, *rest, **named)  # type: ignore[operator]

    return missing
