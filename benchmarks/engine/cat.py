"""How long adaptive tests are on banks of 85 items, stopped at a standard error of 0.4, against items drawn at random.

Usage: python benchmarks/engine/cat.py [--learners 10000] [--banks 5]

Banks are simulated with seeds (three-parameter model: slopes log-normal around 1.7 with deviation 0.5, difficulties normal with deviation
1.8, guesses uniform from 0.1 to 0.25), learners are standard normal and answer as the parameters say; a test ends after 60 items at the
latest. Exposure is the share of learners who see an item. Acceptance probabilities for the maximum exposure come from simulated tests of
other learners. Prints JSON: for each bank and rule mean length, greatest exposure, share of items seen by nobody, bias and root mean squared
error of the estimated ability, and share of tests that ended with a larger error; then the means over the banks.

`least_length` is a bound for comparison: the mean length for somebody who knows every ability beforehand and may deal out items in any shares
as long as no item exceeds the maximum exposure. It takes a standard error of s to need an information of 1 / s² - 1
about the ability, and is found by linear programming. A test that has to find the ability out needs more.
"""

import argparse
import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

sys.path.insert(0, str(Path(__file__).parents[2]))

from domain.psychometrics.adaptive_testing import ExposureControl, Selector
from domain.psychometrics.adaptive_testing_simulation import (
    SimulatedTests,
    Stop,
    simulate_random_tests,
    simulate_tests,
    sympson_hetter_parameters,
)
from domain.psychometrics.irt import Floats, Items, informations

ITEMS, MAXIMUM_EXPOSURE, TARGET_LENGTH = 85, 0.35, 9.0
STOP = Stop(error=0.4, longest=60)


def bank(seed: int) -> Items:
    chance = np.random.default_rng(seed)
    slopes = 1.7 * np.exp(chance.normal(0, 0.5, ITEMS))
    return Items.of(slopes, chance.normal(0, 1.8, ITEMS), chance.uniform(0.1, 0.25, ITEMS))


def summary(tests: SimulatedTests, abilities: Floats) -> dict[str, float]:
    missed = tests.estimate - abilities
    return {
        "mean_length": round(float(tests.length.mean()), 2),
        "greatest_exposure": round(float(tests.exposure.max()), 4),
        "items_never_shown": round(float((tests.exposure == 0).mean()), 3),
        "bias": round(float(missed.mean()), 4),
        "rmse": round(float(np.sqrt((missed**2).mean())), 4),
        "error_above_stop": round(float((tests.error > STOP.error).mean()), 4),
    }


def least_length(items: Items, points: int = 25) -> float:
    """Returns the least mean over abilities of x_1 + ... + x_n, where x_i in [0, 1] is the share of learners of an ability who see item i,
    so that the items' information reaches what is needed at each ability, and each item's mean share stays within the maximum exposure."""
    quantiles = (np.arange(points) + 0.5) / points
    told = informations(items, np.array([statistics.NormalDist().inv_cdf(each) for each in quantiles.tolist()]))
    needed = np.minimum(1.0 / STOP.error**2 - 1.0, 0.999 * told.sum(axis=1))  # no more than the bank has
    enough = sparse.block_diag([-own[None] for own in told])
    exposure = sparse.hstack([sparse.eye(ITEMS) / points] * points)
    found = linprog(
        np.full(points * ITEMS, 1.0 / points),
        A_ub=sparse.vstack([enough, exposure]).tocsr(),
        b_ub=np.concatenate([-needed, np.full(ITEMS, MAXIMUM_EXPOSURE)]),
        bounds=(0, 1),
        method="highs",
    )
    return round(float(found.fun), 2)


def compared(seed: int, learners: int) -> dict[str, dict[str, float]]:
    items, chance = bank(seed), np.random.default_rng(1000 + seed)
    abilities = chance.standard_normal(learners)
    plain = Selector.of(items)
    acceptance = sympson_hetter_parameters(items, MAXIMUM_EXPOSURE, STOP, chance)
    rules = {
        "most_informative": plain,
        "randomesque_5": replace(plain, exposure=ExposureControl.randomesque(5)),
        "sympson_hetter": replace(plain, exposure=ExposureControl.sympson_hetter(acceptance)),
    }
    found = {"random": simulate_random_tests(items, abilities, STOP, chance)}
    found |= {name: simulate_tests(each, abilities, STOP, chance) for name, each in rules.items()}
    return {name: summary(each, abilities) for name, each in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learners", type=int, default=10_000)
    parser.add_argument("--banks", type=int, default=5)
    arguments = parser.parse_args()
    banks = {seed: compared(seed, arguments.learners) for seed in range(1, arguments.banks + 1)}
    rules = list(banks[1])
    means = {
        rule: {key: round(statistics.fmean(each[rule][key] for each in banks.values()), 4) for key in banks[1][rule]}
        for rule in rules
    }
    controlled = means["sympson_hetter"]
    result = {
        "items": ITEMS,
        "learners": arguments.learners,
        "stop_error": STOP.error,
        "means": means,
        "length_to_random": round(controlled["mean_length"] / means["random"]["mean_length"], 3),
        "least_length": {seed: least_length(bank(seed)) for seed in banks},
        "target": {"mean_length": TARGET_LENGTH, "greatest_exposure": MAXIMUM_EXPOSURE},
        "banks_reaching_target": sum(
            each["sympson_hetter"]["mean_length"] <= TARGET_LENGTH
            and each["sympson_hetter"]["greatest_exposure"] <= MAXIMUM_EXPOSURE
            for each in banks.values()
        ),
        "banks": banks,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
