"""Simulates adaptive tests, many learners at once, to see what a pool and an exposure control amount to before anybody takes a test.

The choices follow the same lists and the same rule as `Selector.next`, in arrays instead of one at a time. Ability is estimated by EAP under
a standard normal prior after every answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.psychometrics.adaptive_testing import ExposureControl, Selector
from domain.psychometrics.irt import Floats, Items, checked, information, logistic, probabilities
from domain.shared.errors import InvalidInput

_NODES: Final = np.linspace(-5.0, 5.0, 101)
_LEAST_ACCEPTANCE: Final = 0.001
_AT_A_TIME: Final = 2000


class Stop(NamedTuple):
    """When a test ends: at a standard error of at most `error` logits after `shortest` items at least, or after `longest` items."""

    error: float
    longest: int
    shortest: int = 1


@dataclass(frozen=True, slots=True)
class SimulatedTests:
    """What came out, by learner: items shown, EAP and its standard error in logits; and by item the share of learners who saw it."""

    length: NDArray[np.int64]
    estimate: Floats
    error: Floats
    exposure: Floats


# Chooses an item for each of several learners: (estimates, free (learners, n), generator) -> indices.
Choice = Callable[[Floats, NDArray[np.bool_], np.random.Generator], NDArray[np.intp]]


def simulate_tests(selector: Selector, abilities: Floats, stop: Stop, generator: np.random.Generator) -> SimulatedTests:
    """Returns the tests that learners of these true abilities would have taken, answering as the items' parameters say."""
    return _simulate(selector.items, _choice(selector), abilities, stop, generator)


def simulate_random_tests(items: Items, abilities: Floats, stop: Stop, generator: np.random.Generator) -> SimulatedTests:
    """The same with items drawn at random: what adaptive choice is compared with."""
    return _simulate(checked(items), _any_free, abilities, stop, generator)


def sympson_hetter_parameters(
    items: Items,
    maximum_rate: float,
    stop: Stop,
    generator: np.random.Generator,
    *,
    learners: int = 6000,
    rounds: int = 40,
) -> Floats:
    """Returns acceptance probabilities, shape (n,), under which no item is shown to more than about `maximum_rate` of all learners.

    Sympson and Hetter (1985), "Controlling item-exposure rates in computerized adaptive testing": simulate tests of a standard normal
    population, lower the acceptance of each item that was shown too often in proportion, and repeat. An item shown too seldom to use its
    share is given back what it lost, up to 1. As the rates are simulated, it aims two standard errors of a rate below the maximum, ends
    when that is met, and after the last round returns what came nearest. Raises InvalidInput when no acceptance can do it, as a test
    takes `stop.shortest` items at least.
    """
    count = items.slope.size
    if not 0 < maximum_rate <= 1:
        raise InvalidInput.of("maximum_rate", "must be above 0 and at most 1")
    if maximum_rate * count < stop.shortest:
        raise InvalidInput.of(
            "maximum_rate", f"{count} items shown to {maximum_rate:g} of the learners each make no test of {stop.shortest} items"
        )
    selector = Selector.of(items)
    aim = max(maximum_rate - 2 * sqrt(maximum_rate * (1 - maximum_rate) / learners), 0.5 * maximum_rate)
    acceptance, best, lowest = np.ones(count), np.ones(count), np.inf
    for _ in range(rounds):
        controlled = replace(selector, exposure=ExposureControl.sympson_hetter(acceptance))
        exposure = simulate_tests(controlled, generator.standard_normal(learners), stop, generator).exposure
        if exposure.max() < lowest:
            lowest, best = float(exposure.max()), acceptance
        if lowest <= aim:
            break
        # What limits an item is its acceptance, if that is below 1; then its exposure may rise to the limit again.
        wanted = acceptance * aim / np.maximum(exposure, 1e-9)
        acceptance = np.clip(wanted, np.maximum(0.5 * acceptance, _LEAST_ACCEPTANCE), np.minimum(1.25 * acceptance, 1.0))
    return best


