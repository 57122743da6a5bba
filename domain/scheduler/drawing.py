"""What is shown: the draws of several learners, stage by stage, with the exact probability of each by the whole policy."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from domain.scheduler.arms import DrawnArm
from domain.scheduler.constraints import Constraints, Stage
from domain.scheduler.model import DecisionRequest, Mode
from domain.scheduler.pool import Floats, Indexes, Pool
from domain.scheduler.recording import Shown
from domain.scheduler.sampling import (
    Draws,
    draw,
    draw_best,
    draw_each,
    draw_spread,
    evenest,
    probabilities_of,
    softmax_weights,
)
from domain.scheduler.scoring import Part, Terms
from domain.scheduler.state import LearnerState

_BLOCK = 64
_LOWEST = float(np.finfo(np.float64).min)
_SPREAD = (Mode.EXAM, Mode.PLACEMENT)


class Drawing(NamedTuple):
    """What is shown to each learner of a part, and which constraints gave way for it.

    `recorded` are the items of each that belong into the record, best first or shown; `scores` (by the drawn arm) and `propensities` (for
    the first place, by the whole policy) are those of all these, learner after learner.
    """

    shown: list[list[Shown]]
    relaxed: list[list[str]]
    recorded: list[list[int]]
    scores: Floats
    propensities: Floats

    @classmethod
    def of(
        cls,
        constraints: Constraints,
        terms: Terms,
        part: Part,
        arms: Sequence[DrawnArm],
        requests: Sequence[DecisionRequest],
        states: Sequence[LearnerState],
        randoms: Sequence[Callable[[], float]],
        most_recorded: int,
    ) -> "Drawing":
        """All requests are of one mode. The sequences have one of each for every learner of the part."""
        pool, mode = constraints.pool, requests[0].mode
        totals = terms.totals(part, [each.weights for each in arms[0].arms], constraints.open_groups)
        drawn_totals = totals[0] if len(totals) == 1 else np.array([totals[each.place][n] for n, each in enumerate(arms)])
        scores = constraints.first_scores(part, drawn_totals)
        stages = [constraints.stages(number) for number in range(part.learners.start, part.learners.stop)]
        firsts = [next(each) for each in stages]
        counts = [min(stage.size, request.size) for stage, request in zip(firsts, requests, strict=True)]
        weights = _weights(scores, arms)
        learners = [
            _Learner(
                constraints, arm, [each[n] for each in totals], taken_lately(pool, state) if mode in _SPREAD else None, random
            )
            for n, (arm, state, random) in enumerate(zip(arms, states, randoms, strict=True))
        ]
        first = _first(pool, weights, learners, firsts)
        greedy = any(each.arm.temperature == 0.0 for each in arms)
        draws: Sequence[Draws | None] = [None] * len(requests)
        if mode not in _SPREAD and not greedy:
            draws = draw_each(weights, counts, randoms)
        shown, relaxed = [], list[list[str]]()
        for number, learner in enumerate(learners):
            own = learner.first(firsts[number], scores[number], weights[number], counts[number], draws[number])
            relaxed.append([firsts[number].relaxed] if firsts[number].relaxed else [])
            while len(own) < requests[number].size and (stage := next(stages[number], None)) is not None:
                own += learner.drawn(stage, min(stage.size, requests[number].size - len(own)))
                relaxed[-1].append(stage.relaxed)
            shown.append(own)
        recorded = [
            list(dict.fromkeys([*top, *[each.item for each in own]]))
            for top, own in zip(best(scores, most_recorded), shown, strict=True)
        ]
        rows = np.arange(len(recorded)).repeat([len(each) for each in recorded])
        at = np.fromiter(chain.from_iterable(recorded), dtype=np.intp)
        return cls(
            shown,
            [[f"{each}_relaxed" for each in of_one] for of_one in relaxed],
            recorded,
            drawn_totals[rows, at],
            np.asarray(sum([own[rows, at] * scale[rows] for own, scale in first])),
        )

    @classmethod
    def joined(cls, parts: Sequence["Drawing"]) -> "Drawing":
        """Returns the drawing of all learners of the parts."""
        if len(parts) == 1:
            return parts[0]
        shown, relaxed, recorded, scores, propensities = zip(*parts, strict=True)
        return cls(
            [*chain.from_iterable(shown)],
            [*chain.from_iterable(relaxed)],
            [*chain.from_iterable(recorded)],
            np.concatenate(scores),
            np.concatenate(propensities),
        )


class _Learner:
    """One learner's draws. `totals` are the scores of all items by each arm (I,), `taken` how often each skill was practised lately, where
    that counts. `belief` is the probability of each arm given what was shown so far."""

    def __init__(
        self,
        constraints: Constraints,
        drawn_arm: DrawnArm,
        totals: Sequence[Floats],
        taken: Floats | None,
        random: Callable[[], float],
    ) -> None:
        self.constraints = constraints
        self.drawn_arm = drawn_arm
        self.totals = totals
        self.taken = taken
        self.random = random
        self.belief = list(drawn_arm.probabilities)

    def drawn(self, stage: Stage, count: int) -> list[Shown]:
        """Draws from a stage."""
        scores = self.constraints.scores_of(stage, self.totals[self.drawn_arm.place])
        return self.first(stage, scores, softmax_weights(scores, self.drawn_arm.arm.temperature), count, None)

    def first(self, stage: Stage, scores: Floats, weights: Floats, count: int, draws: Draws | None) -> list[Shown]:
        """Draws from a stage whose scores and weights are known (I,), unless its draws are, too."""
        if draws is None:
            if self.taken is not None:
                draws = draw_spread(weights, self.constraints.pool, self.taken, count, self.random)
            elif self.drawn_arm.arm.temperature == 0.0:
                draws = draw_best(scores, count, self.random)
            else:
                draws = draw(weights, count, self.random)
        propensities = self._of_policy(draws, stage)
        return [Shown(item, p, own, stage.relaxed) for (item, own), p in zip(draws, propensities, strict=True)]

    def _of_policy(self, draws: Draws, stage: Stage) -> list[float]:
        """Returns the probability of each draw by the whole policy, given those before it; each changes the belief by Bayes' rule."""
        if len(self.totals) == 1:
            return [propensity for _, propensity in draws]
        items = [item for item, _ in draws]
        by_arm = [
            [propensity for _, propensity in draws]
            if index == self.drawn_arm.place
            else probabilities_of(items, self.constraints.scores_of(stage, total), arm.temperature)
            for index, (arm, total) in enumerate(zip(self.drawn_arm.arms, self.totals, strict=True))
        ]
        found = []
        for place in range(len(draws)):
            joint = [before * of_arm[place] for before, of_arm in zip(self.belief, by_arm, strict=True)]
            found.append(min(1.0, sum(joint)))
            self.belief = [each / sum(joint) for each in joint]
        return found


