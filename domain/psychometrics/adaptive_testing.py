"""Chooses the next item of a computer-adaptive test: the most informative at the ability, with exposure control.

Maximum information is Lord's rule (1980, "Applications of item response theory to practical testing problems", chapter 10). It would
show the same few items to everybody, which exposure control prevents:

- randomesque (Kingsbury and Zara 1989): one of the k most informative, each as likely;
- Sympson and Hetter (1985): the items are tried from the most informative down, and each is accepted with its own probability. When all
  were refused, they are tried again.

What takes time depends on the items alone and is done once: for abilities 0.005 logits apart, the most informative items are ranked. A
choice walks down one of these lists, so it costs the same however large the pool is. Without exposure control the first few of the list are
compared at the very ability, so that it is the best item that is found.
"""

from collections.abc import Collection
from dataclasses import dataclass
from math import exp, isfinite
from random import Random
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from domain.psychometrics.irt import Floats, Items, checked, information, informations
from domain.shared.errors import InvalidInput, NotAllowedNow

_REACH: Final = 6.0  # logits either side of 0 for which lists are kept
_SPACING: Final = 0.005
_CELLS: Final = round(2 * _REACH / _SPACING) + 1
_RANKED: Final = 96  # items in a list, if there are as many
_AT_A_TIME: Final = 32
_COMPARED: Final = 3  # items of a list whose information at the very ability is computed to find the best
_STEEPEST: Final = 500.0  # logits beyond which 1 + exp of them is no more than the exponential
_NOTHING: Final = 1e-12
_MOST_REFUSED: Final = 0.01  # how much of the chance the items of a list may leave over before everything is looked at


class NoItemLeft(NotAllowedNow):
    """Every allowed item of the pool has been used."""

    reason = "NO_ITEM_LEFT"


class Pick(NamedTuple):
    """The chosen item and the probability with which it was chosen, given the ability and what was used and allowed."""

    index: int  # type: ignore[assignment]  # a tuple's method of that name is of no use here
    propensity: float


@dataclass(frozen=True, slots=True)
class ExposureControl:
    """How the choice is spread over good items: over the `among` best, or by `acceptance`, one probability in (0, 1] an item."""

    among: int = 1
    acceptance: tuple[float, ...] = ()

    @classmethod
    def none(cls) -> Self:
        """Always the most informative item."""
        return cls()

    @classmethod
    def randomesque(cls, k: int) -> Self:
        """One of the `k` most informative items, each as likely."""
        if k < 1:
            raise InvalidInput.of("exposure.k", "must be at least 1")
        return cls(among=k)

    @classmethod
    def sympson_hetter(cls, parameters: ArrayLike) -> Self:
        """Each item is accepted with its own probability, in (0, 1]; `parameters` has shape (n,)."""
        acceptance = np.asarray(parameters, dtype=np.float64)
        if acceptance.ndim != 1 or not acceptance.size or not ((acceptance > 0) & (acceptance <= 1)).all():
            raise InvalidInput.of("exposure.parameters", "must be probabilities above 0 and at most 1, one an item")
        return cls(acceptance=tuple(acceptance.tolist()))


