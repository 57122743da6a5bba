"""What a study found, in numbers: outcomes a policy with intervals, how policies differ, and how honest the platform was about mastery."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np

from lab.simulation.chance import Floats
from lab.simulation.cohort import Trace
from lab.simulation.families import family_of
from lab.simulation.learners import Flags
from lab.simulation.study import Study

TARGET: Final = 0.8
"""Time to mastery ends when this share of the course is truly mastered."""
CONFIDENCE: Final = 0.95
_RESAMPLES: Final = 1_000
_CLAIMS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 1.0)
_BINS: Final = 10

Document = dict[str, Any]


class Estimate(NamedTuple):
    """A mean over learners with its 95 % bootstrap interval."""

    mean: float
    lower: float
    upper: float

    def as_document(self) -> Document:
        return {"mean": _round(self.mean), "lower": _round(self.lower), "upper": _round(self.upper)}


class Measures(NamedTuple):
    """Of each learner (N,): true mastery at the exam and on average over all answers, answers until the target was reached (all answers, if
    it never was), whether it was, and the mastery missed against the oracle, on average over all answers."""

    exam: Floats
    mean: Floats
    answers: Floats
    reached: Floats
    regret: Floats


def measures(trace: Trace, oracle: Trace) -> Measures:
    reached = trace.mastered >= TARGET
    ever = reached.any(axis=0)
    mean = trace.mastered[1:].mean(axis=0, dtype=np.float64)
    return Measures(
        exam=trace.exam,
        mean=mean,
        answers=np.where(ever, reached.argmax(axis=0), len(reached) - 1).astype(np.float64),
        reached=np.asarray(ever, dtype=np.float64),
        regret=oracle.mastered[1:].mean(axis=0, dtype=np.float64) - mean,
    )


class Bootstrap:
    """Resamples learners; the same resamples for everything, so that differences are paired."""

    def __init__(self, learners: int, seed: int) -> None:
        chance = np.random.default_rng([seed, 99])
        self._weights = chance.multinomial(learners, np.full(learners, 1.0 / learners), _RESAMPLES) / learners

    def __call__(self, values: Floats) -> Estimate:
        lower, upper = np.quantile(self._weights @ values, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
        return Estimate(float(values.mean()), float(lower), float(upper))


def outcomes(study: Study, traces: Mapping[str, Trace]) -> Document:
    """Returns the whole study as a document that can be written as JSON; equal studies give equal documents."""
    oracle = traces["oracle"]
    found = {name: measures(trace, oracle) for name, trace in traces.items()}
    families: dict[str, list[int]] = {
        family: [] for family in ([study.family] if study.family != "mixed" else ["bkt", "irt-growth", "memory"])
    }
    for place, learner in enumerate(oracle.ids.tolist()):
        families[family_of(learner, study.family)].append(place)
    groups = {"all": np.arange(len(oracle.ids))} | {
        family: np.array(places) for family, places in families.items() if study.family == "mixed" and places
    }
    bootstraps = {group: Bootstrap(len(places), study.seed) for group, places in groups.items()}
    first = study.choosers[0].name
    return {
        "study": {
            "family": study.family,
            "learners": study.learners,
            "seed": study.seed,
            "course": study.course.course,
            "items": len(study.course.items),
            "skills": len(study.course.skills),
            "sessions": study.schedule.sessions,
            "answers_a_session": study.schedule.answers,
            "target": TARGET,
            "confidence": CONFIDENCE,
            "simulated": True,
        },
        "policies": {
            name: {
                "outcomes": {
                    group: {
                        measure: bootstraps[group](values[places]).as_document()
                        for measure, values in found[name]._asdict().items()
                    }
                    for group, places in groups.items()
                },
                "exposure": exposure(trace),
                "coverage": {family: coverage(trace, study.family, family) for family in ("all", *families)},
                "mastery_claims": claims(trace),
                "predictions": predictions(trace),
                "curve": [_round(each) for each in trace.mastered.mean(axis=1, dtype=np.float64).tolist()],
            }
            for name, trace in traces.items()
        },
        "ahead": {
            f"{first} - {name}": {
                group: {
                    measure: bootstraps[group]((own - other)[places]).as_document()
                    for measure, own, other in zip(Measures._fields, found[first], found[name], strict=True)
                }
                for group, places in groups.items()
            }
            for name in traces
            if name != first
        },
    }


def exposure(trace: Trace) -> Document:
    """How evenly items were used: the share of learners who saw an item, and the Gini coefficient of how often items were shown."""
    seen = (trace.shown > 0).mean(axis=0)
    shown = np.sort(trace.shown.sum(axis=0, dtype=np.float64))
    rank = np.arange(1, len(shown) + 1)
    gini = float((2 * rank - len(shown) - 1) @ shown / (len(shown) * shown.sum()))
    return {
        "max": _round(seen.max()),
        "mean": _round(seen.mean()),
        "gini": _round(gini),
        "never": int((shown == 0).sum()),
        "most_often_to_one_learner": int(trace.shown.max()),
    }


def coverage(trace: Trace, study_family: str, family: str) -> Document:
    """How often the platform's 90 % interval held the ideal belief, at the ends of sessions, for the skills just practised."""
    own = trace.intervals
    if family not in ("all", study_family):
        ids = own[:, 0].astype(np.intp).tolist()
        own = own[[family_of(each, study_family) == family for each in ids]]
    lower, upper, ideal = own[:, 3], own[:, 5], own[:, 6]
    return {
        "intervals": len(own),
        "share": _round(_covered(own).mean()) if len(own) else None,
        "truth_below": _round((ideal < lower - _SLACK).mean()) if len(own) else None,
        "truth_above": _round((ideal > upper + _SLACK).mean()) if len(own) else None,
    }


