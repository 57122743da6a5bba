"""Does off-policy evaluation find the truth? Cohorts of simulated learners practise under an exploring policy; from each cohort's log alone,
the value of another policy is estimated, and the simulator knows what it is.

    python benchmarks/studies/off_policy.py [--cohorts 100] [--learners 40]

The value is the mean P(right) of the item that the evaluated policy would show first, in the situations that the logging policy leads to;
the truth is its mean over all cohorts, with the true P(right) of every item. Prints JSON: how many cohorts' 95 % intervals hold the truth,
the intervals' mean width, the effective sample size, and what becomes of logs without overlap. All cohorts see the same items.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from domain.scheduler.policy import PRACTICE_2, Arm, Policy, Weights
from lab.evaluation.estimators import Evaluation, PoorOverlap
from lab.evaluation.evaluating import Intentions, Reward, evaluate_on
from lab.evaluation.logs import Log, Logged, logged
from lab.simulation.choosers import InOrder, Production
from lab.simulation.cohort import Chooser, Moment, Schedule, simulate
from lab.simulation.courses import synthetic
from lab.simulation.world import World

SEED = 31
SCHEDULE = Schedule(sessions=2, answers=10)
ESTIMATORS = ("ips", "snips", "doubly_robust")


def policy(name: str, temperature: float, **weights: float) -> Policy:
    return Policy(name, PRACTICE_2.model_version, (Arm("practice", Weights(**weights), temperature),))


EXPLORING = policy("exploring", 0.15, review=0.28, growth=0.28, challenge=0.16, novelty=0.08, goal=0.2)
CHALLENGING = policy("challenging", 0.1, review=0.1, growth=0.2, challenge=0.5, novelty=0.2)


def cohort(world: World, learners: int, number: int, chooser: Chooser, target: Policy | None) -> tuple[Log, float]:
    """Returns a cohort's log and, for a target, the mean true P(right) of what it would have shown."""
    rows: list[Logged] = []
    true: list[float] = []
    intentions = Intentions(world.pool, target) if target else None

    def watch(moment: Moment) -> None:
        rows.extend(logged(moment, chooser.name))
        if intentions:
            step = moment.step
            chances = step.truth.chances(np.broadcast_to(np.arange(len(world.pool.items)), (learners, len(world.pool.items))))
            for state, now, chance in zip(step.states, step.now, chances, strict=True):
                probabilities, _ = intentions.at(state, step.difficulties, now.timestamp())
                true.append(float(probabilities @ chance))

    ids = np.arange(number * learners, (number + 1) * learners)
    simulate(world, "mixed", ids, chooser, SCHEDULE, SEED, watch=watch)
    return Log(world.course, rows), float(np.mean(true)) if true else 0.0


def refusal(log: Log, target: Policy) -> str:
    try:
        evaluate_on(log, target, Reward.CORRECT)
    except PoorOverlap as refused:
        return refused.message
    return "not refused"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--cohorts", type=int, default=100)
    options.add_argument("--learners", type=int, default=40)
    given = options.parse_args()
    world = World.of(synthetic(100, 10), SEED)
    exploring = Production(EXPLORING, "exploring")
    found: list[Evaluation] = []
    truths = []
    for number in range(given.cohorts):
        log, true = cohort(world, given.learners, number, exploring, CHALLENGING)
        truths.append(true)
        found.append(evaluate_on(log, CHALLENGING, Reward.CORRECT, seed=number))
    truth = float(np.mean(truths))
    held = {name: sum(getattr(each, name).lower <= truth <= getattr(each, name).upper for each in found) for name in ESTIMATORS}
    greedy = Production(replace(CHALLENGING, version="greedy", arms=(replace(CHALLENGING.arms[0], temperature=0.005),)), "greedy")
    result = {
        "cohorts": given.cohorts,
        "decisions_each": found[0].decisions,
        "truth": round(truth, 4),
        "logged_policy_earned": round(float(np.mean([each.logged.value for each in found])), 4),
        "intervals_holding_the_truth": held,
        "mean_estimate": {name: round(float(np.mean([getattr(each, name).value for each in found])), 4) for name in ESTIMATORS},
        "mean_width": {
            name: round(float(np.mean([getattr(each, name).upper - getattr(each, name).lower for each in found])), 4)
            for name in ESTIMATORS
        },
        "mean_effective_size": round(float(np.mean([each.effective_size for each in found])), 1),
        "fixed_order_log": refusal(cohort(world, given.learners, 0, InOrder(), None)[0], CHALLENGING),
        "greedy_log": refusal(cohort(world, given.learners, 0, greedy, None)[0], EXPLORING),
    }
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
