"""The report of a replay as one HTML file: how good the predictions were, and what mastery came of the answers."""

import numpy as np
from matplotlib.figure import Figure

from cli.api import Json
from cli.replay.accounting import Pairs
from lab.fitting.measures import Bin, calibration
from lab.report import COLOURS, Report, figure

_LABELS = {"all": "all learners", "second_half": "second half of the learners"}


def html_report(report: Json, predictions: dict[str, Pairs]) -> str:
    """Returns the file. `report` is what the command prints as JSON, `predictions` are those behind it."""
    page = Report(f"Replay of {report['course']}")
    page.section(
        "Accounting",
        "Recorded answers were sent through the platform in each learner's order; before each answer the platform stored a prediction of it.",
    )
    page.table(
        ("answers", "count"),
        [(each, report[each]) for each in ("sent", "acknowledged", "counted", "lost", "duplicated", "refused")],
    )
    page.section(
        "Predictions",
        "AUC is the probability that a right answer had been given the higher prediction than a wrong one. The calibration error is the mean "
        "distance between predicted and observed over ten bins with an equal count of answers. The second half of the learners, in the order "
        "of the file, met items about which the first half had taught the platform.",
    )
    page.table(
        ("learners", "answers", "AUC", "log-loss", "calibration error"),
        [
            (label, *(report["prediction"][name][key] for key in ("count", "auc", "log_loss", "calibration_error")))
            for name, label in _LABELS.items()
        ],
    )
    for name, label in _LABELS.items():
        if pairs := predictions[name]:
            bins = calibration(np.array([p for p, _ in pairs]), np.array([y for _, y in pairs]))
            page.plot(_reliability(bins), _described(label, bins))
    page.section(
        "Mastery",
        "A row a skill: the mean over its learners of P(mastered) as the last answer left it, and of the ends of its 90 % interval.",
    )
    page.table(
        ("skill", "learners", "attempts", "mean", "lower", "upper"),
        [[row[key] for key in ("skill", "learners", "attempts", "mean", "lower", "upper")] for row in report["skills"]],
    )
    if report["skills"]:
        page.plot(_mastery(report["skills"]), "Mean mastery of each skill with the mean 90 % interval.")
    return page.html()


def _described(label: str, bins: list[Bin]) -> str:
    furthest = max(bins, key=lambda each: abs(each.predicted - each.actual))
    return (
        f"Reliability, {label}: the share of right answers against the prediction, in {len(bins)} bins of equal count, "
        "with the 90 % interval of each share as if its answers were independent. On the line predictions would be exact; "
        f"furthest from it is {furthest.actual:.2f} where {furthest.predicted:.2f} was predicted."
    )


def _reliability(bins: list[Bin]) -> Figure:
    drawn = figure(5.0, 4.6)
    axes = drawn.add_subplot()
    axes.plot([0, 1], [0, 1], color=COLOURS[5], linewidth=1, linestyle="--")
    axes.errorbar(
        [each.predicted for each in bins],
        [each.actual for each in bins],
        yerr=[1.645 * each.error for each in bins],
        color=COLOURS[0],
        marker="o",
        capsize=3,
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="predicted P(correct)", ylabel="share of right answers", aspect="equal")
    return drawn


def _mastery(skills: list[Json]) -> Figure:
    shown = skills[:60]
    drawn = figure(7.5, 1.2 + 0.28 * len(shown))
    axes = drawn.add_subplot()
    means, places = [row["mean"] for row in shown], range(len(shown))
    axes.hlines(
        places, [row["lower"] for row in shown], [row["upper"] for row in shown], color=COLOURS[0], linewidth=3, alpha=0.4
    )
    axes.plot(means, places, "o", color=COLOURS[0])
    axes.set_yticks(list(places), [str(row["skill"])[:40] for row in shown])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="P(mastered)")
    return drawn
