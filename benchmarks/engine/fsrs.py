"""Review scheduling and the fit of FSRS-6, against py-fsrs.

Usage: python benchmarks/engine/fsrs.py [--rounds 5]

Both schedule the same 24,440 simulated reviews, py-fsrs one by one, ours one by one and in batch (review number by review number), and every
interval is compared. Then the 21 weights are fitted to the reviews, which were simulated with known ones; the log-loss is also taken on as
many reviews of other memories. py-fsrs's optimizer needs torch: where there is none, the JSON says so. Prints JSON; medians over the rounds.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

sys.path.pop(0)  # this directory, whose file fsrs.py would be taken for py-fsrs
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from fsrs import Card, Rating, ReviewLog, Scheduler

from domain.psychometrics import fsrs
from domain.psychometrics.fsrs import DEFAULT_WEIGHTS, Fsrs
from domain.psychometrics.fsrs_batch import Memories, first_each, interval_each, next_each
from domain.psychometrics.fsrs_fit import fit
from domain.psychometrics.fsrs_likelihood import Reviews, loss_and_gradient
from domain.psychometrics.sequences import Steps
from lab.fitting.simulated import SimulatedReviews, different_weights, simulated_reviews

REVIEWS, SEED = 24_440, 3
TARGET_REVIEW, TARGET_FIT = 2.0, 1.0
BEGINNING = datetime(2000, 1, 1, 9, tzinfo=UTC)


def timed(action: Callable[[], object], rounds: int) -> tuple[float, object]:
    taken, result = [], None
    for _ in range(rounds):
        start = time.perf_counter()
        result = action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), result


def by_py_fsrs(data: SimulatedReviews, histories: list[list[tuple[Rating, datetime]]]) -> list[int]:
    scheduler = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    intervals = []
    for number, history in enumerate(histories):
        card = Card(card_id=number)
        for rating, moment in history:
            card, _ = scheduler.review_card(card, rating, moment)
            intervals.append((card.due - moment).days)
    return intervals


def one_by_one(data: SimulatedReviews, histories: list[list[tuple[fsrs.Rating, int]]]) -> list[int]:
    model = Fsrs()
    intervals = []
    for history in histories:
        memory = model.first(history[0][0])
        intervals.append(model.interval(memory))
        for rating, elapsed in history[1:]:
            memory = model.next(memory, rating, elapsed)
            intervals.append(model.interval(memory))
    return intervals


def in_batch(data: SimulatedReviews) -> list[int]:
    model, steps = Fsrs(), Steps.of(data.lengths)
    rating, elapsed = data.ratings[steps.place], data.elapsed_days[steps.place]
    intervals = np.empty(len(rating), dtype=np.int64)
    first = slice(0, steps.begins[1])
    memories = first_each(model, rating[first])
    intervals[steps.place[first]] = interval_each(model, memories)
    for here, _ in steps.forward():
        going = here.stop - here.start
        memories = next_each(model, Memories(*(each[:going] for each in memories)), rating[here], elapsed[here])
        intervals[steps.place[here]] = interval_each(model, memories)
    return intervals.tolist()


def split(data: SimulatedReviews) -> list[list[tuple[int, int]]]:
    rows = list(zip(data.ratings.tolist(), data.elapsed_days.tolist(), strict=True))
    ends = np.cumsum(data.lengths).tolist()
    return [rows[end - length : end] for end, length in zip(ends, data.lengths.tolist(), strict=True)]


def moments(history: list[tuple[int, int]]) -> list[tuple[Rating, datetime]]:
    passed, day = [], 0
    for number, (rating, elapsed) in enumerate(history):
        day += elapsed if number else 0
        passed.append((Rating(rating), BEGINNING + timedelta(days=day)))
    return passed


def optimizer(dated: list[list[tuple[Rating, datetime]]], score: Callable[[list[float]], dict[str, float]]) -> dict[str, object]:
    if importlib.util.find_spec("torch") is None:
        return {"ran": False, "why": "torch is not installed, which py-fsrs's optimizer needs"}
    from fsrs import Optimizer

    logs = [ReviewLog(number, rating, moment, None) for number, each in enumerate(dated) for rating, moment in each]
    taken, weights = timed(lambda: Optimizer(logs).compute_optimal_parameters(), 1)
    return {"ran": True, "seconds": round(taken, 1), **score(list(weights))}  # type: ignore[call-overload]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds

    truth = different_weights(SEED)
    data, other = (simulated_reviews(REVIEWS, truth, seed) for seed in (SEED + 1, SEED + 2))
    histories = split(data)
    dated = [moments(each) for each in histories]
    rated = [[(fsrs.Rating(rating), elapsed) for rating, elapsed in each] for each in histories]
    theirs, expected = timed(lambda: by_py_fsrs(data, dated), 3)
    alone, scalar = timed(lambda: one_by_one(data, rated), rounds)
    together, batch = timed(lambda: in_batch(data), rounds)
    differing = sum(one != other for one, other in zip(expected, batch, strict=True))  # type: ignore[call-overload]

    reviews, unseen = (Reviews.of(each.lengths, each.ratings, each.elapsed_days) for each in (data, other))

    def score(weights: list[float]) -> dict[str, float]:
        return {
            name: round(loss_and_gradient(each, np.array(weights))[0] / each.trials, 6)
            for name, each in (("log_loss", reviews), ("unseen_log_loss", unseen))
        }

    taken, _ = timed(lambda: fit(Reviews.of(data.lengths, data.ratings, data.elapsed_days)), rounds)
    found = fit(reviews)
    per_review = together / REVIEWS * 1e6
    print(
        json.dumps(
            {
                "data": {
                    "simulated": True,
                    "reviews": REVIEWS,
                    "memories": len(data.lengths),
                    "longest": int(data.lengths.max()),
                },
                "scheduling": {
                    "py_fsrs": metadata.version("fsrs"),
                    "py_fsrs_microseconds": round(theirs / REVIEWS * 1e6, 2),
                    "one_by_one_microseconds": round(alone / REVIEWS * 1e6, 2),
                    "batch_microseconds": round(per_review, 3),
                    "target_batch_microseconds": TARGET_REVIEW,
                    "reached": per_review <= TARGET_REVIEW and not differing,
                    "ratio": round(theirs / together, 1),
                    "differing_intervals": differing,
                    "one_by_one_as_batch": scalar == batch,
                },
                "fit": {
                    "trials": reviews.trials,
                    "seconds": round(taken, 3),
                    "target_seconds": TARGET_FIT,
                    "reached": taken <= TARGET_FIT,
                    "iterations": found.iterations,
                    **score(list(found.weights)),
                    "true_weights": score(list(truth)),
                    "default_weights": score(list(DEFAULT_WEIGHTS)),
                    "py_fsrs_optimizer": optimizer(dated, score),
                },
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
