"""Fits FSRS-6 to a response file: the 21 weights, and how well they predict recall of learners they were not fitted on.

A learner's answers to one item are the reviews of one memory. A row's rating counts if there is one; otherwise right is good and wrong is
again. Days are calendar days in one time zone, beginning at four in the morning unless told otherwise.

The quality is from five-fold cross-validation over learners, over memories if there are fewer than five learners.
"""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.psychometrics.fsrs import DEFAULT_WEIGHTS, Rating, day_of
from domain.psychometrics.fsrs_fit import Fit, deviations, fit
from domain.psychometrics.fsrs_likelihood import Reviews, recall_of
from lab.fitting.artifact import Document, artifact, number
from lab.fitting.measures import Quality, quality_of
from lab.responses import ResponseLog

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

FOLDS: Final = 5


class Memories(NamedTuple):
    """A log as reviews of memories that lie one after another: how many each has and whose it is; for each review its rating and the
    calendar days since the one before."""

    lengths: Integers
    learner: Integers
    rating: Integers
    elapsed_days: Integers

    @classmethod
    def of(cls, log: ResponseLog, zone: tzinfo = UTC, day_begins: int = 4) -> "Memories":
        """Raises ValueError for a log that has no times."""
        if not log.size:
            raise ValueError("there are no answers to fit")
        if log.occurred_at is None:
            raise ValueError("forgetting needs times: the file must have a column occurred_at")
        items = len(log.items)
        memory = log.learner.astype(np.int64) * items + log.item
        order = np.argsort(memory, kind="stable")
        different, lengths = np.unique(memory[order], return_counts=True)
        moments = (datetime.fromtimestamp(each, UTC) for each in log.occurred_at[order].tolist())
        days = np.array([day_of(each, zone, day_begins) for each in moments], dtype=np.int64)
        elapsed = np.diff(days, prepend=days[:1])
        elapsed[np.cumsum(lengths) - lengths] = 0
        rating = np.where(log.correct, Rating.GOOD, Rating.AGAIN)
        if log.rating is not None:
            rating = np.where(log.rating > 0, log.rating, rating)
        return cls(lengths, different // items, rating[order].astype(np.int64), np.maximum(elapsed, 0))

    def reviews(self, chosen: NDArray[np.bool_]) -> Reviews:
        inside = np.repeat(chosen, self.lengths)
        return Reviews.of(self.lengths[chosen], self.rating[inside], self.elapsed_days[inside])


class FsrsStudy(NamedTuple):
    """`fit` is to all; the predictions (n,) of P(recall) at each trial are by weights fitted without it, and by the default weights."""

    log: ResponseLog
    memories: int
    fit: Fit
    deviations: Floats
    recalled: NDArray[np.bool_]
    predicted: Floats
    by_default: Floats

    @property
    def quality(self) -> Quality:
        return quality_of(self.predicted, self.recalled)

    @property
    def default_quality(self) -> Quality:
        return quality_of(self.by_default, self.recalled)

    def document(self, source: Document) -> Document:
        """Returns the versioned artifact."""
        statistics = {
            "learners": len(self.log.learners),
            "memories": self.memories,
            "reviews": self.log.size,
            "trials": self.fit.trials,
            "rows_left_out": len(self.log.errors),
            "log_loss": number(self.fit.log_loss),
            "log_loss_of_default_weights": number(self.fit.default_log_loss),
            "iterations": self.fit.iterations,
            "converged": self.fit.converged,
            "unseen": self.quality.document(),
            "unseen_by_default_weights": self.default_quality.document(),
            "standard_deviations": [number(each, 3) for each in self.deviations.tolist()],
        }
        return artifact("fsrs", {"weights": [number(each) for each in self.fit.weights]}, statistics, source)


def study_fsrs(
    log: ResponseLog, *, zone: tzinfo = UTC, day_begins: int = 4, after_each: Callable[[int], None] = lambda fits: None
) -> FsrsStudy:
    """Fits the log and judges the fit. `after_each` is told how many of the FOLDS + 1 fits are done.

    Raises ValueError for a log without answers, without times, or in which no item comes again on a later day.
    """
    memories = Memories.of(log, zone, day_begins)
    everything = np.ones(len(memories.lengths), dtype=np.bool_)
    reviews = memories.reviews(everything)
    if not reviews.trials:
        raise ValueError("no learner answered an item again on a later day: nothing can be said of forgetting")
    group = memories.learner if len(log.learners) >= FOLDS else np.arange(len(memories.lengths))
    parts = []
    for fold in range(FOLDS):
        unseen = group % FOLDS == fold
        parts.append(_judged(memories.reviews(unseen), fit(memories.reviews(~unseen)).weights))
        after_each(fold + 1)
    found = fit(reviews)
    recalled, predicted, by_default = (np.concatenate(column) for column in zip(*parts, strict=True))
    study = FsrsStudy(
        log, len(memories.lengths), found, deviations(reviews, found.weights), recalled.astype(np.bool_), predicted, by_default
    )
    after_each(FOLDS + 1)
    return study


def _judged(reviews: Reviews, weights: tuple[float, ...]) -> tuple[Floats, Floats, Floats]:
    """Whether each trial was recalled (1 or 0), and P(recall) by these weights and by the default ones."""
    trials = np.empty(len(reviews.counts), dtype=np.bool_)
    recalled = np.empty(len(reviews.counts))
    trials[reviews.steps.place], recalled[reviews.steps.place] = reviews.counts, reviews.rating > 1
    return recalled[trials], recall_of(reviews, weights)[trials], recall_of(reviews, DEFAULT_WEIGHTS)[trials]
