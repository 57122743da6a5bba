"""The gate: the live policy has to beat random choice and course order on every family of simulated learners, and what the platform says of
their mastery has to be as sure as it claims.

The seed is used here only: no policy may be tuned on it. The mean over 60 learners with the same luck has to be ahead by a hundredth of the
course at the exam, and by one answer (of 180) on the way to 80 % of it.
"""

from functools import cache

import numpy as np
import pytest

from lab.simulation.choosers import InOrder, Production, Uniform
from lab.simulation.cohort import Schedule, Trace, simulate
from lab.simulation.courses import synthetic
from lab.simulation.naming import LIVE
from lab.simulation.outcomes import measures
from lab.simulation.world import World

SEED = 20261122
LEARNERS = 60
FINAL_MARGIN = 0.01
TIME_MARGIN = 1.0
POLICIES = {"live": Production(LIVE, "live"), "random": Uniform(LIVE.met_mean), "fixed": InOrder()}


@cache
def practised(family: str, policy: str) -> Trace:
    world = World.of(synthetic(120, 12), SEED)
    return simulate(world, family, np.arange(LEARNERS), POLICIES[policy], Schedule(9, 20), SEED)


@pytest.mark.parametrize("family", ["bkt", "irt-growth", "memory"])
@pytest.mark.parametrize("other", ["random", "fixed"])
def test_the_live_policy_is_ahead_on_final_mastery_and_on_time_to_mastery(family, other):
    live, rival = (practised(family, each) for each in ("live", other))
    own, its = measures(live, live), measures(rival, live)
    assert (own.exam - its.exam).mean() > FINAL_MARGIN
    assert (its.answers - own.answers).mean() > TIME_MARGIN


def test_the_mastery_intervals_hold_what_an_ideal_observer_expects_nine_times_in_ten():
    """Of the three families together; of each alone at least five times in six."""
    intervals = [practised(family, "live").intervals for family in ("bkt", "irt-growth", "memory")]
    shares = [np.mean((each[:, 3] <= each[:, 6] + 1e-6) & (each[:, 6] <= each[:, 5] + 1e-6)) for each in intervals]
    assert 0.87 <= np.average(shares, weights=[len(each) for each in intervals]) <= 0.93, shares
    assert min(shares) >= 5 / 6, shares
