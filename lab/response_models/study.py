"""Trains a model on some learners and judges it on the others, beside the predictor that the platform runs."""

import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from domain.inference.feature_model import FeatureModel
from domain.inference.item_table import ItemTable
from domain.inference.response_model import Candidate, ResponseModel
from domain.inference.trained import TrainedModel, Unseen, version_of
from lab.fitting.artifact import Document, number
from lab.fitting.measures import Quality, auc, quality_of
from lab.response_models.boosting import fit_boosting
from lab.response_models.dataset import Floats, LearnerLog, Truths, correct_of, learner_logs, predictions, training_rows
from lab.response_models.dkt import fit_dkt
from lab.response_models.live import LIVE, live_predictions
from lab.response_models.logistic import fit_logistic
from lab.response_models.splitting import is_unseen
from lab.responses import ResponseLog

OnStep: TypeAlias = Callable[[str], None]
"""Is told what is being done now."""

RESAMPLES: Final = 400
_EXPLAINED: Final = 200
_HISTORY_BINS: Final = ((0, 4), (5, 19), (20, 99), (100, None))


class Gap(NamedTuple):
    """How much greater an AUC is than another on the same answers, with a 95 % interval over learners drawn anew."""

    mean: float
    lower: float
    upper: float


class Judged(NamedTuple):
    """Predictions (n,) of the unseen learners' answers by one predictor."""

    name: str
    predicted: Floats
    quality: Quality


class Comparison(NamedTuple):
    """Several predictors on the same answers of learners whom none was trained on; the platform's own is the last but one and the share of
    right answers to each item the last."""

    learners: int
    correct: Truths
    learner: Sequence[int]
    """(n,) the place of each answer's learner."""
    place: Sequence[int]
    """(n,) how many answers of the learner came before."""
    judged: list[Judged]

    @property
    def live(self) -> Judged:
        return self.judged[-2]

    def gap(self, judged: Judged, seed: int = 0) -> Gap:
        """How much better than the platform's own predictor one is, in AUC."""
        return _gap(judged.predicted, self.live.predicted, self.correct, np.array(self.learner), seed)

    def by_history(self) -> list[tuple[str, int, list[float]]]:
        """Returns for each range of answers before: its name, how many answers it has, and every predictor's AUC."""
        place = np.array(self.place)
        result = []
        for low, high in _HISTORY_BINS:
            chosen = (place >= low) & (place <= (np.inf if high is None else high))
            if chosen.any():
                name = f"{low} and more" if high is None else f"{low} to {high}"
                aucs = [auc(each.predicted[chosen], self.correct[chosen]) for each in self.judged]
                result.append((name, int(chosen.sum()), aucs))
        return result


class Study(NamedTuple):
    """A trained model and how it was judged; `importance` is each part's mean absolute effect on P(correct)."""

    trained: TrainedModel
    seen_learners: int
    seen_answers: int
    merged_rows: int
    comparison: Comparison
    importance: dict[str, float]

    def document(self, artifact: bytes, source: Document) -> Document:
        """Returns what is told of the model besides its artifact."""
        return {
            "version": version_of(self.trained.kind, artifact),
            "kind": self.trained.kind,
            **self.trained.evaluation,
            "source": source,
        }


def train(log: ResponseLog, kind: str, seed: int = 1, share: float = 0.2, on_step: OnStep = lambda text: None) -> Study:
    """Trains a model of a kind on the learners of a log and judges it on the share that is left out.

    Raises ValueError for a log with fewer than ten learners, or in which those to be trained on all answered alike.
    """
    logs = learner_logs(log)
    unseen = Unseen(seed, share)
    kept = [each for each in logs if not is_unseen(each.learner, unseen)]
    judged = [each for each in logs if is_unseen(each.learner, unseen)]
    if len(logs) < 10 or not kept or not judged:
        raise ValueError(f"{len(logs)} learners are too few to train on some and judge on others: ten are the least")
    if len(set(correct_of(kept).tolist())) < 2:
        raise ValueError("all answers that could be trained on are alike")
    model = fit(kept, kind, log.occurred_at is not None, seed, on_step)
    on_step("judging on the other learners")
    comparison = compare({kind: model}, kept, judged)
    on_step("measuring what moves predictions")
    importance = _importance(model, judged, seed)
    evaluation = _evaluation(comparison, importance, len(kept), sum(len(each.answers) for each in kept))
    trained = TrainedModel(model, unseen, evaluation, made_with())
    merged_rows = log.size - sum(len(each.answers) for each in logs)
    return Study(trained, len(kept), evaluation["trained_on"]["answers"], merged_rows, comparison, importance)


