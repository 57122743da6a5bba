"""Fits knowledge tracing to a response file: parameters of every skill, and how well they predict learners they were not fitted on.

An answer to an item with several skills counts as an answer to each of them. P(right) of such an answer is the geometric mean of what its
skills predict, and it is judged once. Of the ways to combine them, this had the lowest log-loss on both response files that the engine is
tuned on, against the arithmetic mean, the mean of logits, the least, the greatest, and mastery of all as a product.

The quality is from five-fold cross-validation over learners: each fifth learner is predicted by parameters fitted to the others.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.psychometrics.bkt_classic import SkillParameters
from domain.psychometrics.bkt_fit import Answers, Fit, fit, predicted_each
from lab.fitting.artifact import Document, artifact, number
from lab.fitting.measures import Quality, quality_of
from lab.responses import ResponseLog

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

FOLDS: Final = 5
_SHOWN_OPPORTUNITIES: Final = 20


class Chains(NamedTuple):
    """A log as one chain of answers for each learner and skill, one after another: how long each is, whose and of which skill; for each
    element the row of the log (`row`)."""

    lengths: Integers
    learner: Integers
    skill: Integers
    row: Integers

    @classmethod
    def of(cls, log: ResponseLog) -> "Chains":
        row = np.repeat(np.arange(log.size), np.diff(log.skill_start))
        skills = max(len(log.skills), 1)
        chain = log.learner[row].astype(np.int64) * skills + log.skill
        order = np.argsort(chain, kind="stable")
        different, lengths = np.unique(chain[order], return_counts=True)
        return cls(lengths, different // skills, different % skills, row[order])

    def chosen(self, chains: Mask) -> "Chains":
        return Chains(self.lengths[chains], self.learner[chains], self.skill[chains], self.row[np.repeat(chains, self.lengths)])

    def answers(self, log: ResponseLog) -> Answers:
        return Answers.of(self.lengths, self.skill, log.correct[self.row], len(log.skills))


class Opportunity(NamedTuple):
    """All answers that were the n-th of their learner in their skill: n from 1, how many, the share right and the mean prediction."""

    number: int
    answers: int
    right: float
    predicted: float


class BktStudy(NamedTuple):
    """`fit` is to all learners; `predicted` (n,) is for each row of the log, by parameters fitted without its learner."""

    log: ResponseLog
    forget: bool
    fit: Fit
    predicted: Floats
    quality: Quality
    baseline: Quality
    """Of predicting, for each answer, the geometric mean of its skills' shares of right answers among the other learners."""
    learners: Integers
    """(skills,) learners of each skill."""
    answers: Integers
    """(skills,) answers to each skill."""
    opportunities: list[Opportunity]

    def document(self, source: Document) -> Document:
        """Returns the versioned artifact."""
        names, parameters = SkillParameters._fields, self.fit.parameters
        skills, deviations = {}, {}
        for skill, name in enumerate(self.log.skills):
            skills[name] = {field: number(each[skill]) for field, each in zip(names, parameters, strict=True)}
            deviations[name] = {field: number(each[skill], 3) for field, each in zip(names, self.fit.deviations, strict=True)}
        statistics = {
            "learners": len(self.log.learners),
            "answers": self.log.size,
            "rows_left_out": len(self.log.errors),
            "log_likelihood": number(float(self.fit.log_likelihood.sum()), 9),
            "converged": bool(self.fit.converged.all()),
            "unseen_learners": self.quality.document(),
            "unseen_learners_by_share_of_right_answers": self.baseline.document(),
            "standard_deviations": deviations,
        }
        return artifact("bkt", {"forget": self.forget, "skills": skills}, statistics, source)


def study_bkt(log: ResponseLog, *, forget: bool = False, after_each: Callable[[int], None] = lambda fits: None) -> BktStudy:
    """Fits the log and judges the fit. `after_each` is told how many of the FOLDS + 1 fits are done.

    Raises ValueError for a log without answers.
    """
    if not log.size:
        raise ValueError("there are no answers to fit")
    chains = Chains.of(log)
    predicted, baseline = np.empty(log.size), np.empty(log.size)
    folds = min(FOLDS, len(log.learners))
    for fold in range(folds):
        unseen = chains.learner % folds == fold
        # The only learner there is has nobody to be predicted from but the prior.
        seen = chains.chosen(~unseen)
        held_out = chains.chosen(unseen)
        rows = log.learner % folds == fold
        parameters = fit(seen.answers(log), forget=forget).parameters
        predicted[rows] = _combined(held_out, _predictions(held_out, log, parameters), log.size)[rows]
        shares = _shares(seen, log)
        baseline[rows] = _combined(held_out, np.repeat(shares[held_out.skill], held_out.lengths), log.size)[rows]
        after_each(fold + 1)
    found = fit(chains.answers(log), forget=forget)
    after_each(FOLDS + 1)
    count = len(log.skills)
    return BktStudy(
        log=log,
        forget=forget,
        fit=found,
        predicted=predicted,
        quality=quality_of(predicted, log.correct),
        baseline=quality_of(baseline, log.correct),
        learners=np.bincount(chains.skill, minlength=count),
        answers=np.bincount(np.repeat(chains.skill, chains.lengths), minlength=count),
        opportunities=_opportunities(chains, log, predicted),
    )


def _predictions(chains: Chains, log: ResponseLog, parameters: SkillParameters) -> Floats:
    """P(right) by the chain's own skill for each element; a chain's answers beyond those that the fit counts are predicted like its last."""
    answers = chains.answers(log)
    kept = np.flatnonzero(answers.kept)
    known = predicted_each(answers, parameters)
    return np.asarray(known[np.searchsorted(kept, np.arange(len(answers.kept)), side="right") - 1])


def _combined(chains: Chains, predicted: Floats, rows: int) -> Floats:
    """The geometric mean over the skills of each row (rows,); 1 for rows of other chains."""
    total = np.bincount(chains.row, np.log(predicted), rows)
    return np.asarray(np.exp(total / np.maximum(np.bincount(chains.row, minlength=rows), 1)))


def _shares(chains: Chains, log: ResponseLog) -> Floats:
    """The share of right answers to each skill (skills,), with one right and one wrong answer added."""
    skill = np.repeat(chains.skill, chains.lengths)
    right = np.bincount(skill, log.correct[chains.row], len(log.skills))
    return np.asarray((right + 1) / (np.bincount(skill, minlength=len(log.skills)) + 2))


def _opportunities(chains: Chains, log: ResponseLog, predicted: Floats) -> list[Opportunity]:
    number = np.arange(len(chains.row)) - np.repeat(np.cumsum(chains.lengths) - chains.lengths, chains.lengths)
    result = []
    for place in range(min(_SHOWN_OPPORTUNITIES, int(chains.lengths.max()))):
        rows = chains.row[number == place]
        result.append(Opportunity(place + 1, len(rows), float(log.correct[rows].mean()), float(predicted[rows].mean())))
    return result
