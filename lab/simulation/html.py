"""The study as an HTML report."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from lab.report import COLOURS, Report, figure
from lab.simulation.cohort import Trace
from lab.simulation.outcomes import TARGET, Document

_MEASURES = {
    "exam": "true mastery at the exam",
    "mean": "true mastery, mean over all answers",
    "answers": "answers until 80 % are mastered",
    "reached": "share of learners who got there",
    "regret": "mastery missed against the oracle",
}


def report(document: Document, traces: Mapping[str, Trace]) -> str:
    """Returns the report of a study; equal studies give equal bytes."""
    study, policies = document["study"], document["policies"]
    names = list(policies)
    told = Report(f"Simulated learners: {', '.join(each for each in names if each != 'oracle')}")
    told.text(
        f"{study['learners']:,} simulated learners of the family {study['family']} practised {study['sessions']} sessions of "
        f"{study['answers_a_session']} answers in the course {study['course']} ({study['items']} items, {study['skills']} skills), under "
        f"each policy with the same luck (seed {study['seed']}). Decisions and mastery are those of the production code; the truth is the "
        "simulator's. All of this is simulated: it says how policies compare if people learn like these families, not that anybody learnt."
    )
    _over_time(told, document, traces)
    _outcomes(told, document)
    _exposure(told, document, traces)
    _honesty(told, document)
    return told.html()


def _outcomes(told: Report, document: Document) -> None:
    policies = document["policies"]
    told.section(
        "Outcomes",
        "Means over learners, with 95 % intervals from a bootstrap over learners. Mastery is the share of the course's skills that is truly "
        "mastered. Learners who never had mastered 80 % count with all their answers. The oracle sees the truth and looks one step ahead.",
    )
    groups = list(next(iter(policies.values()))["outcomes"])
    for group in groups:
        if len(groups) > 1:
            told.text("All learners:" if group == "all" else f"Learners of the family {group}:")
        told.table(
            ["policy", *_MEASURES.values()],
            [[name, *(_interval(of["outcomes"][group][each]) for each in _MEASURES)] for name, of in policies.items()],
        )
    told.section(
        "Differences", "Paired: the same learners with the same luck. An interval without 0 is a difference of the simulation."
    )
    told.table(
        ["difference", "learners", *_MEASURES.values()],
        [
            [pair, group, *(_interval(of[group][each], signed=True) for each in _MEASURES)]
            for pair, of in document["ahead"].items()
            for group in of
        ],
    )


def _over_time(told: Report, document: Document, traces: Mapping[str, Trace]) -> None:
    told.section("Mastery over time")
    drawn = figure()
    axes = _axes(drawn.subplots(), "answers", "true mastery")
    for colour, (name, trace) in zip(COLOURS, traces.items(), strict=False):
        low, middle, high = np.quantile(trace.mastered, (0.25, 0.5, 0.75), axis=1)
        steps = np.arange(len(middle))
        axes.fill_between(steps, low, high, color=colour, alpha=0.13, linewidth=0)
        axes.plot(steps, middle, color=colour, label=name)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, loc="lower right")
    told.plot(
        drawn, "Share of the course that is truly mastered after each answer: the median learner, and the middle half as a band."
    )

    drawn = figure()
    left, right = drawn.subplots(1, 2)
    _axes(left, "answers", "mean regret so far")
    _axes(right, "answers", f"learners who have reached {TARGET:.0%}")
    oracle = np.array(document["policies"]["oracle"]["curve"][1:])
    for colour, (name, trace) in zip(COLOURS, traces.items(), strict=False):
        steps = np.arange(1, len(trace.mastered))
        if name != "oracle":
            missed = oracle - np.array(document["policies"][name]["curve"][1:])
            left.plot(steps, missed.cumsum() / steps, color=colour, label=name)
        ever = np.logical_or.accumulate(trace.mastered[1:] >= TARGET, axis=0).mean(axis=1)
        right.plot(steps, ever, color=colour, label=name)
    left.set_ylim(bottom=0)
    right.set_ylim(0, 1)
    left.legend(frameon=False)
    told.plot(
        drawn,
        "Left: mastery missed against the oracle, averaged over the answers so far. "
        "Right: the share of learners who have reached the target at least once.",
    )


def _exposure(told: Report, document: Document, traces: Mapping[str, Trace]) -> None:
    told.section("Exposure", "How much of the item pool each policy uses, and how hard it uses the items it likes.")
    told.table(
        [
            "policy",
            "share of learners who saw the most seen item",
            "of the mean item",
            "Gini coefficient",
            "items never shown",
            "most often to one learner",
        ],
        [
            [name, *(of["exposure"][each] for each in ("max", "mean", "gini", "never", "most_often_to_one_learner"))]
            for name, of in document["policies"].items()
        ],
    )
    drawn = figure(height=3.0)
    axes = _axes(drawn.subplots(), "items, most seen first", "share of learners who saw it")
    for colour, (name, trace) in zip(COLOURS, traces.items(), strict=False):
        seen = np.sort((trace.shown > 0).mean(axis=0))[::-1]
        axes.plot(np.arange(1, len(seen) + 1), seen, color=colour, label=name)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False)
    told.plot(drawn, "The share of learners who saw each item at least once, from the most to the least seen item.")


def _honesty(told: Report, document: Document) -> None:
    policies = document["policies"]
    families = list(next(iter(policies.values()))["coverage"])
    told.section(
        "Do the mastery intervals hold the truth?",
        "At the end of each session, for each skill practised in it: does the platform's 90 % interval hold what an ideal observer expects, "
        "who knows every parameter of the learner and sees the same answers? The grey band is 87 to 93 %.",
    )
    told.table(
        ["policy", "family", "intervals", "held the truth", "truth below", "truth above"],
        [
            [name, family, *(of["coverage"][family][each] for each in ("intervals", "share", "truth_below", "truth_above"))]
            for name, of in policies.items()
            for family in families
        ],
    )
    drawn = figure(height=3.0)
    axes = _axes(drawn.subplots(), "", "share that held the truth")
    axes.axhspan(0.87, 0.93, color="#dddddd", linewidth=0)
    for place, (colour, (name, of)) in enumerate(zip(COLOURS, policies.items(), strict=False)):
        shares = [of["coverage"][family]["share"] for family in families]
        at = [n + (place - (len(policies) - 1) / 2) * 0.12 for n, share in enumerate(shares) if share is not None]
        axes.plot(at, [share for share in shares if share is not None], "o", color=colour, label=name)
    axes.set_xticks(range(len(families)), families)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, ncols=len(policies), loc="lower left")
    told.plot(drawn, "Coverage of the 90 % mastery intervals by family of learners and policy.")

    drawn = figure()
    left, right = drawn.subplots(1, 2)
    _axes(left, "claimed mastery", "expected by the ideal observer")
    _axes(right, "predicted P(right)", "answered right")
    for axes in (left, right):
        axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    for colour, (name, of) in zip(COLOURS, policies.items(), strict=False):
        left.plot(
            [row["claimed"] for row in of["mastery_claims"]],
            [row["ideal"] for row in of["mastery_claims"]],
            "o-",
            color=colour,
            label=name,
        )
        bins = of["predictions"]["bins"]
        right.plot([row["predicted"] for row in bins], [row["right"] for row in bins], "o-", color=colour, label=name)
    left.legend(frameon=False)
    told.plot(
        drawn,
        "Left: claimed mastery against the ideal observer's. Right: predictions made before each answer against the answers.",
    )
    first = next(iter(policies))
    told.text(f"Claims under the policy {first}, by how much was claimed:")
    columns = ("intervals", "lower", "claimed", "upper", "ideal", "true", "coverage")
    told.table(
        ["claimed from", "to", *columns],
        [[row["from"], row["to"], *(row[each] for each in columns)] for row in policies[first]["mastery_claims"]],
    )
    told.text("Predictions made before each answer:")
    told.table(
        ["policy", "answers", "log-loss", "calibration error"],
        [
            [name, *(of["predictions"][each] for each in ("count", "log_loss", "calibration_error"))]
            for name, of in policies.items()
        ],
    )


def _axes(axes: Axes, x: str, y: str) -> Axes:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _interval(estimate: Document, signed: bool = False) -> str:
    digits = 1 if abs(estimate["mean"]) >= 10 or max(abs(estimate["lower"]), abs(estimate["upper"])) >= 10 else 3
    sign = "+" if signed else ""
    return f"{estimate['mean']:{sign}.{digits}f} ({estimate['lower']:{sign}.{digits}f} to {estimate['upper']:{sign}.{digits}f})"