def taken_lately(pool: Pool, state: LearnerState) -> Floats:
    """Returns how often each skill was practised by the last answered items."""
    taken = np.zeros(len(pool.skills))
    _, last = pool.item_index.find(state.recent)
    for item in last.tolist():
        taken[list(pool.skills_of(item))] += 1.0
    return taken


def _weights(scores: Floats, arms: Sequence[DrawnArm]) -> Floats:
    """Returns the weights of all items (N, I) by each learner's arm."""
    temperatures = {each.arm.temperature for each in arms}
    if len(temperatures) == 1:
        return softmax_weights(scores, temperatures.pop())
    return np.array([softmax_weights(own, each.arm.temperature) for own, each in zip(scores, arms, strict=True)])


def _first(pool: Pool, weights: Floats, learners: Sequence[_Learner], stages: Sequence[Stage]) -> list[tuple[Floats, Floats]]:
    """Returns for each arm the weights of all items for the first place (n, I), and what makes probabilities of them (n,) that sum to that
    of the arm; `weights` are the drawn arms'."""
    if learners[0].taken is not None:
        weights = np.array([_of_evenest(pool, own, each.taken) for own, each in zip(weights, learners, strict=True)])
    first = []
    for index, arm in enumerate(learners[0].drawn_arm.arms):
        own = weights
        if len(learners[0].totals) > 1:
            own = np.array(
                [
                    weights[n]
                    if each.drawn_arm.place == index
                    else softmax_weights(each.constraints.scores_of(stage, each.totals[index]), arm.temperature)
                    for n, (each, stage) in enumerate(zip(learners, stages, strict=True))
                ]
            )
        shares = np.array([each.drawn_arm.probabilities[index] for each in learners])
        first.append((own, shares / np.add.reduce(own, axis=1)))
    return first


def _of_evenest(pool: Pool, weights: Floats, taken: Floats | None) -> Floats:
    if taken is None:
        return weights
    sums = np.add.reduceat(weights, pool.item_starts)
    return np.where(np.repeat(evenest(pool, taken, sums), pool.group_sizes), weights, 0.0)


def best(scores: Floats, count: int) -> list[list[int]]:
    """Returns for each row of scores (N, I) the positions of the `count` greatest above -inf, in no order; of equals those that come
    first."""
    # The `count` greatest of the blocks' greatest are as many scores, so none below the least of them is wanted.
    blocks = scores.shape[1] > count * _BLOCK
    greatest = np.maximum.reduceat(scores, np.arange(0, scores.shape[1], _BLOCK), axis=1) if blocks else scores.copy()
    least = [_LOWEST] * len(scores)
    if (size := greatest.shape[1]) > count:
        greatest.partition(size - count, axis=1)
        least = [max(each, _LOWEST) for each in greatest[:, size - count].tolist()]
    found = []
    for own, lowest in zip(scores, least, strict=True):
        positions = (own >= lowest).nonzero()[0]
        found.append(_greatest(own[positions], positions, count))
    return found


def _greatest(values: Floats, positions: Indexes, count: int) -> list[int]:
    if len(values) > count:
        least = np.partition(values, -count)[-count]
        enough = (values >= least).nonzero()[0]
        if len(enough) > count:
            above = (values > least).nonzero()[0]
            enough = np.concatenate([above, (values == least).nonzero()[0][: count - len(above)]])
        positions = positions[enough]
    chosen: list[int] = positions.tolist()
    return chosen
