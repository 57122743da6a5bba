"""How many learner-steps a minute the simulator makes on a course of 500 items, with the production code deciding and keeping mastery.

    python benchmarks/engine/simulation.py [--learners 250] [--steps 60] [--rounds 3]

Prints JSON. A learner-step is one decision, one answer, and all that follows from it: mastery, item difficulties, the scheduler's state,
the learner's true state and the ideal observer's belief. Rates are of processor time on one core, medians over the rounds; the
parts are measured in a round of their own. `identical_bytes` compares the written documents of two runs, one of them in two processes.
"""

import argparse
import json
import statistics
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from lab.simulation import choosers, cohort
from lab.simulation.choosers import InOrder, Production
from lab.simulation.cohort import Schedule, simulate
from lab.simulation.courses import synthetic
from lab.simulation.html import report
from lab.simulation.naming import LIVE
from lab.simulation.outcomes import outcomes
from lab.simulation.study import Study, run
from lab.simulation.world import World

TO_REACH = 300_000


def seconds(world: World, learners: int, schedule: Schedule) -> float:
    start = process_time()
    simulate(world, "mixed", np.arange(learners), Production(LIVE, "live"), schedule, 7)
    return process_time() - start


def parts(world: World, learners: int, schedule: Schedule) -> dict[str, float]:
    """Returns the microseconds of a step that go into decisions, mastery and the scheduler's states; the clock itself costs some."""
    spent: Counter[str] = Counter()

    def clocked(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            start = process_time()
            done = act(*arguments)
            spent[name] += process_time() - start
            return done

        return timed

    kept = choosers.decide_together, cohort.Workbook.count, cohort.LearnerState.after
    choosers.decide_together = clocked("decide", kept[0])
    cohort.Workbook.count = clocked("mastery", kept[1])  # type: ignore[method-assign]
    cohort.LearnerState.after = clocked("scheduler_state", kept[2])  # type: ignore[method-assign]
    total = seconds(world, learners, schedule)
    choosers.decide_together, cohort.Workbook.count, cohort.LearnerState.after = kept  # type: ignore[method-assign]
    steps = learners * schedule.steps / 1e6
    return {name: round(each / steps, 1) for name, each in spent.items()} | {
        "rest": round((total - sum(spent.values())) / steps, 1)
    }


def document(workers: int) -> str:
    study = Study((Production(LIVE, "live"), InOrder()), learners=300, schedule=Schedule(2, 5))
    traces = run(study, workers)
    found = outcomes(study, traces)
    return json.dumps(found) + report(found, traces)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--learners", type=int, default=250)
    options.add_argument("--steps", type=int, default=60)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    world = World.of(synthetic(500, 50), 7)
    schedule = Schedule(max(1, given.steps // 20), min(20, given.steps))
    seconds(world, 20, schedule)  # warms up
    taken = [seconds(world, given.learners, schedule) for _ in range(given.rounds)]
    rate = given.learners * schedule.steps * 60 / statistics.median(taken)
    result = {
        "items": len(world.pool.items),
        "learner_steps_a_minute_a_core": round(rate),
        "to_reach": TO_REACH,
        "ratio": round(rate / TO_REACH, 3),
        "microseconds_a_step": round(60e6 / rate, 1),
        "cpu_seconds_of_each_round": [round(each, 2) for each in taken],
        "of_which": parts(world, given.learners, schedule),
        "identical_bytes": document(1) == document(2),
    }
    json.dump(result, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
