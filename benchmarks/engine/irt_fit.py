"""Calibrating items, against girth.

Usage: python benchmarks/engine/irt_fit.py [--rounds 3] [--data DIRECTORY]

Both fit the same responses: the 1,000 examinees of LSAT-6 (Bock and Lieberman 1970), the response files fraction.csv and ecpe.csv where
DIRECTORY has them, and 2,000 simulated learners on 40 items. Compared are parameters, the marginal log-likelihood of each one's parameters
by the same quadrature (higher is better), and times. Where girth fails, the JSON says with what. Prints JSON; times are medians over
the rounds, girth's a single run, in seconds.
"""

import argparse
import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import girth
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from domain.psychometrics.irt import Floats, Items, probabilities
from domain.psychometrics.irt_fit import Calibration, fit
from domain.psychometrics.irt_likelihood import Model, Responses
from lab.fitting.irt import response_table
from lab.responses import read_responses

LSAT6 = (
    "00000 3,00001 6,00010 2,00011 11,00100 1,00101 1,00110 3,00111 4,01000 1,01001 8,01011 16,01101 3,01110 2,01111 15,10000 10,"
    "10001 29,10010 14,10011 81,10100 3,10101 28,10110 15,10111 80,11000 16,11001 56,11010 21,11011 173,11100 11,11101 61,11110 28,"
    "11111 298"
)
RIVALS: dict[Model, Callable[[Any], dict[str, Any]]] = {
    Model.ONE: girth.onepl_mml,
    Model.TWO: girth.twopl_mml,
    Model.THREE: girth.threepl_mml,
}


def lsat6() -> Responses:
    rows = [pattern for each in LSAT6.split(",") for pattern, count in [each.split()] for _ in range(int(count))]
    return np.array([[int(answer) for answer in row] for row in rows], dtype=np.int8)


def simulated() -> Responses:
    chance = np.random.default_rng(5)
    items = Items.of(chance.lognormal(0.1, 0.3, 40), chance.normal(size=40))
    return (chance.random((2000, 40)) < probabilities(items, chance.standard_normal(2000))).astype(np.int8)


def log_likelihood(responses: Responses, items: Items) -> float:
    nodes = np.linspace(-6, 6, 121)
    weights = np.exp(-0.5 * nodes**2)
    right = np.clip(probabilities(items, nodes), 1e-12, 1 - 1e-12)
    each = responses @ np.log(right).T + (1 - responses) @ np.log1p(-right).T
    top = each.max(axis=1, keepdims=True)
    return float((np.log(np.exp(each - top) @ (weights / weights.sum())) + top[:, 0]).sum())


def timed(action: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    taken, result = [], None
    for _ in range(rounds):
        start = time.perf_counter()
        result = action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), result


def by_girth(responses: Responses, model: Model) -> Items:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own optimizer
        found = RIVALS[model](responses.T.astype(int))
    slope: Floats = np.broadcast_to(found["Discrimination"], responses.shape[1]).astype(float)
    return Items(slope, np.asarray(found["Difficulty"]), np.asarray(found.get("Guessing", np.zeros(responses.shape[1]))))


def compared(responses: Responses, model: Model, rounds: int) -> dict[str, Any]:
    ours_seconds, ours = timed(lambda: fit(responses, model), rounds)
    assert isinstance(ours, Calibration)
    own = {
        "log_likelihood": round(log_likelihood(responses, ours.items), 3),
        "converged": ours.converged,
        "steps": ours.steps,
        "seconds": round(ours_seconds, 4),
    }
    try:
        rival_seconds, rival = timed(lambda: by_girth(responses, model), 1)
    except (ValueError, TypeError) as problem:
        return own | {"girth_failed": f"{type(problem).__name__}: {problem}"}
    difference = {name: round(float(np.abs(a - b).max()), 4) for name, a, b in zip(Items._fields, ours.items, rival, strict=True)}
    return own | {
        "girth_log_likelihood": round(log_likelihood(responses, rival), 3),
        "greatest_difference": difference,
        "girth_seconds": round(rival_seconds, 4),
        "times_as_fast": round(rival_seconds / ours_seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=os.environ.get("PAIDEIA_TEST_DATA", "../shared/data"))
    arguments = parser.parse_args()
    logs = {"lsat6": lsat6(), "simulated_2000_by_40": simulated()}
    for name in ("fraction", "ecpe"):
        if (file := Path(arguments.data) / f"{name}.csv").is_file():
            logs[name] = response_table(read_responses(file))[0]
    result: dict[str, Any] = {"girth_version": metadata.version("girth"), "rounds": arguments.rounds}
    for name, responses in logs.items():
        result[name] = {str(model): compared(responses, model, arguments.rounds) for model in Model}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
