"""Bayesian knowledge tracing with unknown parameters: P(mastered) of a skill, and an honest interval around it.

P(mastered) is the chance that the skill carries the learner through the next item of middle difficulty, guesses and slips apart. The
model is Corbett and Anderson's (1995, "Knowledge tracing: modeling the acquisition of procedural knowledge"): a skill is mastered or not;
it is mastered at the start with probability `prior`, is learnt at each attempt with `learn`, and shows through `guess` (right though not
mastered) and `slip` (wrong though mastered). It is also lost: at an attempt with `forget` (Khajah, Lindsey and Mozer 2016, "How deep is
knowledge tracing?"), seldom, but so that no row of right answers makes certain; and between attempts at the rate `decay`, so that t days
leave mastery with probability exp(-decay t), the continuous form of the forgetting that Qiu, Qi, Lu, Pardos and Heffernan (2011, "Does
time matter? Modeling the effect of time with Bayesian knowledge tracing") let a new day bring.

Not every skill is all or nothing. Who carries nine items of ten answers much like who has mastered the skill and slips, and a model that
knows only of the latter becomes sure of a mastery that is not there. So in some parameter sets mastery is a matter of degree: a share m
of the items is carried, each anew. The logit of m rises by `pace` at each attempt, right or wrong, as in the additive factors model (Cen,
Koedinger and Junker 2006, "Learning factors analysis"), and falls by `decay` a day. Where answers tell the two kinds apart, one takes the
weight; where they cannot, both keep theirs (Hoeting, Madigan, Raftery and Volinsky 1999, "Bayesian model averaging: a tutorial").

Nobody knows the parameters for a new skill and a new learner, so a learner's state is a small ensemble: 44 parameter sets spread evenly
over the plausible ranges, each with its own P(mastered) and the posterior weight that the learner's answers so far give it, kept as one
joint distribution. The reported mean is the ensemble's, that is P(mastered) with the parameters integrated out; the 90 % interval runs between
two quantiles of P(mastered) over the parameter sets. It is wide before the first answer, narrows as answers tell, and widens with the
days since, because nobody knows the rate either. Exponential forgetting at rates that differ adds up to the power law that forgetting
curves show (Anderson and Tweney 1997, "Artifactual power curves in forgetting").

An item with several skills is conjunctive, a noisy AND: whoever misses one of its skills can only guess. Given the others' means, each
skill's posterior is exact, so a wrong answer is charged to the skills that are least likely mastered and a right one is credited to all
(Koedinger, Pavlik, Stamper, Nixon and Ritter 2011, "Avoiding problem selection thrashing with conjunctive knowledge tracing").
Since every skill also gets its chance of having been learnt, practising such items alone leads to mastery.

Partial credit is Jeffrey's rule: the posterior after a score of 0.3 is 0.3 of that after a right and 0.7 of that after a wrong answer.

Answers that do not touch the same learner's skill are independent, so a batch of them is one pass of numpy: alone an answer costs some
35 numpy calls, among hundreds their share of it.
"""

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.shared.errors import InvalidInput

State: TypeAlias = NDArray[np.float32]
"""Shape (2, sets): the joint probability of each parameter set and of the skill being mastered (row 0) or not (row 1); sums to 1.
In sets by degrees the rows stand for carrying the next item or not. Never changed in place."""

Range: TypeAlias = tuple[float, float]

_LEAST: Final = np.float32(1e-8)
_HALF: Final = np.float32(0.5)
_BASES: Final = (2, 3, 5, 7, 11, 13)
_MOST_SETS: Final = 256
_FARTHEST_START: Final = 10.0
_LOGARITHMIC: Final = ("decay", "pace")


