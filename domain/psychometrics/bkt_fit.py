"""Parameters of Bayesian knowledge tracing from a log of answers: all skills at once, by expectation maximisation.

A learner's answers to one skill are a hidden Markov chain of two states. The expectation step (Baum, Petrie, Soules and Weiss 1970) runs
all chains of all skills side by side, answer number by answer number; the maximisation step is a ratio of expected counts for each skill.
Several starting points begin as if they were so many more skills, and the best of each skill goes on; steps are extrapolated by squared
vectors (Varadhan and Roland 2008, "Simple and globally convergent methods for accelerating the convergence of any EM algorithm"), kept only
where they do better than the plain one; a skill that no longer improves drops out.

**What the data cannot say.** Different parameters can predict the same (Beck and Chang 2007, "Identifiability: a fundamental problem of
student modeling"), and the likeliest may be nonsense, such as a mastery that shows in wrong answers (Baker, Corbett and Aleven 2008). So
guess and slip stay below 0.5 and each parameter has a Beta prior worth a few observations, `PRIOR`: with many answers it hardly counts,
with few it decides. The standard deviations say how much is known.
"""

from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.psychometrics.bkt_classic import SkillParameters
from domain.psychometrics.sequences import Steps, first_of_each

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

MOST_ANSWERS: Final = 500
"""Answers of a learner to a skill that count: who practises longer says no more of how the skill is learnt."""

# Rows: prior, learn, guess, slip, forget.
LEAST: Final = np.array([[0.001], [0.001], [0.001], [0.001], [0.001]])
GREATEST: Final = np.array([[0.999], [0.9], [0.5], [0.5], [0.5]])
PRIOR: Final = np.array([[1.0, 1.0], [1.0, 4.0], [1.0, 4.0], [0.5, 4.5], [0.1, 4.9]])
"""Observations that each parameter is thought to have had: so many times yes, so many times no."""
NO_PRIOR: Final = np.zeros((5, 2))

_STARTS: Final = (
    (0.4, 0.15, 0.2, 0.1, 0.02),
    (0.2, 0.05, 0.1, 0.2, 0.02),
    (0.7, 0.3, 0.3, 0.05, 0.05),
    (0.3, 0.1, 0.4, 0.3, 0.01),
)
_FIRST_CYCLES: Final = 2
_FORGET: Final = 4


class Answers(NamedTuple):
    """Answers in the order of steps (`sequences.Steps`), n in all, of chains of which each is one learner's answers to one skill.

    `skill` (n,), `correct` (n,); `skills`: how many there are; `kept` (all answers,), in the order they were given: those that are here.
    """

    steps: Steps
    skill: Integers
    correct: NDArray[np.bool_]
    skills: int
    kept: NDArray[np.bool_]

    @classmethod
    def of(cls, lengths: ArrayLike, skills: ArrayLike, correct: ArrayLike, count: int) -> "Answers":
        """Lays out chains that lie one after another: how many answers each has, its skill from 0 to `count` - 1, and all answers.

        Raises ValueError for lengths that do not add up and skills that do not exist.
        """
        length, skill, right = np.asarray(lengths, dtype=np.int64), np.asarray(skills, dtype=np.int64), np.asarray(correct)
        if len(length) != len(skill) or length.sum() != len(right):
            raise ValueError(
                f"{len(length)} chains of {length.sum()} answers do not fit {len(skill)} skills, {len(right)} answers"
            )
        if len(skill) and not 0 <= skill.min() <= skill.max() < count:
            raise ValueError(f"skills must be from 0 to {count - 1}")
        kept = first_of_each(length, MOST_ANSWERS)
        steps = Steps.of(np.minimum(length, MOST_ANSWERS))
        return cls(steps, skill[steps.sequence], right[kept][steps.place].astype(np.bool_), count, kept)

    def of_skills(self, chosen: NDArray[np.bool_], copies: int = 1) -> "Answers":
        """Returns the answers to the chosen skills (a mask), numbered anew, so many times: copy c's skill k is c times their number + k."""
        order = np.argsort(self.steps.place)
        inside = chosen[self.skill[order]]
        of, right = self.skill[order][inside], self.correct[order][inside]
        lengths = np.bincount(self.steps.sequence[order][inside])
        lengths = lengths[lengths > 0]
        begins = np.cumsum(lengths) - lengths
        count = int(chosen.sum())
        number = (np.cumsum(chosen) - 1)[of[begins]]
        numbers = np.concatenate([number + copy * count for copy in range(copies)])
        return Answers.of(np.tile(lengths, copies), numbers, np.tile(right, copies), count * copies)


class Fit(NamedTuple):
    """Fitted parameters, each array of shape (skills,). `deviations` are posterior standard deviations (5, skills), rows as in
    `SkillParameters`: NaN for a parameter at its bound or held fixed. `log_likelihood` is in nats; `converged` is false where the
    cycles ran out first."""

    parameters: SkillParameters
    deviations: Floats
    log_likelihood: Floats
    cycles: int
    converged: NDArray[np.bool_]


