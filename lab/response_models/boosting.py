"""Trains boosted trees by scikit-learn and takes them out as arrays. scikit-learn is imported when it is used."""

from typing import Any, Final

import numpy as np

from domain.inference.features import FEATURES, RISING
from domain.inference.trees import LEAF, Trees
from lab.response_models.dataset import INNER_FOLDS, Rows
from lab.response_models.extra import extra

_SETTINGS: Final[dict[str, Any]] = {
    "learning_rate": 0.06,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
    "max_features": 0.5,
}
_MOST_TREES: Final = 400
_PATIENCE: Final = 20
"""Trees after which the growing ends if none of them has predicted the held-out learners better."""


def fit_boosting(rows: Rows, seed: int) -> Trees:
    """Returns boosted trees. How many is found on a fifth of the learners; then all are used to grow so many."""
    held_out = rows.learner % INNER_FOLDS == 0
    seen, judged = rows.only(~held_out), rows.only(held_out)
    # In one thread the sums are added up in one order, and threads that wait for each other on a busy machine take longer than one.
    with extra("threadpoolctl", "boosting").threadpool_limits(1):
        count = 100
        if len(judged.correct) and len(set(seen.correct.tolist())) == 2:
            tried = _classifier(seed, _MOST_TREES, early_stopping=True, n_iter_no_change=_PATIENCE, tol=0.0)
            tried.fit(seen.features, seen.correct, X_val=judged.features, y_val=judged.correct)
            count = max(int(np.argmax(tried.validation_score_)), 1)
        return trees_of(_classifier(seed, count, early_stopping=False).fit(rows.features, rows.correct))


def trees_of(fitted: Any) -> Trees:
    """Returns the trees of a fitted HistGradientBoostingClassifier of two classes and finite features."""
    grown = [each.nodes for (each,) in fitted._predictors]
    roots = np.cumsum([0, *map(len, grown)])
    nodes = np.concatenate(grown)
    begin = np.repeat(roots[:-1], np.diff(roots))
    leaf = nodes["is_leaf"].astype(bool)
    return Trees(
        feature=np.where(leaf, LEAF, nodes["feature_idx"]).astype(np.int32),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
        left=np.where(leaf, 0, nodes["left"] + begin).astype(np.int32),
        right=np.where(leaf, 0, nodes["right"] + begin).astype(np.int32),
        value=np.where(leaf, nodes["value"], 0.0),
        roots=roots[:-1].astype(np.int32),
        baseline=float(np.ravel(fitted._baseline_prediction)[0]),
    )


def _classifier(seed: int, trees: int, **options: Any) -> Any:
    ensemble = extra("sklearn.ensemble", "boosting")
    rising = [int(name in RISING) for name in FEATURES]
    return ensemble.HistGradientBoostingClassifier(
        max_iter=trees, monotonic_cst=rising, random_state=seed, **_SETTINGS, **options
    )
