"""Reports of trained and compared response models."""

from collections.abc import Sequence

from lab.fitting.measures import calibration
from lab.report import COLOURS, Cell, Report, figure
from lab.response_models.study import RESAMPLES, Comparison, Judged, Study

_PARTS = {
    "ability": "the learner's level over all answers",
    "practice": "what came of the item's skills",
    "lately": "the newest answers, or answers to other skills",
    "item": "the item: how it was answered by those whom the model was trained on",
    "again": "the learner's earlier answers to this very item",
}


def training_report(study: Study, version: str) -> str:
    """Returns the report on one model as HTML."""
    report = Report(f"A response model: {study.trained.kind}")
    merged = f" {study.merged_rows:,} rows that repeated an answer under another skill were merged." if study.merged_rows else ""
    share = study.trained.unseen.share
    report.text(
        f"Version {version}. Trained on {study.seen_answers:,} answers of {study.seen_learners:,} learners and judged on "
        f"{len(study.comparison.correct):,} answers of {study.comparison.learners:,} others: those whose name, hashed with the seed "
        f"{study.trained.unseen.seed}, falls into {share:.0%} of all values.{merged} The artifact holds the very model that was judged."
    )
    _qualities(report, study.comparison)
    _reliability(report, study.comparison)
    _by_history(report, study.comparison)
    report.section(
        "What moves its predictions",
        "The mean absolute change of P(correct) by knowing each thing (Shapley's values over some of the unseen answers drawn at random).",
    )
    rows: list[list[Cell]] = [[name, _PARTS.get(name, ""), effect] for name, effect in study.importance.items()]
    report.table(["part", "", "mean absolute effect"], sorted(rows, key=lambda row: -float(row[2] or 0)))
    return report.html()


def comparison_report(comparison: Comparison, versions: dict[str, str], source: str) -> str:
    """Returns the report on several models, by name, as HTML."""
    report = Report("Response models compared")
    report.text(
        f"{len(comparison.correct):,} answers of {comparison.learners:,} learners of {source}, whom none of the models was trained on if they "
        "were trained on this file."
    )
    report.table(["model", "version"], [[name, version] for name, version in versions.items()])
    _qualities(report, comparison)
    _reliability(report, comparison)
    _by_history(report, comparison)
    return report.html()


def _qualities(report: Report, comparison: Comparison) -> None:
    report.section(
        "How good the predictions are",
        f"Each answer was predicted from the learner's earlier ones. The platform's own predictor, {comparison.live.name}, was given the "
        "answers of the other learners first and, as it does in service, goes on learning of items from these. The last column is how much "
        f"greater the AUC is than its, with a 95 % interval from {RESAMPLES} samples of learners drawn anew.",
    )
    columns = ["predictions", "answers", "AUC", "log-loss", "calibration error", "AUC above the platform's"]
    report.table(columns, [[each.name, *each.quality, gap_of(comparison, each)] for each in comparison.judged])


def gap_of(comparison: Comparison, judged: Judged) -> str:
    """Returns how much better than the platform's predictor one is, in words."""
    if judged is comparison.live:
        return ""
    gap = comparison.gap(judged)
    return f"{gap.mean:+.4f} ({gap.lower:+.4f} to {gap.upper:+.4f})"


def _reliability(report: Report, comparison: Comparison) -> None:
    drawn = figure(height=4.2)
    axes = drawn.subplots()
    axes.plot([0, 1], [0, 1], color="#9fb3bd", linewidth=1)
    for colour, each in zip(COLOURS, comparison.judged, strict=False):
        bins = calibration(each.predicted, comparison.correct)
        axes.errorbar(
            [one.predicted for one in bins],
            [one.actual for one in bins],
            yerr=[1.96 * one.error for one in bins],
            fmt="o-",
            color=colour,
            label=each.name,
            linewidth=1,
            markersize=4,
        )
    axes.set(xlabel="predicted", ylabel="actual", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False)
    report.plot(
        drawn,
        "Of the answers predicted with a probability, the share that was right, in tenths of the predictions, with 95 % intervals; on the line, "
        "predictions mean what they say.",
    )


def _by_history(report: Report, comparison: Comparison) -> None:
    report.section("By how much was known", "AUC by the count of the learner's answers before the one that was predicted.")
    names: Sequence[str] = [each.name for each in comparison.judged]
    rows: list[list[Cell]] = [[name, count, *aucs] for name, count, aucs in comparison.by_history()]
    report.table(["answers before", "answers", *names], rows)
