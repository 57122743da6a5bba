"""How the constants of the online response model were chosen, and what each is worth. Prints a table; takes some minutes.

    python benchmarks/studies/response_model.py --data DIRECTORY

Each log is streamed, everything unknown at the start, and judged by the mean log-loss (1/1000 nat) of the predictions made before the
answers of the later half of its learners. The logs are

    fraction, ecpe  the FIRST half of the learners of DIRECTORY/fraction.csv and ecpe.csv (the second half is left for
                    tests/unit/psychometrics/test_prediction_quality.py), with 32 learners at a time
    the others      simulated: many items with few answers each, few items, abilities that grow, several skills an item, slopes
                    and difficulties far apart, and 600 items with nothing changing; judged against the true probabilities

The first row holds the loss with the model's constants; each other row how much it changes with one of them halved or doubled. The
constants stand where no change gains much on any log without losing as much on another.
"""

import argparse
import csv
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log
from pathlib import Path
from statistics import mean

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from domain.psychometrics.response_model import Constants, Gaussian, ItemEvidence, ResponseModel

VARIED = ("ability_variance", "deviation_variance", "slope_variance", "intercept_mean", "intercept_variance", "drift", "settling")


@dataclass(frozen=True, slots=True)
class Row:
    """An answer; `chance` is P(correct) if it is known, else 0 or 1 as it was answered."""

    learner: str
    item: str
    skills: tuple[str, ...]
    correct: bool
    chance: float


@dataclass(frozen=True, slots=True)
class World:
    """What to simulate: `level` is the mean ability over the mean difficulty, `growth` what an ability gains on average."""

    items: int
    learners: int
    answers: int
    ability: float = 1.0
    difficulties: float = 1.0
    slopes: float = 0.2
    level: float = 0.5
    skills: int = 6
    most_skills: int = 2
    deviation: float = 0.3
    growth: float = 0.0

    def rows(self, seed: int) -> Iterator[Row]:
        chance = np.random.default_rng(seed)
        slopes = np.exp(chance.normal(0, self.slopes, self.items))
        difficulties = chance.normal(-self.level, self.difficulties, self.items)
        skills = [
            chance.choice(self.skills, chance.integers(1, self.most_skills + 1), replace=False).tolist()
            for _ in range(self.items)
        ]
        for learner in range(self.learners):
            ability, deviations = chance.normal(0, self.ability), chance.normal(0, self.deviation, self.skills)
            pace = self.growth * chance.uniform(0, 2) / self.answers
            for item in chance.permutation(self.items)[: self.answers].tolist():
                logit = slopes[item] * (ability + deviations[skills[item]].sum() - difficulties[item])
                right = float(1 / (1 + np.exp(-logit)))
                yield Row(str(learner), str(item), tuple(map(str, skills[item])), bool(chance.random() < right), right)
                ability += pace + (chance.normal(0, 0.05) if self.growth else 0)


WORLDS = {
    "many items": World(2000, 1000, 20),
    "few items": World(15, 2000, 15, slopes=0.3),
    "growth": World(100, 400, 100, level=-0.5, growth=1.5),
    "skills": World(40, 800, 40, ability=0.9, slopes=0.25, skills=8, most_skills=3, deviation=0.7),
    "spread": World(100, 700, 50, ability=1.2, difficulties=1.5, slopes=0.45),
    "stationary": World(600, 500, 100),
}


def first_half(path: Path) -> list[Row]:
    with path.open() as file:
        told = list(csv.DictReader(file))
    learners = list(dict.fromkeys(each["learner"] for each in told))
    kept = set(learners[: len(learners) // 2])
    return [
        Row(each["learner"], each["item"], tuple(each["skills"].split(";")), each["correct"] == "1", float(each["correct"]))
        for each in told
        if each["learner"] in kept
    ]


def interleaved(rows: Sequence[Row], learners: int = 32) -> Iterator[Row]:
    """The same rows with so many learners answering at a time, each in their own order."""
    chance = random.Random(0)
    by_learner: dict[str, list[Row]] = {}
    for row in rows:
        by_learner.setdefault(row.learner, []).append(row)
    waiting = iter([iter(each) for each in by_learner.values()])
    active = list(islice(waiting, learners))
    while active:
        place = chance.randrange(len(active))
        if answer := next(active[place], None):
            yield answer
        elif following := next(waiting, None):
            active[place] = following
        else:
            del active[place]


def loss(rows: Sequence[Row], model: ResponseModel) -> float:
    """Returns the mean log-loss, in 1/1000 nat, over the later half of the learners."""
    learners = list(dict.fromkeys(row.learner for row in rows))
    judged = set(learners[len(learners) // 2 :])
    abilities: dict[str, Gaussian] = {}
    deviations: dict[tuple[str, str], Gaussian] = {}
    items: dict[str, ItemEvidence] = {}
    losses = []
    for row in rows:
        keys = [(row.learner, each) for each in row.skills]
        evidence = items.get(row.item, ItemEvidence())
        told = [deviations.get(each, model.new_deviation) for each in keys]
        lesson = model.learn(abilities.get(row.learner, model.new_ability), told, evidence, row.correct)
        abilities[row.learner] = lesson.ability
        deviations.update(zip(keys, lesson.deviations, strict=True))
        items[row.item] = evidence + lesson.evidence
        if row.learner in judged:
            losses.append(-row.chance * log(lesson.predicted) - (1 - row.chance) * log(1 - lesson.predicted))
    return 1000 * mean(losses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logs = {name: list(interleaved(first_half(options.data / f"{name}.csv"))) for name in ("fraction", "ecpe")}
    logs |= {name: list(interleaved(list(world.rows(options.seed)))) for name, world in WORLDS.items()}

    def losses(constants: Constants) -> list[float]:
        return [loss(each, ResponseModel(constants)) for each in logs.values()]

    print(f"{'':26}" + "".join(f"{each:>11}" for each in (*logs, "mean")))
    chosen = losses(Constants())
    print(f"{'the constants':26}" + "".join(f"{each:11.1f}" for each in (*chosen, mean(chosen))))
    for name in VARIED:
        for factor in (0.5, 2.0):
            varied = Constants()._replace(**{name: getattr(Constants(), name) * factor})
            changes = [one - other for one, other in zip(losses(varied), chosen, strict=True)]
            print(f"{f'{name} x {factor}':26}" + "".join(f"{each:+11.1f}" for each in (*changes, mean(changes))), flush=True)


if __name__ == "__main__":
    main()