class Traced(NamedTuple):
    """The chains under given parameters, each of shape (n,): P(mastered) before and after each answer is seen, and P(that answer)."""

    before: Floats
    after: Floats
    likelihood: Floats


def fit(
    answers: Answers,
    *,
    forget: bool = False,
    prior: Floats = PRIOR,
    tolerance: float = 1e-3,
    most_cycles: int = 60,
) -> Fit:
    """Returns the parameters that are most likely given the answers and the prior, for each skill.

    With `forget`, mastery can be lost; otherwise forget is 0. A skill has converged when a cycle (three expectation steps) improves it by
    less than `tolerance` nats. A skill without answers has the prior's modes.
    """
    skills = answers.skills
    everything = np.ones(skills, dtype=np.bool_)
    starts = np.repeat(np.array(_STARTS).T, skills, axis=1)
    starts[_FORGET] *= forget
    tried = answers.of_skills(everything, len(_STARTS))
    for _ in range(_FIRST_CYCLES):
        starts, height, _ = _cycle(tried, starts, prior, forget)
    best = height.reshape(len(_STARTS), skills).argmax(axis=0) * skills + np.arange(skills)
    found = starts[:, best]

    active, rest = np.ones(skills, dtype=np.bool_), answers
    cycles = 0
    while active.any() and cycles < most_cycles:
        cycles += 1
        found[:, active], _, gained = _cycle(rest, found[:, active], prior, forget)
        still = gained >= tolerance
        active[active] = still
        if not still.all():
            rest = rest.of_skills(still)
    _, likelihood = _expect(answers, found)
    deviations = _deviations(answers, found, prior, forget)
    return Fit(SkillParameters(*found), deviations, likelihood, cycles, ~active)


def trace(answers: Answers, parameters: SkillParameters) -> Traced:
    """Returns P(mastered) and P(answer) along the chains, in the order of the steps."""
    return _trace(answers, np.array(parameters))


def predicted_each(answers: Answers, parameters: SkillParameters) -> Floats:
    """Returns P(right answer) before each kept answer (n,), chains one after another as they were given."""
    likelihood = trace(answers, parameters).likelihood
    result = np.empty(len(likelihood))
    result[answers.steps.place] = np.where(answers.correct, likelihood, 1 - likelihood)
    return result


def log_likelihood(answers: Answers, parameters: SkillParameters) -> Floats:
    """Returns the log-likelihood of the answers to each skill (skills,), in nats."""
    return _sums(answers.skill, np.log(trace(answers, parameters).likelihood), answers.skills)


def _trace(answers: Answers, parameters: Floats) -> Traced:
    prior, learn, guess, slip, forget = parameters
    key = 2 * answers.skill + answers.correct
    if_known = np.stack([slip, 1 - slip], axis=1).ravel()[key]
    if_unknown = np.stack([1 - guess, guess], axis=1).ravel()[key]
    surplus = if_known - if_unknown
    count = len(key)
    before, after, likelihood = np.empty(count), np.empty(count), np.empty(count)
    begins = answers.steps.begins
    first = answers.skill[: begins[1]]
    before[: begins[1]] = prior[first]
    # Each step's chains are the first ones of the step before: what is a chain's alone is a slice of the first step's.
    stays, learns = (1 - forget - learn)[first], learn[first]
    for number, (begin, end) in enumerate(pairwise(begins)):
        here = slice(begin, end)
        mastered, total, seen = before[here], likelihood[here], after[here]
        np.multiply(mastered, surplus[here], out=total)
        total += if_unknown[here]
        np.multiply(mastered, if_known[here], out=seen)
        seen /= total
        if number + 2 < len(begins):
            goes_on = begins[number + 2] - end
            then = before[end : end + goes_on]
            np.multiply(seen[:goes_on], stays[:goes_on], out=then)
            then += learns[:goes_on]
    return Traced(before, after, likelihood)


def _expect(answers: Answers, parameters: Floats) -> tuple[Floats, Floats]:
    """The expectation step: how often each parameter's event is expected to have happened and not to have, (5, 2, skills), and the
    log-likelihood (skills,)."""
    skills, skill = answers.skills, answers.skill
    _, learn, _, _, forget = parameters
    before, after, likelihood = _trace(answers, parameters)
    smooth = after.copy()
    loses = bool(forget.any())
    count = answers.steps.begins[1]
    chain_forget = forget[skill[:count]]
    for here, previous in answers.steps.backward():
        share = smooth[here] / before[here]
        if loses:
            share += chain_forget[: len(share)] * ((1 - smooth[here]) / (1 - before[here]) - share)
        smooth[previous] *= share

    later, last = slice(count, None), _previous(answers.steps)
    known, of, next_known = after[last], skill[later], smooth[later]
    learns = (1 - known) * learn[of] * next_known / before[later]
    loss = known * forget[of] * (1 - next_known) / (1 - before[later]) if loses else np.zeros(len(of))
    moves, learnt, held, lost = (_sums(of, each, skills) for each in (np.ones(len(of)), learns, smooth[last], loss))
    chains, begun = (_sums(skill[:count], each, skills) for each in (np.ones(count), smooth[:count]))
    answer = 2 * skill + answers.correct
    seen, seen_known = (_sums(answer, each, 2 * skills).reshape(skills, 2).T for each in (np.ones(len(answer)), smooth))
    counts = np.array(
        [
            [begun, chains - begun],
            [learnt, moves - held - learnt],
            [seen[1] - seen_known[1], seen[0] - seen_known[0]],
            [seen_known[0], seen_known[1]],
            [lost, held - lost],
        ]
    )
    return counts, _sums(skill, np.log(likelihood), skills)


