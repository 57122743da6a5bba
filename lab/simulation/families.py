"""The families of simulated learners; docs/simulation.md describes them for readers."""

from collections.abc import Callable
from typing import Final

import numpy as np

from domain.shared.errors import InvalidInput
from lab.simulation.chance import Floats, Integers, Luck
from lab.simulation.learners import Family, Flags, Learners, between, parameters
from lab.simulation.world import World


class TwoState(Family):
    """Skills that are mastered or not. Subclasses set guess, slip, learn and forget (each (N, S)) and what time takes."""

    guess: Floats
    slip: Floats
    learn: Floats
    forget: Floats
    _mastered: Flags
    _belief: Floats

    def begin(self, prior: Floats) -> None:
        """Draws the first mastery."""
        self._belief = prior
        self._mastered = self.luck(Luck.LEARN, self.rows[:, None], np.arange(prior.shape[1]), 0) < prior

    @property
    def degree(self) -> Floats:
        return self._mastered.astype(np.float64)

    @property
    def belief(self) -> Floats:
        return self._belief

    def carried(self, rows: Integers, skills: Integers, items: Integers) -> Floats:
        return self._mastered[rows, skills].astype(np.float64)

    def expected(self, rows: Integers, skills: Integers, items: Integers) -> Floats:
        return self._belief[rows, skills]

    def margins(self, rows: Integers, skills: Integers, has: Flags) -> tuple[Floats, Floats]:
        count = has.sum(axis=-1)
        guess = np.where(has, self.guess[rows, skills], 0.0).sum(axis=-1) / count
        slip = np.where(has, self.slip[rows, skills], 0.0).sum(axis=-1) / count
        return guess, 1.0 - guess - slip

    def observe(self, rows: Integers, skills: Integers, items: Integers, right: Flags, guess: Floats, show: Floats) -> None:
        belief = self._belief[rows, skills]
        known, unknown = np.where(right, guess + show, 1.0 - guess - show), np.where(right, guess, 1.0 - guess)
        self._belief[rows, skills] = belief * known / (belief * known + (1.0 - belief) * unknown)

    def practise(self, rows: Integers, skills: Integers, items: Integers) -> None:
        learn = self.learn[rows, skills] * self.hindrance(rows, skills)
        forget = self.forget[rows, skills]
        luck = self.luck(Luck.LEARN, rows, skills, self.practices[rows, skills] + 1)
        known, belief = self._mastered[rows, skills], self._belief[rows, skills]
        self._mastered[rows, skills] = np.where(known, luck >= forget, luck < learn)
        self._belief[rows, skills] = belief * (1.0 - forget) + (1.0 - belief) * learn

    def rest(self, days: Floats) -> None:
        kept = self.kept(days[:, None])
        self.rests += 1
        luck = self.luck(Luck.FORGET, self.rows[:, None], np.arange(kept.shape[1]), self.rests)
        self._mastered &= luck < kept
        self._belief *= kept
        self.passed(days[:, None])

    def gains(self, days_left: Floats) -> Floats:
        left = days_left[:, None]
        learn = self.learn * self.hindrances()
        refreshed = self.kept_if_practised(left)
        return self.per_item(np.where(self._mastered, refreshed - self.kept(left), learn * refreshed))

    def kept(self, days: Floats) -> Floats:
        """Returns P(a mastered skill is still mastered after so many days more), (N, S)."""
        raise NotImplementedError

    def kept_if_practised(self, days: Floats) -> Floats:
        """Returns the same if it is practised now."""
        raise NotImplementedError

    def passed(self, days: Floats) -> None:
        """Time without practice has passed."""


class Bkt(TwoState):
    """Bayesian knowledge tracing by the book: every parameter of every learner and skill drawn evenly from its plausible range (those of
    docs/mastery.md), and one skill in two hundred lost a day."""

    def __init__(self, world: World, ids: Integers, seed: int) -> None:
        super().__init__(world, ids, seed)
        prior, learn, guess, slip, forget = parameters(ids, seed, 1, 5, len(world.before))
        self.guess, self.slip = between(0.05, 0.35, guess), between(0.02, 0.2, slip)
        self.learn, self.forget = between(0.02, 0.3, learn), between(0.001, 0.01, forget)
        self.begin(between(0.05, 0.75, prior))

    def kept(self, days: Floats) -> Floats:
        return np.broadcast_to(np.exp(-0.005 * days), self.learn.shape)

    def kept_if_practised(self, days: Floats) -> Floats:
        return self.kept(days)


