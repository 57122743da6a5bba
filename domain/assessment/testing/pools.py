"""From a blueprint to its pool: which items its sessions may draw, and whether a test can be made of them at all."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import exp, sqrt

import numpy as np

from domain.assessment.model.items import Item
from domain.assessment.testing.banks import BankVersion, CalibratedItem
from domain.assessment.testing.blueprints import AdaptiveForm, Blueprint, FixedForm, PoolItem, SympsonHetter
from domain.psychometrics.adaptive_testing import ExposureControl, Selector
from domain.psychometrics.adaptive_testing_simulation import Stop, simulate_tests, sympson_hetter_parameters
from domain.psychometrics.irt import GREATEST_SLOPE, Items, information
from domain.shared.errors import FieldViolation, InvalidInput

_NAMED = 5
_FEW = 0.05  # so many learners may miss the standard error before it is worth a warning
_SIMULATED_LEARNERS = 2_000
_SIMULATED_ROUNDS = 20
_SEED = 1
_SAMPLING = 0.03  # three standard errors of a rate near 0.3 among so many learners
_NEVER = 1e-9  # a standard error that no test reaches


def wanted(blueprint: Blueprint, bank: BankVersion | None) -> tuple[str, ...]:
    """The ids of the items that the course's publication is asked for, in the pool's order."""
    if isinstance(blueprint.form, FixedForm):
        return blueprint.form.items
    return tuple(each.item for each in bank.items) if bank else ()


def with_pool(blueprint: Blueprint, bank: BankVersion | None, published: Mapping[str, Item], now: datetime) -> Blueprint:
    """Returns the blueprint with its pool and what may surprise its author. May take seconds of computing (Sympson-Hetter).

    Raises InvalidInput naming the field with which no test can be made of these items.
    """
    parameters = {each.item: each for each in bank.items} if bank else {}
    asked = wanted(blueprint, bank)
    if isinstance(blueprint.form, FixedForm):
        _require_all(blueprint, asked, published, parameters if bank else None)
    found = [published[each] for each in asked if each in published]
    placed = [(item, area) for item in found if (area := _area_of(blueprint, item)) is not None]
    pool = tuple(_pooled(item, area, parameters.get(item.id)) for item, area in placed)
    warnings = _left_out(asked, found, placed)
    made = replace(blueprint, pool=pool, pool_size=len(pool), created_at=now)
    if faults := [*_faults(made)]:
        raise InvalidInput([replace(each, description="; ".join([each.description, *warnings])) for each in faults])
    if isinstance(form := made.form, AdaptiveForm):
        made, exposed = _with_admission(made, form)
        warnings += [*_out_of_reach(made, form), *exposed]
    return replace(made, warnings=tuple(warnings))


def items_of(pool: Sequence[PoolItem]) -> Items | None:
    """The parameters of a pool, in its order; None without a bank."""
    if any(each.slope is None for each in pool):
        return None
    return Items(
        *(np.array([getattr(each, name) for each in pool], dtype=np.float64) for name in ("slope", "difficulty", "guess"))
    )


def _area_of(blueprint: Blueprint, item: Item) -> int | None:
    """The place of the first area whose skill the item practises; None if there is none."""
    if not blueprint.areas:
        return 0
    return next((place for place, area in enumerate(blueprint.areas) if area.skill in item.skills), None)


def _pooled(item: Item, area: int, parameters: CalibratedItem | None) -> PoolItem:
    if parameters is None:
        return PoolItem(item.id, item.revision, area)
    return PoolItem(item.id, item.revision, area, parameters.slope, parameters.difficulty, parameters.guess)


def _require_all(
    blueprint: Blueprint, asked: Sequence[str], published: Mapping[str, Item], parameters: Mapping[str, CalibratedItem] | None
) -> None:
    faults = []
    for place, each in enumerate(asked):
        field = f"fixed.items[{place}]"
        if each not in published:
            faults.append(FieldViolation(field, f"items/{each} is not in the newest publication of courses/{blueprint.course}"))
        elif parameters is not None and each not in parameters:
            faults.append(FieldViolation(field, f"items/{each} is not in the bank version"))
        elif _area_of(blueprint, published[each]) is None:
            faults.append(FieldViolation(field, f"items/{each} belongs to no content area"))
    if faults:
        raise InvalidInput(faults)


def _left_out(asked: Sequence[str], found: Sequence[Item], placed: Sequence[tuple[Item, int]]) -> list[str]:
    there, inside = {each.id for each in found}, {item.id for item, _ in placed}
    return [
        f"{len(missing)} of the {len(asked)} items are left out, because {why}: {', '.join(missing[:_NAMED])}"
        + (", and more" if len(missing) > _NAMED else "")
        for why, missing in (
            ("they are not in the course's newest publication", [each for each in asked if each not in there]),
            ("they belong to no content area", [each.id for each in found if each.id not in inside]),
        )
        if missing
    ]


def _faults(made: Blueprint) -> Iterator[FieldViolation]:
    form, balance = made.form, made.balance()
    empty = [place for place, size in enumerate(balance.sizes) if not size] if made.areas else []
    for place in empty:
        yield FieldViolation(f"content_areas[{place}].skill", f"no item of the pool practises skills/{made.areas[place].skill}")
    if empty:
        return
    if len(made.pool) < form.max_length:
        yield FieldViolation("adaptive.max_length", f"must be at most the pool's size, which is {len(made.pool)}")
        return
    if isinstance(form, AdaptiveForm) and isinstance(form.exposure, SympsonHetter):
        rate = form.max_length / len(made.pool)
        if form.exposure.max_rate < rate:
            yield FieldViolation(
                "adaptive.sympson_hetter.max_rate", f"must be at least max_length / pool size, which is {rate:.3f}"
            )
    if isinstance(form, FixedForm):
        if not balance.holds(balance.sizes):
            yield FieldViolation("content_areas", f"the bounds do not hold for the list: it has {_counted(made)}")
    elif not balance.reachable([0] * len(balance.sizes), form.max_length):
        yield FieldViolation(
            "content_areas", f"no test of {form.max_length} items meets all bounds with a pool that has {_counted(made)}"
        )


def _counted(made: Blueprint) -> str:
    sizes = made.balance().sizes
    return ", ".join(f"{size} of skills/{area.skill}" for area, size in zip(made.areas, sizes, strict=True))


def _out_of_reach(made: Blueprint, form: AdaptiveForm) -> list[str]:
    """Warns when many learners cannot be measured as precisely as asked, even by the most informative items of all.

    The posterior's precision is taken as 1 / prior variance + the test's information, the normal approximation.
    """
    items = items_of(made.pool)
    if form.standard_error is None or items is None:
        return []
    missed = total = 0.0
    best_at_mean = 0.0
    for step in range(-20, 21):
        weight = exp(-0.5 * (step / 8) ** 2)  # the prior, to 2.5 deviations
        best = np.sort(information(items, made.prior.mean + made.prior.deviation * step / 8))[-form.max_length :].sum()
        error = 1 / sqrt(made.prior.deviation**-2 + float(best))
        total += weight
        missed += weight * (error > form.standard_error)
        if step == 0:
            best_at_mean = error
    if missed <= _FEW * total:
        return []
    return [
        f"standard_error {form.standard_error:g} is out of reach for {missed / total:.0%} of learners by the prior, even with the "
        f"{form.max_length} most informative items; at the prior's mean they reach {best_at_mean:.2f}. Such tests end at max_length"
    ]


def _with_admission(made: Blueprint, form: AdaptiveForm) -> tuple[Blueprint, list[str]]:
    """Finds the Sympson-Hetter parameters by simulating tests of learners drawn from the prior, without regard to content areas."""
    items = items_of(made.pool)
    if not isinstance(form.exposure, SympsonHetter) or items is None:
        return made, []
    # In units of the prior: the simulation's learners are standard normal.
    mean, deviation = made.prior.mean, made.prior.deviation
    scaled = Items(np.minimum(items.slope * deviation, GREATEST_SLOPE), (items.difficulty - mean) / deviation, items.guess)
    error = _NEVER if form.standard_error is None else form.standard_error / deviation
    stop, generator = Stop(error, form.max_length, form.min_length), np.random.default_rng(_SEED)
    rates = sympson_hetter_parameters(
        scaled, form.exposure.max_rate, stop, generator, learners=_SIMULATED_LEARNERS, rounds=_SIMULATED_ROUNDS
    )
    selector = Selector.of(scaled, ExposureControl.sympson_hetter(rates))
    reached = float(simulate_tests(selector, generator.standard_normal(_SIMULATED_LEARNERS), stop, generator).exposure.max())
    warnings = []
    if reached > form.exposure.max_rate + _SAMPLING:
        warnings.append(
            f"in simulation the most used item is in {reached:.0%} of tests, above the {form.exposure.max_rate:.0%} asked for"
        )
    pool = tuple(replace(each, admission=float(rate)) for each, rate in zip(made.pool, rates, strict=True))
    return replace(made, pool=pool), warnings