def _sums(group: Integers, values: Floats, groups: int) -> Floats:
    """The sum of the values of each group (groups,)."""
    return np.asarray(np.bincount(group, values, groups), dtype=np.float64)


def _previous(steps: Steps) -> Integers:
    """The place of the answer before each answer from the second step on."""
    places = [np.arange(before.start, before.stop) for _, before in steps.forward()]
    return np.concatenate(places) if places else np.zeros(0, dtype=np.int64)


def _maximise(counts: Floats, prior: Floats, forget: bool) -> Floats:
    """The maximisation step: the likeliest parameters (5, skills) within their bounds. Each has a likelihood with one peak, so the bound
    next to a peak outside is the best inside."""
    yes, no = counts[:, 0] + prior[:, :1], counts[:, 1] + prior[:, 1:]
    total = yes + no
    found = np.clip(np.divide(yes, total, out=np.full_like(yes, 0.1), where=total > 0), LEAST, GREATEST)
    found[_FORGET] *= forget
    return found


def _height(log_likelihood: Floats, parameters: Floats, prior: Floats, forget: bool) -> Floats:
    """The log-posterior (skills,), up to a constant."""
    rows = slice(None if forget else _FORGET)
    of, weight = parameters[rows], prior[rows]
    return np.asarray(log_likelihood + (weight[:, :1] * np.log(of) + weight[:, 1:] * np.log1p(-of)).sum(axis=0))


def _cycle(answers: Answers, start: Floats, prior: Floats, forget: bool) -> tuple[Floats, Floats, Floats]:
    """Two steps of expectation maximisation and an extrapolated third. Returns parameters, the log-posterior on the way to them, and
    how much it rose in the cycle."""
    counts, likelihood = _expect(answers, start)
    height = _height(likelihood, start, prior, forget)
    once = _maximise(counts, prior, forget)
    counts, likelihood = _expect(answers, once)
    plain = _height(likelihood, once, prior, forget)
    twice = _maximise(counts, prior, forget)
    first, second = once - start, twice - once
    bend = second - first
    length = np.sqrt((first**2).sum(axis=0) / np.maximum((bend**2).sum(axis=0), 1e-30)).clip(1.0, 1e3)
    far = np.clip(start + 2 * length * first + length**2 * bend, LEAST, GREATEST)
    far[_FORGET] *= forget
    counts, likelihood = _expect(answers, far)
    extrapolated = _height(likelihood, far, prior, forget)
    better = extrapolated >= plain
    reached = np.where(better, _maximise(counts, prior, forget), twice)
    top = np.maximum(plain, extrapolated)
    return reached, top, top - height


def _deviations(answers: Answers, parameters: Floats, prior: Floats, forget: bool) -> Floats:
    """From the curvature of the log-posterior in logits (Laplace's approximation), by differences of its slope, which are expected
    counts (Fisher's identity)."""
    width = 1e-3
    inside = (parameters > LEAST) & (parameters < GREATEST)
    curvature = np.zeros((answers.skills, 5, 5))

    def slope(at: Floats) -> Floats:
        counts = _expect(answers, at)[0] + prior[:, :, None]
        return np.asarray(counts[:, 0] - counts.sum(axis=1) * at)

    rows = range(5 if forget else _FORGET)
    for row in rows:
        odds = parameters[row] / (1 - parameters[row])
        ends = []
        for factor in (np.exp(width), np.exp(-width)):
            moved = parameters.copy()
            moved[row] = odds * factor / (1 + odds * factor)
            ends.append(slope(moved))
        curvature[:, row] = ((ends[1] - ends[0]) / (2 * width)).T
    free = inside.T
    curvature = np.where(free[:, :, None] & free[:, None, :], (curvature + curvature.transpose(0, 2, 1)) / 2, np.eye(5))
    positive = np.linalg.eigvalsh(curvature)[:, 0] > 0
    curvature[~positive] = np.eye(5)
    variance = np.linalg.inv(curvature).diagonal(axis1=1, axis2=2).T
    known = inside & positive
    return np.asarray(np.where(known, np.sqrt(variance) * parameters * (1 - parameters), np.nan))
