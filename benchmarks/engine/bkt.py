"""Knowledge tracing: fitting all skills at once and the update of one answer, against pyBKT.

Usage: python benchmarks/engine/bkt.py [--rounds 5] [--rival-skills 6 | --full] [--no-rival]

The data are simulated with a seed: 133 skills, 170,000 answers of learners to fit, and a quarter as many of other learners to predict. Ours
fits all of it. pyBKT (the wheel, pure Python, its defaults: five starts, no forgetting) fits the first skills of it, all with --full, and
both are compared on those: seconds, and AUC on the same unseen learners. Prints JSON; times are medians over the rounds, pyBKT's a single run.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from domain.psychometrics.bkt_classic import SkillParameters, observe
from domain.psychometrics.bkt_fit import Answers, fit, log_likelihood, predicted_each
from lab.fitting.measures import quality_of
from lab.fitting.simulated import SimulatedResponses, simulated_parameters, simulated_responses

SKILLS, ANSWERS, LEARNERS = 133, 170_000, 2000
TARGET_SECONDS, TARGET_UPDATE = 1.0, 2.0


def seconds(action: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def first_skills(data: SimulatedResponses, count: int) -> SimulatedResponses:
    chosen = data.skills < count
    return SimulatedResponses(
        data.lengths[chosen], data.learners[chosen], data.skills[chosen], data.correct[np.repeat(chosen, data.lengths)]
    )


def laid_out(data: SimulatedResponses, count: int) -> Answers:
    return Answers.of(data.lengths, data.skills, data.correct, count)


def update_microseconds(rounds: int) -> float:
    of = simulated_parameters(1, 1).of(0)
    chance = random.Random(1)
    answers = [chance.random() < 0.7 for _ in range(100_000)]

    def run() -> None:
        mastery = of.prior
        for right in answers:
            mastery = observe(of, mastery, right)

    return seconds(run, rounds) / len(answers) * 1e6


def rival(train: SimulatedResponses, test: SimulatedResponses, count: int) -> dict[str, Any]:
    """Fits each skill as `pyBKT.models.Model.fit` does by default: five random starts, the likeliest wins. (That class itself cannot be
    imported beside the installed scikit-learn.) What its parameters predict is computed by ours: the likelihoods agree, as the tests show."""
    from pyBKT.fit import EM_fit
    from pyBKT.generate.random_model_uni import random_model_uni

    step = EM_fit.run

    def run(*arguments: object, **named: object) -> dict[str, Any]:
        result: dict[str, Any] = step(*arguments, **named)
        return result | {"total_loglike": result["total_loglike"].item()}

    EM_fit.run = run  # numpy 2.4 takes no (1, 1) array for a number, which pyBKT gives it
    rng = np.random.RandomState(42)
    begins = np.cumsum(train.lengths) - train.lengths
    found = np.zeros((5, count))
    start = time.perf_counter()
    for skill in range(count):
        chains = np.flatnonzero(train.skills == skill)
        lengths = train.lengths[chains]
        answers = np.concatenate([train.correct[begins[each] : begins[each] + train.lengths[each]] for each in chains])
        data = {
            "data": answers[None].astype(np.int32) + 1,
            "starts": np.cumsum(lengths) - lengths + 1,
            "lengths": lengths,
            "resources": np.ones(len(answers), dtype=np.int64),
        }
        fits = [EM_fit.EM_fit(random_model_uni(1, 1, rand=rng), data, parallel=False) for _ in range(5)]
        model, _ = max(fits, key=lambda each: each[1][-1])
        found[:, skill] = [
            model["pi_0"][1][0],
            model["As"][0, 1, 0],
            np.ravel(model["guesses"])[0],
            np.ravel(model["slips"])[0],
            model["As"][0, 0, 1],
        ]
    taken = time.perf_counter() - start
    inside = SkillParameters(*np.clip(found, 1e-9, 1 - 1e-9))
    quality = quality_of(predicted_each(laid_out(test, count), inside), test.correct)
    return {"version": metadata.version("pyBKT"), "seconds": round(taken, 2), "auc": quality.auc, "log_loss": quality.log_loss}


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--rival-skills", type=int, default=6)
    options.add_argument("--full", action="store_true")
    options.add_argument("--no-rival", action="store_true")
    chosen = options.parse_args()

    truth = simulated_parameters(SKILLS, 7)
    train = simulated_responses(ANSWERS, truth, LEARNERS, 8)
    test = simulated_responses(ANSWERS // 4, truth, LEARNERS // 4, 9)
    answers, unseen = laid_out(train, SKILLS), laid_out(test, SKILLS)
    whole = seconds(lambda: fit(laid_out(train, SKILLS)), chosen.rounds)
    found = fit(answers)
    fitted, ideal = (quality_of(predicted_each(unseen, each), test.correct) for each in (found.parameters, truth))
    update = update_microseconds(chosen.rounds)
    report: dict[str, Any] = {
        "data": {
            "simulated": True,
            "skills": SKILLS,
            "answers": len(train.correct),
            "chains": len(train.lengths),
            "longest": int(train.lengths.max()),
            "unseen_answers": len(test.correct),
        },
        "fit": {
            "seconds": round(whole, 3),
            "target_seconds": TARGET_SECONDS,
            "reached": whole <= TARGET_SECONDS,
            "cycles": found.cycles,
            "converged_skills": int(found.converged.sum()),
            "log_likelihood": round(float(found.log_likelihood.sum()), 1),
            "log_likelihood_of_true_parameters": round(float(log_likelihood(answers, truth).sum()), 1),
            "unseen_auc": round(fitted.auc, 5),
            "unseen_auc_of_true_parameters": round(ideal.auc, 5),
        },
        "update": {"microseconds": round(update, 3), "target_microseconds": TARGET_UPDATE, "reached": update <= TARGET_UPDATE},
    }
    if not chosen.no_rival:
        count = SKILLS if chosen.full else chosen.rival_skills
        part, part_unseen = first_skills(train, count), first_skills(test, count)
        ours = seconds(lambda: fit(laid_out(part, count)), chosen.rounds)
        quality = quality_of(
            predicted_each(laid_out(part_unseen, count), fit(laid_out(part, count)).parameters), part_unseen.correct
        )
        theirs = rival(part, part_unseen, count)
        report["pybkt"] = {
            **theirs,
            "skills": count,
            "answers": len(part.correct),
            "ours_seconds": round(ours, 4),
            "ratio": round(theirs["seconds"] / ours, 1),
            "ours_auc": quality.auc,
            "ours_log_loss": quality.log_loss,
            "auc_at_least_equal": quality.auc >= theirs["auc"] - 1e-4,
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
