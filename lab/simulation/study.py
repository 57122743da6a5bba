"""A study: several policies, each on the same learners, in cohorts that may run in several processes."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized

import numpy as np

from domain.scheduler.model import Publication
from domain.shared.errors import InvalidInput
from lab.simulation.chance import Integers
from lab.simulation.choosers import Oracle
from lab.simulation.cohort import Chooser, Schedule, Trace, simulate
from lab.simulation.courses import synthetic
from lab.simulation.families import FAMILIES
from lab.simulation.world import World

COHORT = 250
"""Learners who practise together: the platform learns its item difficulties from each cohort anew."""
MOST_LEARNERS = 1_000_000
MOST_STEPS = 20_000


@dataclass(frozen=True, slots=True)
class Study:
    """What to simulate. The oracle is always added, because regret is measured against it. Raises InvalidInput naming the field."""

    choosers: tuple[Chooser, ...]
    family: str = "mixed"
    learners: int = 2_000
    seed: int = 7
    course: Publication = field(default_factory=synthetic)
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        names = [each.name for each in self.choosers]
        if not names or len(set(names)) < len(names) or "oracle" in names:
            raise InvalidInput.of(
                "policies", "must name at least one policy, each once, and not the oracle, which is always there"
            )
        if self.family not in FAMILIES:
            raise InvalidInput.of("family", f"must be one of {', '.join(FAMILIES)}")
        if not 1 <= self.learners <= MOST_LEARNERS:
            raise InvalidInput.of("learners", f"must be 1 to {MOST_LEARNERS}")
        if not 0 <= self.seed < 2**32:
            raise InvalidInput.of("seed", "must be 0 to 4294967295")
        if self.schedule.sessions < 1 or self.schedule.answers < 1 or self.schedule.steps > MOST_STEPS:
            raise InvalidInput.of("sessions", f"must give each learner 1 to {MOST_STEPS} answers")

    @property
    def with_oracle(self) -> tuple[Chooser, ...]:
        return (*self.choosers, Oracle())

    @property
    def steps(self) -> int:
        """The answers that will be given."""
        return len(self.with_oracle) * self.learners * self.schedule.steps


def run(study: Study, workers: int = 1, done: Callable[[int], None] | None = None) -> dict[str, Trace]:
    """Returns what each policy's learners left behind. The number of workers changes nothing but the time.

    `done` hears how many answers were given since it last heard.
    """
    world = World.of(study.course, study.seed)
    cohorts = [np.arange(start, min(start + COHORT, study.learners)) for start in range(0, study.learners, COHORT)]
    jobs = [(place, ids) for place in range(len(study.with_oracle)) for ids in cohorts]
    workers = min(workers, len(jobs))
    traces = _in_processes(study, world, jobs, workers, done) if workers > 1 else [_job(study, world, *job, done) for job in jobs]
    return {
        chooser.name: _joined(traces[place * len(cohorts) : (place + 1) * len(cohorts)])
        for place, chooser in enumerate(study.with_oracle)
    }


def _job(study: Study, world: World, place: int, ids: Integers, done: Callable[[int], None] | None) -> Trace:
    return simulate(world, study.family, ids, study.with_oracle[place], study.schedule, study.seed, done=done)


def _in_processes(
    study: Study, world: World, jobs: Sequence[tuple[int, Integers]], workers: int, done: Callable[[int], None] | None
) -> list[Trace]:
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    heard = 0
    with ProcessPoolExecutor(workers, context, _begin_worker, (study, world, counter)) as pool:
        pending = futures = [pool.submit(_job_in_worker, *job) for job in jobs]
        while pending:
            finished, rest = wait(pending, timeout=0.25)
            pending = list(rest)
            for each in finished:
                each.result()  # an error ends it all at once
            if done:
                done(counter.value - heard)
                heard = counter.value
        return [each.result() for each in futures]


_worker: tuple[Study, World, "Synchronized[int]"]


def _begin_worker(study: Study, world: World, counter: "Synchronized[int]") -> None:
    global _worker
    _worker = study, world, counter


def _job_in_worker(place: int, ids: Integers) -> Trace:
    study, world, counter = _worker

    def done(count: int) -> None:
        with counter.get_lock():
            counter.value += count

    return _job(study, world, place, ids, done)


def available_workers() -> int:
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _joined(traces: Sequence[Trace]) -> Trace:
    """Returns the cohorts of one policy as one."""
    return Trace(
        ids=np.concatenate([each.ids for each in traces]),
        mastered=np.concatenate([each.mastered for each in traces], axis=1),
        exam=np.concatenate([each.exam for each in traces]),
        predicted=np.concatenate([each.predicted for each in traces], axis=1),
        right=np.concatenate([each.right for each in traces], axis=1),
        shown=np.concatenate([each.shown for each in traces]),
        intervals=np.concatenate([each.intervals for each in traces]),
    )
