"""Trained models to artifacts, and back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple

import numpy as np

from domain.inference.artifact import Artifact, Tensor, digest_of, wrong
from domain.inference.dkt import DktModel, Network
from domain.inference.feature_model import FeatureModel
from domain.inference.features import FEATURES
from domain.inference.item_table import Item, ItemTable, Tally
from domain.inference.logistic import Logistic
from domain.inference.response_model import ResponseModel
from domain.inference.trees import Trees
from domain.psychometrics.response_model import ItemEvidence

FORMAT: Final = "response-model-1"
KINDS: Final = ("logistic", "boosting", "dkt")
_LARGEST_SUM: Final = 1e9
_LONGEST_NAME: Final = 256
_MOST_SKILLS: Final = 100_000


class Unseen(NamedTuple):
    """Which learners a model was judged on and not trained on: those whose place (lab/response_models/splitting.py) for `seed` is below
    `share`."""

    seed: int
    share: float


@dataclass(frozen=True)
class TrainedModel:
    """A model with what an artifact tells of it. `evaluation` are plain values; `made_with` says what trained it."""

    model: ResponseModel
    unseen: Unseen
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    made_with: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.model.kind

    def packed(self) -> bytes:
        """Returns its artifact."""
        model = self.model
        if isinstance(model, FeatureModel):
            table, timed, tensors = model.table, model.timed, _SCORER_TENSORS[model.kind](model.score)
        elif isinstance(model, DktModel):
            table, timed, tensors = model.table, False, {each: _array(getattr(model.network, each)) for each in _NETWORK}
        else:
            raise TypeError(f"there is no artifact of a {model.kind}")
        header = {
            "format": FORMAT,
            "kind": model.kind,
            "timed": timed,
            "features": list(FEATURES) if isinstance(model, FeatureModel) else [],
            "items": list(table.items),
            "skills": list(table.skills),
            "unseen": self.unseen._asdict(),
            "evaluation": dict(self.evaluation),
            "made_with": dict(self.made_with),
        }
        return Artifact(header, tensors | _table_tensors(table)).packed()

    @classmethod
    def unpacked(cls, data: bytes) -> "TrainedModel":
        """Raises InvalidInput naming `artifact` and what is wrong with it."""
        artifact = Artifact.unpacked(data)
        header = artifact.header
        if header.get("format") != FORMAT or header.get("kind") not in KINDS:
            raise wrong(f"must be of the format {FORMAT} and one of the kinds {', '.join(KINDS)}")
        unseen, evaluation, made_with = (header.get(each) for each in ("unseen", "evaluation", "made_with"))
        if not isinstance(evaluation, dict) or not isinstance(made_with, dict):
            raise wrong("must say how it was made and judged")
        return cls(_MODELS[header["kind"]](artifact), _unseen(unseen), evaluation, made_with)


def version_of(kind: str, data: bytes) -> str:
    """Returns what an artifact calls itself."""
    return f"{kind}-{digest_of(data)[:16]}"


_NETWORK: Final = tuple(each.name for each in fields(Network))
_TREES: Final = tuple(each.name for each in fields(Trees))
_LOGISTIC: Final = tuple(each.name for each in fields(Logistic))


def _array(value: Any) -> Tensor:
    return np.asarray(value)


_SCORER_TENSORS: Final[Mapping[str, Callable[[Any], dict[str, Tensor]]]] = {
    "logistic": lambda score: {each: _array(getattr(score, each)) for each in _LOGISTIC},
    "boosting": lambda score: {each: _array(getattr(score, each)) for each in _TREES},
}


def _logistic(artifact: Artifact) -> ResponseModel:
    count = len(FEATURES)
    mean, scale, weights = (artifact.tensor(each, count).astype(float) for each in ("mean", "scale", "weights"))
    if not (scale > 0).all():
        raise wrong("must have scales above 0")
    return _of_features(artifact, Logistic(mean, scale, weights, float(artifact.tensor("intercept"))))


def _boosting(artifact: Artifact) -> ResponseModel:
    feature = artifact.tensor("feature", None, whole=True).astype(np.int32)
    nodes = len(feature)
    left, right = (artifact.tensor(each, nodes, whole=True).astype(np.int32) for each in ("left", "right"))
    threshold, value = (artifact.tensor(each, nodes).astype(float) for each in ("threshold", "value"))
    roots = artifact.tensor("roots", None, whole=True).astype(np.int32)
    baseline = float(artifact.tensor("baseline"))
    trees = Trees(feature, threshold, left, right, value, roots, baseline)
    if fault := trees.fault(len(FEATURES)):
        raise wrong(f"has trees that cannot be: {fault}")
    return _of_features(artifact, trees)


def _of_features(artifact: Artifact, score: Logistic | Trees) -> ResponseModel:
    header = artifact.header
    if header.get("features") != list(FEATURES) or not isinstance(header.get("timed"), bool):
        raise wrong("was trained with other features than this release makes: train it again")
    return FeatureModel(header["kind"], _table(artifact), header["timed"], score)


def _dkt(artifact: Artifact) -> ResponseModel:
    table = _table(artifact)
    items, skills = len(table.items) + 1, len(table.skills) + 1
    depth = artifact.tensor("item_vectors", items, None).shape[1]
    memory = artifact.tensor("recurrent", None, None).shape[1]
    joint = artifact.tensor("hidden", None).shape[0]
    shapes: dict[str, tuple[int, ...]] = {
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
        "middle": (),
    }
    weights = {name: artifact.tensor(name, *shape).astype(float) for name, shape in shapes.items()}
    if any(np.abs(each).max(initial=0.0) > _LARGEST_SUM for each in weights.values()):
        raise wrong("has weights that cannot be")
    return DktModel(table, Network(**weights | {"middle": float(weights["middle"])}))  # type: ignore[arg-type]  # all others are arrays


_MODELS: Final[Mapping[str, Callable[[Artifact], ResponseModel]]] = {"logistic": _logistic, "boosting": _boosting, "dkt": _dkt}


def _table_tensors(table: ItemTable) -> dict[str, Tensor]:
    place = {name: index for index, name in enumerate(table.skills)}
    items = list(table.items.values())
    return {
        "table_evidence": np.array([_sums(each.evidence) for each in items]).reshape(-1, 5),
        "table_items": np.array([each.tally for each in items], dtype=np.int64).reshape(-1, 2),
        "table_skills": np.array(list(table.skills.values()), dtype=np.int64).reshape(-1, 2),
        "table_total": np.array(table.total, dtype=np.int64),
        "table_item_skill": np.array([place[name] for each in items for name in each.skills], dtype=np.int32),
        "table_item_skill_start": np.cumsum([0, *(len(each.skills) for each in items)], dtype=np.int64),
    }


def _table(artifact: Artifact) -> ItemTable:
    names, skill_names = (_names(artifact.header.get(each), each) for each in ("items", "skills"))
    sums, tallies = artifact.tensor("table_evidence", len(names), 5), _tallies(artifact, "table_items", len(names), 2)
    start = artifact.tensor("table_item_skill_start", len(names) + 1, whole=True)
    skill = artifact.tensor("table_item_skill", None, whole=True)
    if (np.diff(start) < 0).any() or start[0] != 0 or start[-1] != len(skill):
        raise wrong("must say which skills each item has")
    if ((skill < 0) | (skill >= len(skill_names))).any():
        raise wrong("has an item of a skill that there is not")
    slope, cross, intercept = sums[:, 0], sums[:, 1], sums[:, 2]
    if (np.abs(sums) > _LARGEST_SUM).any() or (slope < 0).any() or (intercept < 0).any():
        raise wrong("has an item whose evidence cannot be")
    if (cross**2 > slope * intercept * (1 + 1e-6) + 1e-9).any():
        raise wrong("has an item whose evidence cannot be")
    items = {
        name: Item(tuple([skill_names[each] for each in skill[begin:end]]), ItemEvidence(tally.answers, *map(float, own)), tally)
        for name, own, tally, begin, end in zip(names, sums, tallies, start[:-1], start[1:], strict=True)
    }
    skills = _tallies(artifact, "table_skills", len(skill_names), 2)
    (total,) = _tallies(artifact, "table_total", 2)
    return ItemTable(items, dict(zip(skill_names, skills, strict=True)), total)


def _sums(evidence: ItemEvidence) -> tuple[float, ...]:
    return (
        evidence.slope_precision,
        evidence.cross_precision,
        evidence.intercept_precision,
        evidence.slope_shift,
        evidence.intercept_shift,
    )


def _names(told: Any, what: str) -> list[str]:
    if not isinstance(told, list) or len(told) > _MOST_SKILLS or len(set(map(str, told))) != len(told):
        raise wrong(f"must name its {what}, each once")
    if not all(isinstance(each, str) and 0 < len(each) <= _LONGEST_NAME for each in told):
        raise wrong(f"must name its {what} with 1 to {_LONGEST_NAME} characters")
    return told


def _tallies(artifact: Artifact, name: str, *shape: int) -> list[Tally]:
    counts = artifact.tensor(name, *shape, whole=True).reshape(-1, 2)
    if ((counts < 0) | (counts > 2**40)).any() or (counts[:, 1] > counts[:, 0]).any():
        raise wrong("has counts of answers that cannot be")
    return [Tally(*each) for each in counts.tolist()]


def _unseen(told: Any) -> Unseen:
    if not isinstance(told, dict) or type(told.get("seed")) is not int or not isinstance(told.get("share"), int | float):
        raise wrong("must say which learners it was not trained on")
    if not 0 <= told["share"] <= 1:
        raise wrong("must have been trained without a share of learners from 0 to 1")
    return Unseen(told["seed"], float(told["share"]))