_SLACK: Final = 1e-6  # the platform's numbers are in single precision


def _covered(intervals: Floats) -> Flags:
    return np.asarray((intervals[:, 3] - _SLACK <= intervals[:, 6]) & (intervals[:, 6] <= intervals[:, 5] + _SLACK))


def claims(trace: Trace) -> list[Document]:
    """Claimed mastery beside the ideal belief and the truth, by how much was claimed."""
    where = np.digitize(trace.intervals[:, 4], _CLAIMS[1:-1])
    rows = []
    for number, (low, high) in enumerate(pairwise(_CLAIMS)):
        own = trace.intervals[where == number]
        if len(own):
            lower, claimed, upper, ideal, true = own[:, 3:8].mean(axis=0)
            rows.append(
                {
                    "from": low,
                    "to": high,
                    "intervals": len(own),
                    **{
                        key: _round(value)
                        for key, value in zip(("lower", "claimed", "upper"), (lower, claimed, upper), strict=True)
                    },
                    "ideal": _round(ideal),
                    "true": _round(true),
                    "coverage": _round(_covered(own).mean()),
                }
            )
    return rows


def predictions(trace: Trace) -> Document:
    """How good P(right), stored before each answer, was: mean log-loss in nats, and calibration over ten bins of equal count."""
    p, y = trace.predicted.ravel().astype(np.float64), trace.right.ravel()
    clipped = np.clip(p, 1e-9, 1.0 - 1e-9)
    parts = np.array_split(np.argsort(p, kind="stable"), min(_BINS, len(p)))
    bins = [(float(p[each].mean()), float(y[each].mean()), len(each)) for each in parts]
    return {
        "count": len(p),
        "log_loss": _round(-np.where(y, np.log(clipped), np.log1p(-clipped)).mean()),
        "calibration_error": _round(sum(count * abs(said - was) for said, was, count in bins) / len(p)),
        "bins": [{"predicted": _round(said), "right": _round(was), "count": count} for said, was, count in bins],
    }


def _round(value: float) -> float:
    return round(float(value), 6)