@dataclass(frozen=True, slots=True)
class Selector:
    """Chooses among `items`. Build it once for a pool with `Selector.of`: about 0.3 s for 10,000 items."""

    items: Items
    exposure: ExposureControl
    ranked: NDArray[np.int32]  # (cells, ranks): the most informative items at each cell's ability, best first
    _lists: list[list[int]]
    _parameters: list[tuple[float, float, float]]  # of each item, as Python's numbers

    @classmethod
    def of(cls, items: Items, exposure: ExposureControl | None = None) -> Self:
        """Returns the selector; without `exposure` it is always the best item. Raises InvalidInput for a pool that cannot be used."""
        checked(items)
        exposure = exposure or ExposureControl.none()
        if not items.slope.size:
            raise InvalidInput.of("items", "must not be empty: there is nothing to choose from")
        if exposure.acceptance and len(exposure.acceptance) != items.slope.size:
            raise InvalidInput.of("exposure.parameters", f"must be one for each of the {items.slope.size} items")
        ranked = _ranked(items)
        return cls(items, exposure, ranked, ranked.tolist(), list(zip(*(each.tolist() for each in items), strict=True)))

    def next(self, ability: float, used: Collection[int], allowed: NDArray[np.bool_] | None, random: Random) -> Pick:
        """Returns the item to show next to a learner of this ability.

        `used` are indices not to show (a set is fastest), `allowed` of shape (n,) says which items may be shown at all, None all.
        Raises NoItemLeft when nothing remains, InvalidInput for an ability that is no number or an
        `allowed` of another length.
        """
        if not isfinite(ability):
            raise InvalidInput.of("ability", "must be a finite number of logits")
        if allowed is not None and len(allowed) != len(self._parameters):
            raise InvalidInput.of("allowed", f"must say of each of the {len(self._parameters)} items whether it may be shown")
        if self.exposure.acceptance:
            return self._accepted(ability, used, allowed, random)
        among, best = self.exposure.among, list[int]()
        enough = among if among > 1 else _COMPARED
        for index in self._candidates(ability):
            if index not in used and (allowed is None or allowed[index]):
                best.append(index)
                if len(best) == enough:
                    break
        if len(best) < among or not best:
            best = self._scan(ability, used, allowed)[:among]
        if among > 1:
            return Pick(best[int(random.random() * len(best))], 1.0 / len(best))
        parameters = self._parameters
        return Pick(min([(-_information(ability, *parameters[each]), each) for each in best])[1], 1.0)

    def candidates(self, abilities: Floats) -> NDArray[np.int32]:
        """Returns the list for each of the abilities, shape (abilities, ranks), the most informative item first."""
        cells = np.rint((np.clip(abilities, -_REACH, _REACH) + _REACH) / _SPACING).astype(np.intp)
        return np.asarray(self.ranked[cells])

    def _accepted(self, ability: float, used: Collection[int], allowed: NDArray[np.bool_] | None, random: Random) -> Pick:
        acceptance = self.exposure.acceptance
        tried, shares, left = list[int](), list[float](), 1.0
        for index in self._candidates(ability):
            if index not in used and (allowed is None or allowed[index]):
                share = left * acceptance[index]
                tried.append(index)
                shares.append(share)
                left -= share
                if left < _NOTHING:
                    break
        else:
            if left > _MOST_REFUSED:
                tried = self._scan(ability, used, allowed)[:_RANKED]
                odds = np.array([acceptance[each] for each in tried])
                shares = (odds * np.cumprod([1.0, *(1 - odds[:-1])])).tolist()
        total = sum(shares)
        point = random.random() * total
        for index, share in zip(tried, shares, strict=True):
            point -= share
            if point < 0:
                return Pick(index, share / total)
        return Pick(tried[-1], shares[-1] / total)

    def _candidates(self, ability: float) -> list[int]:
        """The list for this ability; beyond the ends it is empty, and everything is looked at."""
        return self._lists[int((ability + _REACH) / _SPACING + 0.5)] if -_REACH <= ability <= _REACH else []

    def _scan(self, ability: float, used: Collection[int], allowed: NDArray[np.bool_] | None) -> list[int]:
        """All items that may be shown, the most informative first."""
        size = self.items.slope.size
        free = np.ones(size, dtype=np.bool_) if allowed is None else np.array(allowed, dtype=np.bool_)
        free[list(used)] = False
        indices = np.flatnonzero(free)
        if not indices.size:
            raise NoItemLeft(f"each of the {size} items has been used or is not allowed")
        best: list[int] = indices[np.argsort(-information(self.items.take(indices), ability), kind="stable")].tolist()
        return best


def _information(ability: float, slope: float, difficulty: float, guess: float) -> float:
    """The same as irt.information, of one item."""
    logit = slope * (ability - difficulty)
    known = 1.0 / (1.0 + exp(-logit)) if logit > -_STEEPEST else exp(logit)
    return slope * slope * (1.0 - guess) * known * known * (1.0 - known) / (guess + (1.0 - guess) * known)


def _ranked(items: Items) -> NDArray[np.int32]:
    """The most informative items at each cell's ability, best first, of equals the one with the lower index; (cells, ranks)."""
    ranks = min(_RANKED, items.slope.size)
    abilities = np.linspace(-_REACH, _REACH, _CELLS)
    ranked = np.empty((_CELLS, ranks), dtype=np.int32)
    for start in range(0, _CELLS, _AT_A_TIME):
        told = -informations(items, abilities[start : start + _AT_A_TIME])
        best = np.sort(np.argpartition(told, ranks - 1, axis=1)[:, :ranks], axis=1)
        order = np.argsort(np.take_along_axis(told, best, axis=1), axis=1, kind="stable")
        ranked[start : start + _AT_A_TIME] = np.take_along_axis(best, order, axis=1)
    return ranked
