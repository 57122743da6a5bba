"""Choosing 1 of 10,000 items by information, against catsim's selector and a scan of all items with numpy.

Usage: python benchmarks/engine/selection.py [--rounds 5] [--items 10000]

The pool is simulated with a seed (three-parameter model); abilities are standard normal and 20 items have been used. All take the same
abilities in turn in every round. `information_lost` is how much less the choice tells than the choice by the same rule from all items, ranked
at the very ability, in the mean and at worst over the abilities. Prints JSON; times are medians over the rounds, in microseconds a choice.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from random import Random

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from catsim.item_bank import ItemBank
from catsim.selection import MaxInfoSelector

from domain.psychometrics.adaptive_testing import ExposureControl, Selector
from domain.psychometrics.adaptive_testing_simulation import Stop, sympson_hetter_parameters
from domain.psychometrics.irt import Floats, Items, information

SEED, USED, TARGET_MICROSECONDS, TARGET_LOST = 11, 20, 10.0, 0.001
OURS, BY_SCAN, BY_CATSIM = 20_000, 300, 20


def pool(count: int) -> Items:
    chance = np.random.default_rng(SEED)
    return Items.of(np.exp(chance.normal(0.2, 0.35, count)), chance.normal(0, 1.2, count), chance.beta(5, 17, count))


def microseconds(choose: Callable[[float], object], abilities: list[float]) -> float:
    start = time.perf_counter()
    for each in abilities:
        choose(each)
    return (time.perf_counter() - start) / len(abilities) * 1e6


def shares(selector: Selector, order: Floats) -> Floats:
    """The chance of each item of a list, tried in this order."""
    if selector.exposure.acceptance:
        odds = np.array(selector.exposure.acceptance)[order]
        told = odds * np.cumprod([1.0, *(1 - odds[:-1])])
    else:
        told = (np.arange(order.size) < selector.exposure.among).astype(float)
    return np.asarray(told / told.sum())


def lost(selector: Selector, abilities: list[float]) -> dict[str, float]:
    """The share of information lost: mean, greatest, and for how many of the abilities it is more than the target."""
    losses = []
    for ability in abilities:
        told = information(selector.items, ability)
        order = np.argsort(-told, kind="stable")
        best = shares(selector, order) @ told[order]
        if selector.exposure == ExposureControl.none():
            got = told[selector.next(ability, (), None, Random(0)).index]
        else:
            listed = selector.candidates(np.array([ability]))[0]
            got = shares(selector, listed) @ told[listed]
        losses.append(float(1 - got / best))
    return {
        "mean": round(statistics.fmean(losses), 6),
        "worst": round(max(losses), 6),
        "above_target": sum(each > TARGET_LOST for each in losses) / len(losses),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--items", type=int, default=10_000)
    arguments = parser.parse_args()
    items = pool(arguments.items)
    start = time.perf_counter()
    plain = Selector.of(items)
    building = time.perf_counter() - start
    acceptance = sympson_hetter_parameters(items, 0.2, Stop(0.3, 30), np.random.default_rng(SEED), learners=1000, rounds=8)
    selectors = {
        "none": plain,
        "randomesque_5": replace(plain, exposure=ExposureControl.randomesque(5)),
        "sympson_hetter": replace(plain, exposure=ExposureControl.sympson_hetter(acceptance)),
    }
    chance = Random(SEED)
    abilities = [chance.gauss(0, 1) for _ in range(OURS)]
    used = set(chance.sample(range(arguments.items), USED))
    bank = ItemBank(np.column_stack([items.slope, items.difficulty, items.guess, np.ones(arguments.items)]))
    rival, administered, gone = MaxInfoSelector(), sorted(used), np.array(sorted(used))

    def by_scan(ability: float) -> int:
        told = information(items, ability)
        told[gone] = -1.0
        return int(told.argmax())

    def by_catsim(ability: float) -> object:
        return rival.select(item_bank=bank, administered_items=administered, est_theta=ability)

    ways: dict[str, tuple[Callable[[float], object], list[float]]] = {
        name: (lambda ability, each=each: each.next(ability, used, None, chance), abilities) for name, each in selectors.items()
    }
    ways |= {"numpy_scan": (by_scan, abilities[:BY_SCAN]), "catsim": (by_catsim, abilities[:BY_CATSIM])}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, (choose, some) in ways.items():
            taken[name].append(microseconds(choose, some))
    median = {name: statistics.median(each) for name, each in taken.items()}
    losses = {name: lost(each, abilities[:2000]) for name, each in selectors.items()}
    result = {
        "items": arguments.items,
        "rounds": arguments.rounds,
        "catsim_version": metadata.version("catsim"),
        "building_seconds": round(building, 3),
        "microseconds": {name: round(each, 2) for name, each in median.items()},
        "times_as_fast_as_numpy_scan": {name: round(median["numpy_scan"] / median[name], 1) for name in selectors},
        "times_as_fast_as_catsim": {name: round(median["catsim"] / median[name]) for name in selectors},
        "information_lost": losses,
        "target": {"microseconds": TARGET_MICROSECONDS, "information_lost": TARGET_LOST},
        "reached": max(median[name] for name in selectors) <= TARGET_MICROSECONDS
        and max(each["mean"] for each in losses.values()) <= TARGET_LOST,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
