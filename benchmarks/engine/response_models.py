"""How well trained response models predict learners whom they were not trained on, beside the platform's own predictor.

    python benchmarks/engine/response_models.py [FILE...] [--kind logistic --kind boosting --kind dkt] [--folds 5] [--seed 1]

Without files, those of PAIDEIA_TEST_DATA. Five-fold cross-validation over learners, never over rows: every answer is predicted once, from
the learner's earlier answers, by a model that was trained on four fifths of the other learners. The platform's predictor is given the same
four fifths first. Prints JSON: for each file and predictor AUC, log-loss (nats), calibration error, and how many seconds training took in
all folds.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from lab.fitting.measures import quality_of
from lab.response_models.dataset import correct_of, learner_logs, predictions
from lab.response_models.live import LIVE, live_predictions
from lab.response_models.study import fit
from lab.responses import read_responses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--kind", action="append", choices=("logistic", "boosting", "dkt"))
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    files = options.files or sorted(Path(os.environ.get("PAIDEIA_TEST_DATA", "../shared/data")).glob("*.csv"))
    if not files:
        parser.error("no response logs: name some, or set PAIDEIA_TEST_DATA")
    kinds = options.kind or ["logistic", "boosting", "dkt"]
    print(json.dumps({each.name: judged(each, kinds, options.folds, options.seed) for each in files}, indent=2))


def judged(file: Path, kinds: list[str], folds: int, seed: int) -> dict[str, object]:
    """Returns what is printed of one file."""
    log = read_responses(file)
    logs = learner_logs(log)
    fold = np.random.default_rng(seed).permutation(len(logs)) % folds
    predicted: dict[str, list[np.ndarray]] = {name: [] for name in (LIVE, *kinds)}
    seconds = dict.fromkeys(kinds, 0.0)
    correct = []
    for number in range(folds):
        seen = [each for each, own in zip(logs, fold, strict=True) if own != number]
        unseen = [each for each, own in zip(logs, fold, strict=True) if own == number]
        correct.append(correct_of(unseen))
        predicted[LIVE].append(live_predictions(seen, unseen))
        for kind in kinds:
            began = perf_counter()
            model = fit(seen, kind, log.occurred_at is not None, seed)
            seconds[kind] += perf_counter() - began
            predicted[kind].append(predictions(model, unseen))
        print(f"{file.name}: {number + 1} of {folds} folds", file=sys.stderr)
    truth = np.concatenate(correct)
    return {
        "learners": len(logs),
        "answers": len(truth),
        "predictors": {
            name: quality_of(np.concatenate(parts), truth).document()
            | ({"training_seconds": round(seconds[name], 1)} if name in seconds else {})
            for name, parts in predicted.items()
        },
    }


if __name__ == "__main__":
    main()