def _simulate(items: Items, choose: Choice, abilities: Floats, stop: Stop, generator: np.random.Generator) -> SimulatedTests:
    if not abilities.size or not np.isfinite(abilities).all():
        raise InvalidInput.of("abilities", "must be finite numbers, one learner's at least")
    if not (stop.error > 0 and 1 <= stop.shortest <= stop.longest):
        raise InvalidInput.of("stop", "must have a positive error, and 1 <= shortest <= longest")
    parts = [
        _simulate_some(items, choose, abilities[start : start + _AT_A_TIME], stop, generator)
        for start in range(0, abilities.size, _AT_A_TIME)
    ]
    length, estimate, error, shown = (np.concatenate(each) for each in zip(*parts, strict=True))
    return SimulatedTests(length, estimate, error, shown.reshape(-1, items.slope.size).sum(axis=0) / abilities.size)


def _simulate_some(
    items: Items, choose: Choice, abilities: Floats, stop: Stop, generator: np.random.Generator
) -> tuple[NDArray[np.int64], Floats, Floats, NDArray[np.int64]]:
    learners, count = abilities.size, items.slope.size
    at_nodes = np.clip(probabilities(items, _NODES).T, 1e-12, 1 - 1e-12)
    right, wrong = np.log(at_nodes), np.log1p(-at_nodes)
    density = np.tile(-0.5 * _NODES**2, (learners, 1))
    length, estimate, error = np.zeros(learners, dtype=np.int64), np.zeros(learners), np.ones(learners)
    free = np.ones((learners, count), dtype=np.bool_)
    for taken in range(1, min(stop.longest, count) + 1):
        going = np.flatnonzero((error > stop.error) | (length < stop.shortest))
        if not going.size:
            break
        chosen = choose(estimate[going], free[going], generator)
        slope, difficulty, guess = items.take(chosen)
        chance = guess + (1 - guess) * logistic(slope * (abilities[going] - difficulty))
        correct = generator.random(going.size) < chance
        free[going, chosen] = False
        length[going] = taken
        density[going] += np.where(correct[:, None], right[chosen], wrong[chosen])
        weight = np.exp(density[going] - density[going].max(axis=1, keepdims=True))
        weight /= weight.sum(axis=1, keepdims=True)
        mean = weight @ _NODES
        estimate[going] = mean
        error[going] = np.sqrt(np.maximum(weight @ _NODES**2 - mean**2, 0.0))
    return length, estimate, error, (~free).sum(axis=0)


def _choice(selector: Selector) -> Choice:
    """The rule of `Selector.next` for many learners: each place in a list has its chance, and one is drawn."""
    among, acceptance = selector.exposure.among, np.array(selector.exposure.acceptance)

    def choose(estimates: Floats, free: NDArray[np.bool_], generator: np.random.Generator) -> NDArray[np.intp]:
        candidates = selector.candidates(estimates)
        open_ = np.take_along_axis(free, candidates, axis=1)
        if acceptance.size:
            odds = np.where(open_, acceptance[candidates], 0.0)
            refused = np.cumprod(1 - odds, axis=1)
            shares = odds * np.concatenate([np.ones((len(odds), 1)), refused[:, :-1]], axis=1)
        else:
            shares = (open_ & (np.cumsum(open_, axis=1) <= among)).astype(np.float64)
        total = np.cumsum(shares, axis=1)
        place = (total > generator.random((len(total), 1)) * total[:, -1:]).argmax(axis=1)
        chosen = np.take_along_axis(candidates, place[:, None], axis=1)[:, 0].astype(np.intp)
        for row in np.flatnonzero(total[:, -1] == 0):  # everything in the list has been shown
            chosen[row] = np.where(free[row], information(selector.items, float(estimates[row])), -1.0).argmax()
        return chosen

    return choose


def _any_free(estimates: Floats, free: NDArray[np.bool_], generator: np.random.Generator) -> NDArray[np.intp]:
    return np.asarray((generator.random(free.shape) * free).argmax(axis=1), dtype=np.intp)
