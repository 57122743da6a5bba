"""Deep knowledge tracing (Piech and others 2015): a recurrent network reads the learner's answers and predicts the next one.

Unlike the original it knows items, not only skills: an item is the sum of a vector of its own and the mean of its skills', and has a bias.
The network is a long short-term memory (Hochreiter and Schmidhuber 1997) and is trained elsewhere; to predict takes some small matrix
products, done here. Place 0 of items and of skills stands for whatever was not there in training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from domain.inference.feature_model import probabilities
from domain.inference.features import ITEM, LATELY, PRACTICE
from domain.inference.history import NEWEST, Answered, History
from domain.inference.item_table import ItemTable
from domain.inference.response_model import Candidate, Explanation, Factor, Floats, ResponseModel, shapley
from domain.inference.words import count, item_fact

PARTS: Final = (PRACTICE, LATELY, ITEM)


@dataclass(frozen=True)
class Network:
    """The weights: D is the length of a vector, H that of the memory, K that of the hidden layer which joins memory and candidate.

    `item_vectors` (items + 1, D) and `item_biases` (items + 1,), the same for skills; `input` (4H, 2D + 1), `recurrent` (4H, H) and `bias`
    (4H,) of the gates in the order input, forget, cell, output; `memory` (K, H), `candidate` (K, D), `hidden` (K,), `output` (K,), `middle` ().
    """

    item_vectors: Floats
    item_biases: Floats
    skill_vectors: Floats
    skill_biases: Floats
    input: Floats
    recurrent: Floats
    bias: Floats
    memory: Floats
    candidate: Floats
    hidden: Floats
    output: Floats
    middle: float

    def states(self, inputs: Floats) -> Floats:
        """Returns the memory (learners, steps + 1, H) before and after each of the inputs (learners, steps, 2D + 1)."""
        learners, steps, _ = inputs.shape
        size = self.recurrent.shape[1]
        states, cell = np.zeros((learners, steps + 1, size)), np.zeros((learners, size))
        told = inputs @ self.input.T + self.bias
        for step in range(steps):
            gates = told[:, step] + states[:, step] @ self.recurrent.T
            let_in, keep, new, let_out = (gates[:, size * each : size * (each + 1)] for each in range(4))
            cell = _squashed(keep) * cell + _squashed(let_in) * np.tanh(new)
            states[:, step + 1] = _squashed(let_out) * np.tanh(cell)
        return states

    def log_odds(self, memories: Floats, vectors: Floats, biases: Floats) -> Floats:
        """Returns the log-odds (learners, items) of right answers to items with these vectors (items, D) and biases (items,)."""
        joined = np.tanh((memories @ self.memory.T)[:, None] + (vectors @ self.candidate.T)[None] + self.hidden)
        return np.asarray(joined @ self.output + self.middle + biases)


class DktModel(ResponseModel):
    """A trained network with the items and skills that it knows."""

    def __init__(self, table: ItemTable, network: Network) -> None:
        self.table: Final = table
        self.network: Final = network
        self._items: Mapping[str, int] = {name: place for place, name in enumerate(table.items, 1)}
        self._skills: Mapping[str, int] = {name: place for place, name in enumerate(table.skills, 1)}

    @property
    def kind(self) -> str:
        return "dkt"

    def knows(self, item: str) -> bool:
        return item in self._items

    def predict(self, histories: Sequence[History], items: Sequence[Candidate], at: float | None) -> Floats:
        vectors, biases = self._looked_up([(each.item, self.table.skills_of(*each)) for each in items])
        return probabilities(self.network.log_odds(self._memories(histories), vectors, biases))

    def predict_each(self, answers: History) -> Floats:
        """Returns P(correct) (n,) of every answer, each from those before it."""
        vectors, biases, inputs = self._read(answers)
        before = self.network.states(inputs[None])[0, :-1]
        joined = np.tanh(before @ self.network.memory.T + vectors @ self.network.candidate.T + self.network.hidden)
        return probabilities(joined @ self.network.output + self.network.middle + biases)

    def explain(self, history: History, item: Candidate, at: float | None) -> Explanation:
        skills = set(self.table.skills_of(*item))
        newest = history[-NEWEST:]
        same = [not skills.isdisjoint(self.table.skills_of(each.item, each.skills)) for each in newest]

        def values(subsets: Sequence[frozenset[str]]) -> Floats:
            histories = [
                [each for each, on_skills in zip(newest, same, strict=True) if (PRACTICE if on_skills else LATELY) in subset]
                for subset in subsets
            ]
            known, unknown = self.predict(histories, [item, Candidate("")], at).T
            return np.asarray(np.where([ITEM in subset for subset in subsets], known, unknown))

        base, whole, effects = shapley(PARTS, values)
        facts = (
            _answers([each for each, on_skills in zip(newest, same, strict=True) if on_skills], "to the item's skills"),
            _answers([each for each, on_skills in zip(newest, same, strict=True) if not on_skills], "to other skills"),
            item_fact(self.table.item(item.item)),
        )
        factors = [Factor(*each) for each in zip(PARTS, facts, effects, strict=True)]
        return Explanation(whole, base, tuple(sorted(factors, key=lambda each: -abs(each.effect))))

    def _memories(self, histories: Sequence[History]) -> Floats:
        newest = [each[-NEWEST:] for each in histories]
        steps = max(map(len, newest), default=0)
        inputs = np.zeros((len(newest), steps, 2 * self.network.item_vectors.shape[1] + 1))
        for row, history in enumerate(newest):
            inputs[row, : len(history)] = self._read(history)[2]
        memories: Floats = self.network.states(inputs)[np.arange(len(newest)), list(map(len, newest))]
        return memories

    def _read(self, answers: History) -> tuple[Floats, Floats, Floats]:
        """Returns the vectors and biases of what was answered, and what the network reads of it."""
        vectors, biases = self._looked_up([(each.item, self.table.skills_of(each.item, each.skills)) for each in answers])
        return vectors, biases, inputs_of(vectors, np.array([each.correct for each in answers], dtype=float))

    def _looked_up(self, items: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[Floats, Floats]:
        """Returns vectors (items, D) and biases (items,)."""
        net = self.network
        vectors, biases = np.empty((len(items), net.item_vectors.shape[1])), np.empty(len(items))
        for row, (item, skills) in enumerate(items):
            own = self._items.get(item, 0)
            places = [self._skills.get(each, 0) for each in skills] or [0]
            vectors[row] = net.item_vectors[own] + net.skill_vectors[places].mean(axis=0)
            biases[row] = net.item_biases[own] + net.skill_biases[places].mean()
        return vectors, biases


def inputs_of(vectors: Floats, correct: Floats) -> Floats:
    """Returns what the network reads of answers (n,) to items with vectors (n, D): what was answered, what of it was right, and whether."""
    return np.concatenate([vectors, vectors * correct[:, None], correct[:, None]], axis=1)


def _answers(answers: Sequence[Answered], where: str) -> str:
    if not answers:
        return f"There are no answers {where} yet"
    right = sum(each.correct for each in answers) / len(answers)
    return f"Of {count(len(answers), 'answer')} {where}, {right:.0%} were right"


def _squashed(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))))