class Memory(TwoState):
    """Skills that are learnt quickly and fade unless they are practised again after a while.

    What is mastered survives t days since the last practice with 1 / (1 + t / (9 s)), s its stability in days (the curve of FSRS-4.5). A
    practice multiplies the stability by 1 + b (1 - survival): the more was at risk, the more is gained, so spacing pays.
    """

    def __init__(self, world: World, ids: Integers, seed: int) -> None:
        super().__init__(world, ids, seed)
        prior, learn, guess, slip, forget, stability, boost = parameters(ids, seed, 3, 7, len(world.before))
        self.guess, self.slip = between(0.05, 0.35, guess), between(0.02, 0.2, slip)
        self.learn, self.forget = between(0.1, 0.3, learn), between(0.001, 0.01, forget)
        self._stability, self._boost = np.exp(between(np.log(1.0), np.log(6.0), stability)), between(4.0, 12.0, boost)
        self._since = np.zeros_like(learn)
        self.begin(between(0.05, 0.75, prior))

    def practise(self, rows: Integers, skills: Integers, items: Integers) -> None:
        super().practise(rows, skills, items)
        self._stability[rows, skills] *= 1.0 + self._boost[rows, skills] * (
            1.0 - self._survival(self._since, self._stability)[rows, skills]
        )
        self._since[rows, skills] = 0.0

    def kept(self, days: Floats) -> Floats:
        return self._survival(self._since + days, self._stability) / self._survival(self._since, self._stability)

    def kept_if_practised(self, days: Floats) -> Floats:
        grown = self._stability * (1.0 + self._boost * (1.0 - self._survival(self._since, self._stability)))
        return self._survival(days, grown)

    def passed(self, days: Floats) -> None:
        self._since += days

    @staticmethod
    def _survival(days: Floats, stability: Floats) -> Floats:
        return 1.0 / (1.0 + days / (9.0 * stability))


class IrtGrowth(Family):
    """Levels that grow: a skill is a level in logits, an item a two-parameter logistic curve with some guessing.

    Every practice of a skill raises its level by the learner's pace in it, as in the additive factors model (Cen, Koedinger and Junker
    2006, "Learning factors analysis"), and a fiftieth of what was gained fades in a day. What a skill carries is graded here: mastery is
    the chance to carry an item of middle difficulty. The ideal observer keeps each level as 41 hypotheses about where it began.
    """

    _GUESS, _SLIP, _FADING = 0.15, 0.05, 0.02

    def __init__(self, world: World, ids: Integers, seed: int) -> None:
        super().__init__(world, ids, seed)
        skills = len(world.before)
        drawn = np.stack([np.random.default_rng([seed, 2, int(each)]).standard_normal(1 + 2 * skills) for each in ids])
        ability, own, pace = drawn[:, :1], drawn[:, 1 : skills + 1], drawn[:, skills + 1 :]
        centre = 0.8 * ability - 0.5
        points = np.linspace(-3.5, 3.5, 41)
        weight = np.exp(-0.5 * points**2)
        self._pace = 0.25 * np.exp(0.4 * pace)
        self._start, self._gained = centre + own, np.zeros_like(own)
        self._starts = centre + points  # of the hypotheses, (N, 41)
        self._weight = np.broadcast_to(weight / weight.sum(), (*own.shape, len(points))).copy()

    @property
    def degree(self) -> Floats:
        return _logistic(self._start + self._gained)

    @property
    def belief(self) -> Floats:
        return np.asarray((self._weight * _logistic(self._starts[:, None, :] + self._gained[..., None])).sum(axis=2))

    def carried(self, rows: Integers, skills: Integers, items: Integers) -> Floats:
        return self._curve(self._start[rows, skills] + self._gained[rows, skills], items)

    def expected(self, rows: Integers, skills: Integers, items: Integers) -> Floats:
        return np.asarray((self._weight[rows, skills] * self._if_began(rows, skills, items)).sum(axis=-1))

    def margins(self, rows: Integers, skills: Integers, has: Flags) -> tuple[Floats, Floats]:
        return np.full(has.shape[:-1], self._GUESS), np.full(has.shape[:-1], 1.0 - self._GUESS - self._SLIP)

    def observe(self, rows: Integers, skills: Integers, items: Integers, right: Flags, guess: Floats, show: Floats) -> None:
        chance = guess[:, None] + show[:, None] * self._if_began(rows, skills, items)
        weight = self._weight[rows, skills] * np.where(right[:, None], chance, 1.0 - chance)
        self._weight[rows, skills] = weight / weight.sum(axis=1, keepdims=True)

    def practise(self, rows: Integers, skills: Integers, items: Integers) -> None:
        self._gained[rows, skills] += self._pace[rows, skills] * self.hindrance(rows, skills)

    def rest(self, days: Floats) -> None:
        self._gained *= np.exp(-self._FADING * days)[:, None]

    def gains(self, days_left: Floats) -> Floats:
        kept = np.exp(-self._FADING * days_left)[:, None]
        now = self._start + self._gained * kept
        return self.per_item(_logistic(now + self._pace * self.hindrances() * kept) - _logistic(now))

    def _if_began(self, rows: Integers, skills: Integers, items: Integers) -> Floats:
        """What a skill carries under each hypothesis, which adds a last axis."""
        return self._curve(self._starts[rows] + self._gained[rows, skills][..., None], items[..., None])

    def _curve(self, level: Floats, items: Integers) -> Floats:
        return _logistic(self.world.slope[items] * (level - self.world.difficulty[items]))