class Ranges(NamedTuple):
    """Where each parameter of a skill may lie, from the least to the greatest; the two are equal for one that is known.

    Probabilities, and `decay`: the rate a day at which mastery is lost without practice.
    """

    # Guess and slip stay where mastery means something (Baker, Corbett and Aleven 2008 call more than 0.5 degenerate).
    prior: Range = (0.05, 0.75)
    learn: Range = (0.02, 0.3)
    guess: Range = (0.05, 0.35)
    slip: Range = (0.02, 0.2)
    forget: Range = (0.001, 0.01)
    decay: Range = (0.0005, 0.03)

    def check(self, field: str) -> None:
        """Raises InvalidInput naming the parameter below `field` that cannot be used."""
        for name, (low, high) in self._asdict().items():
            most = inf if name == "decay" else 1.0
            if not (isfinite(low) and isfinite(high) and 0 <= low <= high <= most):
                raise InvalidInput.of(f"{field}.{name}", f"must be two numbers, the less first, from 0 to {most:g}")
        if self.guess[1] + self.slip[1] >= 1:
            raise InvalidInput.of(f"{field}.guess", "must stay below 1 - slip: else a wrong answer would speak for mastery")


class Growth(NamedTuple):
    """How many of the sets have mastery by degrees, and where its logit begins and what an attempt adds to it; guess, slip and decay are
    the skill's."""

    # From 8 to 82 % at the start. Koedinger, Carvalho, Liu and McLaughlin 2023, "An astonishing regularity in student learning rate", found
    # about 0.1 logits an attempt in the middle of many courses.
    sets: int = 14
    start: Range = (-2.5, 1.5)
    pace: Range = (0.05, 0.5)

    def check(self, field: str, most: int) -> None:
        """Raises InvalidInput naming what below `field` cannot be used."""
        if not 1 <= self.sets <= most:
            raise InvalidInput.of(f"{field}.sets", f"must be 1 to {most}")
        if not -_FARTHEST_START <= self.start[0] <= self.start[1] <= _FARTHEST_START:
            raise InvalidInput.of(f"{field}.start", f"must be two logits, the less first, at most {_FARTHEST_START:g} from 0")
        if not 0 <= self.pace[0] <= self.pace[1] <= 1:
            raise InvalidInput.of(f"{field}.pace", "must be two numbers, the less first, from 0 to 1")


class Parameters(NamedTuple):
    """The parameter sets: probabilities and a rate a day, each of shape (rows, sets) with a row a skill that has its own ranges.

    The last ones may be by degrees: there `prior` is the degree at the start, and `learn` and `forget` are 0.
    """

    prior: State
    learn: State
    guess: State
    slip: State
    forget: State
    decay: State


class Estimate(NamedTuple):
    """P(mastered) with its 90 % interval; 0 <= lower <= mean <= upper <= 1."""

    mean: float
    lower: float
    upper: float


def _halton(count: int, base: int) -> NDArray[np.float64]:
    """The first terms of the van der Corput sequence to a prime base; several bases together fill a cube evenly (Halton 1960)."""
    values = np.zeros(count)
    for index in range(count):
        rest, share = index + 1, 1.0
        while rest:
            share /= base
            rest, digit = divmod(rest, base)
            values[index] += digit * share
    return values


def _spread(name: str, base: int, ranges: Sequence[Range], sets: int) -> State:
    """Evenly over each range; rates, which differ by orders of magnitude, evenly in their logarithm."""
    low, high = np.array(ranges).T[:, :, None]
    place = _halton(sets, base)
    if name in _LOGARITHMIC and (low > 0).all():
        return np.asarray(low * (high / low) ** place, dtype=np.float32)
    return np.asarray(low + (high - low) * place, dtype=np.float32)