def fit(logs: Sequence[LearnerLog], kind: str, timed: bool, seed: int, on_step: OnStep = lambda text: None) -> ResponseModel:
    """Returns a model of a kind, trained on all of these learners."""
    on_step("learning the items")
    table = ItemTable.learnt([each.answers for each in logs])
    if kind == "dkt":
        return fit_dkt(logs, table, seed, after_each=lambda epoch: on_step(f"epoch {epoch}"))
    rows = training_rows(logs, timed, seed, lambda folds: on_step(f"features, part {folds}"))
    on_step("fitting")
    score = fit_logistic(rows) if kind == "logistic" else fit_boosting(rows, seed)
    return FeatureModel(kind, table, timed, score)


def compare(models: dict[str, ResponseModel], seen: Sequence[LearnerLog], unseen: Sequence[LearnerLog]) -> Comparison:
    """Judges models on learners whom none of them was trained on, beside the platform's own predictor, which is given the seen ones first, and
    the share of right answers that the seen learners gave to each item."""
    correct = correct_of(unseen)
    predicted = {name: predictions(model, unseen) for name, model in models.items()}
    table = ItemTable.learnt([each.answers for each in seen])
    predicted[LIVE] = live_predictions(seen, unseen)
    everything = table.total.share(0.5)
    predicted["item's share right"] = np.array(
        [table.item(each.item).tally.share(everything) for log in unseen for each in log.answers]
    )
    return Comparison(
        learners=len(unseen),
        correct=correct,
        learner=[place for place, log in enumerate(unseen) for _ in log.answers],
        place=[place for log in unseen for place in range(len(log.answers))],
        judged=[Judged(name, each, quality_of(each, correct)) for name, each in predicted.items()],
    )


def made_with() -> dict[str, str]:
    """Returns the releases that an artifact's bytes depend on."""
    names = ("numpy", "scikit-learn", "torch")
    releases = {"python": platform.python_version(), "processor": platform.machine()}
    for name in names:
        try:
            releases[name] = version(name)
        except ModuleNotFoundError:
            continue
    return releases


def _gap(one: Floats, other: Floats, correct: Truths, learner: "np.ndarray[Any, Any]", seed: int) -> Gap:
    chance = np.random.default_rng(seed)
    begins = np.searchsorted(learner, np.arange(learner.max(initial=-1) + 2))
    gaps = []
    for _ in range(RESAMPLES):
        drawn = chance.integers(0, len(begins) - 1, len(begins) - 1)
        rows = np.concatenate([np.arange(begins[each], begins[each + 1]) for each in drawn])
        gaps.append(auc(one[rows], correct[rows]) - auc(other[rows], correct[rows]))
    low, high = np.quantile(gaps, (0.025, 0.975)).tolist()
    return Gap(auc(one, correct) - auc(other, correct), low, high)


def _importance(model: ResponseModel, logs: Sequence[LearnerLog], seed: int) -> dict[str, float]:
    """The mean absolute effect of each part over some answers drawn at random."""
    chance = np.random.default_rng(seed)
    places = [(log, at) for log in logs for at in range(len(log.answers))]
    drawn = chance.choice(len(places), min(_EXPLAINED, len(places)), replace=False)
    effects: dict[str, list[float]] = {}
    for each in drawn:
        log, at = places[each]
        answer = log.answers[at]
        for factor in model.explain(log.answers[:at], Candidate(answer.item, answer.skills), answer.at).factors:
            effects.setdefault(factor.name, []).append(abs(factor.effect))
    return {name: float(np.mean(values)) for name, values in sorted(effects.items())}


def _evaluation(comparison: Comparison, importance: dict[str, float], learners: int, answers: int) -> Document:
    own, live, base = comparison.judged
    gap = comparison.gap(own)
    return {
        "trained_on": {"learners": learners, "answers": answers},
        "judged_on": {"learners": comparison.learners, "answers": own.quality.answers},
        "quality": own.quality.document(),
        "live_predictor": {"version": live.name, **live.quality.document()},
        "share_right_of_the_item": base.quality.document(),
        "auc_above_live": {name: number(value, 3) for name, value in gap._asdict().items()},
        "mean_absolute_effect": {name: number(value, 3) for name, value in importance.items()},
    }