def _logistic(logit: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-logit)))


class Mixed:
    """A third of each family, in turn."""

    def __init__(self, world: World, ids: Integers, seed: int) -> None:
        self._rows = [np.flatnonzero(ids % 3 == each) for each in range(3)]
        made: tuple[Callable[[World, Integers, int], Learners], ...] = (Bkt, IrtGrowth, Memory)
        self._groups = [make(world, ids[rows], seed) for make, rows in zip(made, self._rows, strict=True)]

    @property
    def degree(self) -> Floats:
        return self._gathered([each.degree for each in self._groups])

    @property
    def belief(self) -> Floats:
        return self._gathered([each.belief for each in self._groups])

    def chances(self, items: Integers) -> Floats:
        return self._gathered([group.chances(items[rows]) for group, rows in self._each()])

    def gains(self, days_left: Floats) -> Floats:
        return self._gathered([group.gains(days_left[rows]) for group, rows in self._each()])

    def answer(self, items: Integers, right: Flags) -> None:
        for group, rows in self._each():
            group.answer(items[rows], right[rows])

    def rest(self, days: Floats) -> None:
        for group, rows in self._each():
            group.rest(days[rows])

    def _each(self) -> list[tuple[Learners, Integers]]:
        return list(zip(self._groups, self._rows, strict=True))

    def _gathered(self, parts: list[Floats]) -> Floats:
        whole = np.empty((sum(map(len, self._rows)), *parts[0].shape[1:]))
        for part, rows in zip(parts, self._rows, strict=True):
            whole[rows] = part
        return whole


FAMILIES: Final[dict[str, Callable[[World, Integers, int], Learners]]] = {
    "bkt": Bkt,
    "irt-growth": IrtGrowth,
    "memory": Memory,
    "mixed": Mixed,
}


def family_of(learner: int, family: str) -> str:
    """Returns the family of one learner of a population."""
    return ("bkt", "irt-growth", "memory")[learner % 3] if family == "mixed" else family


def learners(family: str, world: World, ids: Integers, seed: int) -> Learners:
    """Makes learners. Raises InvalidInput for a family that does not exist."""
    if family not in FAMILIES:
        raise InvalidInput.of("family", f"must be one of {', '.join(FAMILIES)}")
    return FAMILIES[family](world, ids, seed)