class Tracing:
    """The model with its parameters: `ranges`, and those of `skills` that have their own; without `growth` no set is by degrees.

    `ends` are the quantiles of the ensemble between which the 90 % interval lies.
    """

    def __init__(
        self,
        ranges: Ranges = Ranges(),  # noqa: B008  # immutable
        skills: Mapping[str, Ranges] | None = None,
        sets: int = 44,
        ends: Range = (0.067, 0.933),
        growth: Growth | None = Growth(),  # noqa: B008  # immutable
    ) -> None:
        """Raises InvalidInput naming what cannot be used."""
        own = dict(skills or {})
        for field, each in (("ranges", ranges), *((f"skills.{skill}", own[skill]) for skill in own)):
            each.check(field)
        if not 2 <= sets <= _MOST_SETS:
            raise InvalidInput.of("sets", f"must be 2 to {_MOST_SETS}")
        if not 0 <= ends[0] < 0.5 < ends[1] <= 1:
            raise InvalidInput.of("ends", "must be a share below and one above one half")
        if growth:
            growth.check("growth", sets)
        self.parameters = made = Parameters(
            *(
                _spread(name, base, [getattr(each, name) for each in (ranges, *own.values())], sets)
                for name, base in zip(Parameters._fields, _BASES, strict=True)
            )
        )
        self._sets = sets
        growth = growth or Growth(sets=0)
        self._graded = slice(sets - growth.sets, sets)
        self._odds = self._by_degrees(growth)
        self._rows = {skill: row for row, skill in enumerate(own, 1)}
        self._ends = np.array(ends, dtype=np.float32)[:, None]
        self._new: State = np.asarray(np.stack([made.prior, 1 - made.prior], axis=1) / np.float32(sets), dtype=np.float32)
        # P(right) by parameter set for who has mastered the skill and who has not: if all others of the item are mastered, it is the sum.
        self._guess: State = np.stack([made.guess, made.guess], axis=1)
        self._show: State = np.stack([1 - made.slip - made.guess, np.zeros_like(made.guess)], axis=1)
        self._decays = bool(made.decay.any())
        self._new_estimates = self.estimates(self._new)

    def _by_degrees(self, growth: Growth) -> State:
        """Makes the last sets ones by degrees, and returns by what an attempt multiplies the odds of each, of shape (sets by degrees,).

        Their starts are spread as the priors of the others are, and their paces as those learn.
        """
        start, pace = (
            _spread(name, base, [each], self._sets)[0, self._graded]
            for name, base, each in zip(("start", "pace"), _BASES, (growth.start, growth.pace), strict=False)
        )
        made = self.parameters
        made.prior[:, self._graded] = 1 / (1 + np.exp(-start))
        made.learn[:, self._graded] = made.forget[:, self._graded] = 0
        odds: State = np.exp(pace)
        return odds

    def new_skill(self, skill: str = "") -> State:
        """Returns the state before the first answer."""
        state: State = self._new[self._rows.get(skill, 0)]
        return state

    def new_estimate(self, skill: str = "") -> Estimate:
        """Returns P(mastered) before the first answer and its 90 % interval."""
        return self._new_estimates[self._rows.get(skill, 0)]

    def retained(self, states: Sequence[State] | State, days: Sequence[float], skills: Sequence[str] | None = None) -> State:
        """Returns the states after so many days without practice, each at least 0, as one array of shape (states, 2, sets).

        `skills` are their names; they may be left out when none has ranges of its own.
        """
        joint = np.array(states)
        if self._decays:
            known, unknown = joint[:, 0], joint[:, 1]
            rate = self.parameters.decay[self._row(skills)]
            kept = known * np.exp(-rate * np.array(days, dtype=np.float32)[:, None])
            # By degrees it is the odds that fall.
            faded, other = kept[:, self._graded], unknown[:, self._graded]
            faded *= (known[:, self._graded] + other) / (faded + other)
            # After however many years something is left: a skill of probability zero could never be credited again.
            np.maximum(kept, np.minimum(known, _LEAST), out=kept)
            unknown += known - kept
            known[:] = kept
        return joint

    def observe(self, states: Sequence[State] | State, score: float, skills: Sequence[str] | None = None) -> list[State]:
        """Returns the states of all skills of one item after an answer to it.

        `score` is the share of the full score, in [0, 1]. The order of the skills does not matter. Takes the same time however many
        answers came before.
        """
        return self.observe_each(states, [len(states)], [score], skills)

    def observe_each(
        self,
        states: Sequence[State] | State,
        counts: Sequence[int],
        scores: Sequence[float],
        skills: Sequence[str] | None = None,
    ) -> list[State]:
        """Returns the states of the skills of several answers after them, none of which touches a skill that another touches.

        `states` are the first answer's, then the second's, and so on, and so are the names of the `skills`; `counts` says how many each
        answer has, `scores` how it was scored. The result of an answer does not depend on which others it comes with.
        """
        row = self._row(skills)
        joint = np.array(states)
        score = np.array(scores, dtype=np.float32)
        guess, show = self._guess[row], self._show[row]
        if len(joint) > len(counts):
            score = score.repeat(counts)
            show = show * _others(joint, counts)
        carried, missed = joint[:, 0, self._graded], joint[:, 1, self._graded]
        # The answer does not change degrees, it tells which are likely.
        odds = carried * self._odds
        degree = odds / (odds + missed)
        right_if = guess + show
        right = _total(joint * right_if)
        credit, blame = _each(score) / right, _each(1 - score) / (1 - right)
        joint *= right_if * (credit - blame) + blame
        known, unknown = joint[:, 0], joint[:, 1]
        learnt = unknown * self.parameters.learn[row]
        learnt -= known * self.parameters.forget[row]
        known += learnt
        unknown -= learnt
        weight = carried + missed
        np.multiply(weight, degree, out=carried)
        np.subtract(weight, carried, out=missed)
        # No parameter set becomes so unlikely that later answers could not bring it back.
        np.maximum(joint, _LEAST, out=joint)
        joint /= _total(joint)
        return list(joint)

    def adopted(self, state: State) -> State:
        """Returns a state of another version's as one of this.

        Of as many sets it stays as it is, each set at the same place in the ranges and of the same kind; else the sets take the quantiles
        of P(mastered) in the order of their priors, which keeps mean and interval about as they are, and forgets what is known of the
        parameters.
        """
        if state.shape[1] == self._sets:
            return state
        weight = state.sum(axis=0)
        known = state[0] / weight
        order = known.argsort()
        share = weight[order] / weight.sum()
        joint = np.empty((2, self._sets), dtype=np.float32)
        at = (np.arange(self._sets) + 0.5) / self._sets
        joint[0, self._new[0, 0].argsort()] = np.interp(at, share.cumsum() - share / 2, known[order])
        joint[1] = 1 - joint[0]
        return joint / np.float32(self._sets)

    def estimate(self, state: State) -> Estimate:
        """Returns P(mastered) and its 90 % interval."""
        return self.estimates([state])[0]

    def estimates(self, states: Sequence[State] | State) -> list[Estimate]:
        """Returns P(mastered) of each and its 90 % interval.

        The ends are quantiles of the ensemble: each parameter set stands at the middle of its share of the weight.
        """
        joint = np.array(states)
        weight = joint[:, 0] + joint[:, 1]
        known = joint[:, 0] / weight
        row = np.arange(0, known.size, self._sets)[:, None]
        order = known.argsort(axis=1)
        order += row
        ranked, share = known.take(order), weight.take(order)
        middle = share.cumsum(axis=1)
        middle -= share * _HALF
        # Between the two sets that an end lies between, linearly; before the first set's middle or after the last one's, that set's value.
        high = np.minimum(np.maximum((middle[:, None] < self._ends).sum(axis=2), 1), self._sets - 1)
        high += row
        low = high - 1
        start, first = middle.take(low), ranked.take(low)
        part = (self._ends[:, 0] - start) / np.maximum(middle.take(high) - start, _LEAST)
        ends = first + np.minimum(np.maximum(part, 0), 1) * (ranked.take(high) - first)
        return [
            Estimate(mean, min(lower, mean), max(upper, mean))
            for mean, (lower, upper) in zip(means(joint), ends.tolist(), strict=True)
        ]

    def _row(self, skills: Sequence[str] | None) -> list[int] | int:
        """Which parameters hold for each skill: all the same ones, unless some have their own."""
        return [self._rows.get(each, 0) for each in skills] if self._rows and skills else 0


def means(states: Sequence[State] | State) -> list[float]:
    """Returns P(mastered) of each."""
    found: list[float] = np.asarray(states)[:, 0].sum(axis=1).tolist()
    return found


def _others(joint: State, counts: Sequence[int]) -> State:
    """P(every other skill of the answer's item is mastered), for each of its skills."""
    own = joint[:, 0].sum(axis=1)
    beginnings = np.cumsum([0, *counts[:-1]])
    return _each(np.multiply.reduceat(own, beginnings).repeat(counts) / own)


def _total(joint: State) -> State:
    return _each(joint.reshape(len(joint), -1).sum(axis=1))


def _each(values: State) -> State:
    """Shape (skills, 1, 1): one value for all of a skill's joint distribution."""
    return values[:, None, None]
