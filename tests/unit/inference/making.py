"""Small trained models and logs, made once."""

from datetime import UTC, datetime
from functools import cache

import numpy as np

from domain.inference.dkt import DktModel, Network
from domain.inference.feature_model import FeatureModel
from domain.inference.features import FEATURES
from domain.inference.history import Answered
from domain.inference.item_table import ItemTable
from domain.inference.logistic import Logistic
from domain.inference.model import RegisteredModel
from domain.inference.response_model import ResponseModel
from domain.inference.trained import TrainedModel, Unseen
from domain.inference.trees import LEAF, Trees
from domain.shared.rollout import Stage, Standing

NOW = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
KINDS = ("logistic", "boosting", "dkt")


def answered(item: str, correct: bool = True, *skills: str, at: float | None = None) -> Answered:
    return Answered(item, skills or ("adding",), correct, at)


@cache
def table() -> ItemTable:
    """`easy` and `hard` practise adding, `both` adding and halving."""
    easy, hard = [answered("easy")] * 9 + [answered("easy", False)], [answered("hard", False)] * 9 + [answered("hard")]
    both = [answered("both", n % 2 == 0, "adding", "halving") for n in range(10)]
    return ItemTable.learnt([[one, two, three] for one, two, three in zip(easy, hard, both, strict=True)])


@cache
def model(kind: str, timed: bool = False) -> ResponseModel:
    """A model of each kind with numbers by hand: what raises ability raises what it predicts."""
    if kind == "dkt":
        return DktModel(table(), network())
    score = logistic() if kind == "logistic" else trees()
    return FeatureModel(kind, table(), timed, score)


def logistic() -> Logistic:
    weights = np.zeros(len(FEATURES))
    weights[FEATURES.index("expected")] = 1.0
    weights[FEATURES.index("skills_surplus")] = 0.5
    weights[FEATURES.index("days")] = -0.1
    return Logistic(np.zeros(len(FEATURES)), np.ones(len(FEATURES)), weights, 0.1)


def trees() -> Trees:
    """Two stumps, over `expected` and `lately_surplus`."""
    feature = [FEATURES.index("expected"), LEAF, LEAF, FEATURES.index("lately_surplus"), LEAF, LEAF]
    return Trees(
        feature=np.array(feature, dtype=np.int32),
        threshold=np.array([0.0, 0, 0, 0.05, 0, 0]),
        left=np.array([1, 0, 0, 4, 0, 0], dtype=np.int32),
        right=np.array([2, 0, 0, 5, 0, 0], dtype=np.int32),
        value=np.array([0.0, -0.8, 0.7, 0.0, -0.2, 0.3]),
        roots=np.array([0, 3], dtype=np.int32),
        baseline=0.25,
    )


def network(seed: int = 3) -> Network:
    chance = np.random.default_rng(seed)
    items, skills, depth, memory, joint = len(table().items) + 1, len(table().skills) + 1, 3, 4, 5
    shapes = {
        "item_vectors": (items, depth),
        "item_biases": (items,),
        "skill_vectors": (skills, depth),
        "skill_biases": (skills,),
        "input": (4 * memory, 2 * depth + 1),
        "recurrent": (4 * memory, memory),
        "bias": (4 * memory,),
        "memory": (joint, memory),
        "candidate": (joint, depth),
        "hidden": (joint,),
        "output": (joint,),
    }
    return Network(**{name: chance.normal(0, 0.5, shape) for name, shape in shapes.items()}, middle=0.2)


@cache
def artifact(kind: str = "logistic") -> bytes:
    """The model's artifact."""
    return TrainedModel(model(kind), Unseen(1, 0.2), {"quality": {"auc": 0.75, "answers": 30}}, {"numpy": "2"}).packed()


def registered(model_id: str = "next", stage: Stage = Stage.DRAFT, share: float = 0.0, kind: str = "logistic") -> RegisteredModel:
    made = artifact(kind)
    return RegisteredModel(
        model_id, kind, f"{kind}-0123456789abcdef", "0" * 64, len(made), NOW, "A model.", {"auc": 0.7}, Standing(stage, share)
    )
