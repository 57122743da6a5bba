"""Boosted trees as arrays: prediction needs nothing but them."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.inference.response_model import Floats

Integers: TypeAlias = NDArray[np.int32]

LEAF: Final = -1
_ROWS_AT_ONCE: Final = 2_000


@dataclass(frozen=True)
class Trees:
    """The nodes of all trees, one tree after another; the log-odds of a row are the baseline and the value of one leaf of each tree.

    At a node with a `feature` (LEAF at a leaf) a row goes left if it has at most the threshold there, else right. `left` and `right` are
    places in the same arrays (nodes,); `roots` (trees,) is where each tree begins.
    """

    feature: Integers
    threshold: Floats
    left: Integers
    right: Integers
    value: Floats
    roots: Integers
    baseline: float

    def __call__(self, features: Floats) -> Floats:
        parts = [self._scored(features[at : at + _ROWS_AT_ONCE]) for at in range(0, len(features), _ROWS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.empty(0)

    def fault(self, features: int) -> str:
        """Returns why these cannot be trees over so many features, empty if they can. Every branch leads further on in the arrays, so that
        no walk goes round in circles."""
        nodes = len(self.feature)
        place = np.arange(nodes)
        inner = self.feature != LEAF
        if not nodes or not len(self.roots) or ((self.roots < 0) | (self.roots >= nodes)).any():
            return "a tree begins outside the nodes"
        if ((self.feature < LEAF) | (self.feature >= features)).any():
            return "a node asks for a feature that there is not"
        for branch in (self.left, self.right):
            if (inner & ((branch <= place) | (branch >= nodes))).any():
                return "a branch does not lead on to a later node"
        return ""

    def _scored(self, features: Floats) -> Floats:
        rows = np.arange(len(features))[:, None]
        node = np.broadcast_to(self.roots, (len(features), len(self.roots)))
        while (inner := (feature := self.feature[node]) != LEAF).any():
            goes_left = features[rows, np.where(inner, feature, 0)] <= self.threshold[node]
            node = np.where(inner, np.where(goes_left, self.left[node], self.right[node]), node)
        return np.asarray(self.value[node].sum(axis=1) + self.baseline)
