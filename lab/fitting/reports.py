"""Reports of fitted knowledge tracing and fitted forgetting."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from domain.psychometrics.bkt_classic import SkillParameters
from domain.psychometrics.bkt_fit import PRIOR
from domain.psychometrics.fsrs import DEFAULT_WEIGHTS, Fsrs, Rating, Weights
from lab.fitting.bkt import FOLDS, BktStudy
from lab.fitting.fsrs import FsrsStudy
from lab.fitting.measures import Quality, calibration
from lab.report import COLOURS, Report, figure

WEIGHT_NAMES = (
    *(f"initial stability, {each.name.lower()} (days)" for each in Rating),
    *("initial difficulty", "initial difficulty by rating", "change of difficulty", "mean reversion of difficulty"),
    *("growth at a recall", "growth by stability", "growth by forgetting"),
    *("lapse: size", "lapse by difficulty", "lapse by stability", "lapse by forgetting"),
    *("factor for hard", "factor for easy"),
    *("same day by rating", "same day: shift", "same day by stability"),
    "decay",
)
_SHOWN_SKILLS = 200
_DAYS = 60


def bkt_report(study: BktStudy, version: str) -> str:
    """Returns the report as HTML."""
    report = Report("Knowledge tracing fitted to responses")
    losing = "Mastery can be lost." if study.forget else "Mastery is never lost (no forget)."
    report.text(
        f"{study.log.size:,} answers of {len(study.log.learners):,} learners to {len(study.log.items):,} items with "
        f"{len(study.log.skills):,} skills; {len(study.log.errors):,} rows were left out. {losing} Version {version}."
    )
    report.section(
        "How good the predictions are",
        f"Each answer was predicted before it was seen, by parameters fitted to other learners ({FOLDS}-fold cross-validation). An answer "
        "to an item with several skills teaches each of them, is predicted by the geometric mean of what they say, and is judged once. "
        "Knowledge tracing knows skills, not items: where items of a skill differ much in difficulty, it cannot see it.",
    )
    rows = [("knowledge tracing", study.quality), ("each skill's share of right answers", study.baseline)]
    report.table(*_qualities(rows))
    drawn = figure()
    left, right = drawn.subplots(1, 2)
    _reliability(left, [("knowledge tracing", study.predicted)], study.log.correct)
    shown = [each for each in study.opportunities if each.answers >= 10] or study.opportunities
    numbers = [each.number for each in shown]
    right.plot(numbers, [each.right for each in shown], "o", color=COLOURS[1], label="right")
    right.plot(numbers, [each.predicted for each in shown], color=COLOURS[0], label="predicted")
    right.set(xlabel="n-th answer of a learner to a skill", ylabel="share of right answers", ylim=(0, 1))
    right.legend(frameon=False)
    report.plot(
        drawn,
        "Left: of the answers predicted with a probability, the share that was right; on the line, predictions mean what they say. "
        "Right: the learning curve over all skills, actual and predicted.",
    )
    names, parameters = SkillParameters._fields, study.fit.parameters
    kept = [place for place, name in enumerate(names) if study.forget or name != "forget"]
    prior = ", ".join(f"{names[place]} {PRIOR[place, 0]:g} yes and {PRIOR[place, 1]:g} no" for place in kept)
    report.section(
        "Parameters by skill",
        f"Fitted to all learners, with posterior standard deviations (±). The priors are worth a few observations each: {prior}. A "
        "parameter without a standard deviation lies at its bound. Different parameters can predict nearly the same: large standard "
        "deviations say so.",
    )
    columns = ["skill", "learners", "answers", *(names[place] for place in kept)]
    report.table(columns, [_skill_row(study, parameters, skill, kept) for skill in _most_answered(study)])
    left_out = len(study.log.skills) - _SHOWN_SKILLS
    if left_out > 0:
        report.text(f"The {left_out:,} skills with the fewest answers are left out here; the JSON file has them all.")
    return report.html()


def fsrs_report(study: FsrsStudy, version: str) -> str:
    """Returns the report as HTML."""
    report = Report("Forgetting (FSRS-6) fitted to reviews")
    report.text(
        f"{study.log.size:,} answers of {len(study.log.learners):,} learners, {study.memories:,} memories (one for each learner and item); "
        f"{study.fit.trials:,} answers came a day or more after the one before and test the predictions; {len(study.log.errors):,} rows "
        f"were left out. Version {version}."
    )
    unseen = "learners" if len(study.log.learners) >= FOLDS else "memories"
    report.section(
        "How good the predictions are",
        f"P(recall) was predicted before each answer, by weights fitted to other {unseen} ({FOLDS}-fold cross-validation), and by the "
        "default weights.",
    )
    report.table(*_qualities([("fitted to others", study.quality), ("default weights", study.default_quality)]))
    drawn = figure()
    left, right = drawn.subplots(1, 2)
    _reliability(left, [("fitted to others", study.predicted), ("default weights", study.by_default)], study.recalled)
    _forgetting(right, study.fit.weights)
    report.plot(
        drawn,
        "Left: of the reviews predicted with a probability, the share that was recalled; on the line, predictions mean what they say. "
        "Right: how an item is forgotten after the first answer, by its rating, with fitted (solid) and default weights (dashed).",
    )
    report.section(
        "Weights",
        "Fitted to all, with posterior standard deviations under a weak prior around the default weights. A weight without one lies at its "
        "bound. A weight whose standard deviation is about as large as the weight is not known from this file.",
    )
    rows = zip(WEIGHT_NAMES, study.fit.weights, study.deviations.tolist(), DEFAULT_WEIGHTS, strict=True)
    columns = ["weight", "", "fitted", "±", "default"]
    report.table(columns, [[f"w{n}", name, at, _known(sd), default] for n, (name, at, sd, default) in enumerate(rows)])
    return report.html()


def _qualities(rows: Sequence[tuple[str, Quality]]) -> tuple[list[str], list[list[str | int | float | None]]]:
    columns = ["predictions", "answers", "AUC", "log-loss", "calibration error"]
    return columns, [[name, quality.answers, *map(_known, quality[1:])] for name, quality in rows]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _reliability(axes: Axes, series: Sequence[tuple[str, np.ndarray]], correct: np.ndarray) -> None:
    axes.plot([0, 1], [0, 1], color="#9fb3bd", linewidth=1)
    for colour, (name, predicted) in zip(COLOURS, series, strict=False):
        bins = calibration(predicted, correct)
        axes.plot([each.predicted for each in bins], [each.actual for each in bins], "o-", color=colour, label=name)
    axes.set(xlabel="predicted", ylabel="actual", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False)


def _forgetting(axes: Axes, weights: Weights) -> None:
    days = np.arange(_DAYS + 1)
    for colour, rating in zip(COLOURS, Rating, strict=False):
        for of, style in ((weights, "-"), (DEFAULT_WEIGHTS, "--")):
            model = Fsrs(of)
            recall = [model.retrievability(model.first(rating), int(day)) for day in days]
            axes.plot(days, recall, style, color=colour, label=rating.name.lower() if style == "-" else None)
    axes.set(xlabel="days after the first answer", ylabel="P(recall)", ylim=(0, 1))
    axes.legend(frameon=False)


def _most_answered(study: BktStudy) -> list[int]:
    return sorted(np.argsort(-study.answers, kind="stable")[:_SHOWN_SKILLS].tolist())


def _skill_row(study: BktStudy, parameters: SkillParameters, skill: int, kept: Sequence[int]) -> list[str | int]:
    cells = []
    for place in kept:
        deviation = study.fit.deviations[place, skill]
        stated = "" if np.isnan(deviation) else f" ± {deviation:.3f}"
        cells.append(f"{parameters[place][skill]:.3f}{stated}")
    return [study.log.skills[skill], int(study.learners[skill]), int(study.answers[skill]), *cells]
