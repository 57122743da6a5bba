"""Versions of the model behind every number: immutable documents, and the code that evaluates them.

An attempt names the version that predicted it and moved its skills. A document holds every constant, its families name the formulas, so
an old attempt can be recomputed for as long as its document is here. Never change one: add a version.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from domain.progress.model import CourseState, SkillMastery, SkillState
from domain.psychometrics.bkt import Growth, Ranges, Tracing
from domain.psychometrics.response_model import Constants, ResponseModel
from domain.shared.errors import InvalidInput, NotFound
from domain.shared.page import Page, PageRequest

Document = Mapping[str, Any]


class ModelVersionNotFound(NotFound):
    reason = "MODEL_VERSION_NOT_FOUND"


def _logistic(document: Document) -> ResponseModel:
    return ResponseModel(Constants(**document["constants"]))


def _ensemble(document: Document) -> Tracing:
    return Tracing(
        _ranges(document["ranges"]),
        {skill: _ranges(each) for skill, each in document.get("skills", {}).items()},
        document["sets"],
        tuple(document["ends"]),
        _growth(document["growth"]) if "growth" in document else None,
    )


def _growth(document: Document) -> Growth:
    return Growth(document["sets"], *(_range(document[name]) for name in ("start", "pace")))


def _ranges(document: Document) -> Ranges:
    return Ranges(**{name: _range(each) for name, each in document.items()})


def _range(ends: Sequence[float]) -> tuple[float, float]:
    low, high = ends
    return float(low), float(high)


RESPONSE_FAMILIES: Final[Mapping[str, Callable[[Document], ResponseModel]]] = {"logistic": _logistic}
TRACING_FAMILIES: Final[Mapping[str, Callable[[Document], Tracing]]] = {"bkt-ensemble": _ensemble}


@dataclass(frozen=True)
class ModelVersion:
    """One version: its `document` and what evaluates it."""

    id: str
    document: Document
    response: ResponseModel
    tracing: Tracing

    @classmethod
    def of(cls, document: Document) -> "ModelVersion":
        """Returns the version that a document describes, or raises InvalidInput naming what in it cannot be used."""
        try:
            response = RESPONSE_FAMILIES[document["response"]["family"]](document["response"])
            tracing = TRACING_FAMILIES[document["tracing"]["family"]](document["tracing"])
            return cls(document["id"], document, response, tracing)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput.of("document", f"is not of a form that this release knows: {error}") from error

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the document as JSON with sorted keys and no spaces, in hexadecimal."""
        return sha256(json.dumps(self.document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @cached_property
    def new_course(self) -> CourseState:
        return CourseState(self.response.new_ability, frozenset())

    def new_skill(self, learner: str, skill: str, moment: datetime) -> SkillState:
        """Returns the state of a skill at the moment of its first answer, before it."""
        mastery = SkillMastery(learner, skill, self.tracing.new_estimate(skill), 0, 0, moment)
        return SkillState(self.tracing.new_skill(skill), self.response.new_deviation, mastery)


class ModelVersions:
    """The versions that can be evaluated, oldest first; the last one is `live`: it counts new attempts."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._versions = {each.id: each for each in map(ModelVersion.of, documents)}
        self.live: Final = list(self._versions.values())[-1]

    def get(self, version: str) -> ModelVersion:
        """Raises ModelVersionNotFound."""
        if version not in self._versions:
            raise ModelVersionNotFound(f"this release knows no model version {version}")
        return self._versions[version]

    def page(self, request: PageRequest) -> Page[ModelVersion]:
        """Newest first; the cursor is `(id,)`. Raises InvalidInput naming `page_token` when it is not one of these."""
        newest = list(reversed(self._versions.values()))
        start = 0
        if request.after is not None:
            if len(request.after) != 1 or request.after[0] not in self._versions:
                raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged")
            start = newest.index(self._versions[request.after[0]]) + 1
        found = tuple(newest[start : start + request.size])
        return Page(found, (found[-1].id,) if start + request.size < len(newest) else None)


DOCUMENTS: Final[tuple[Document, ...]] = (
    {
        "id": "logistic-2+bkt-2",
        "title": "mastery is lost at attempts only",
        "response": {
            "family": "logistic",
            "constants": {
                "ability_variance": 1.5,
                "deviation_variance": 0.3,
                "slope_mean": 1.0,
                "slope_variance": 0.2,
                "intercept_mean": 0.0,
                "intercept_variance": 1.5,
                "drift": 0.005,
                "settling": 20.0,
            },
        },
        "tracing": {
            "family": "bkt-ensemble",
            "sets": 32,
            "ends": [0.05, 0.95],
            "ranges": {
                "prior": [0.05, 0.75],
                "learn": [0.02, 0.3],
                "guess": [0.05, 0.35],
                "slip": [0.02, 0.2],
                "forget": [0.001, 0.01],
                "decay": [0.0, 0.0],
            },
            "skills": {},
        },
    },
    {
        "id": "logistic-3+bkt-3",
        "title": "mastery is lost with time, too; abilities and slopes may lie further apart",
        "response": {
            "family": "logistic",
            "constants": {
                "ability_variance": 2.0,
                "deviation_variance": 0.3,
                "slope_mean": 1.0,
                "slope_variance": 0.33,
                "intercept_mean": 0.5,
                "intercept_variance": 1.5,
                "drift": 0.005,
                "settling": 20.0,
            },
        },
        "tracing": {
            "family": "bkt-ensemble",
            "sets": 48,
            "ends": [0.035, 0.965],
            "ranges": {
                "prior": [0.05, 0.75],
                "learn": [0.02, 0.3],
                "guess": [0.05, 0.35],
                "slip": [0.02, 0.2],
                "forget": [0.001, 0.01],
                "decay": [0.0005, 0.03],
            },
            "skills": {},
        },
    },
    {
        "id": "logistic-3+bkt-4",
        "title": "mastery may be a matter of degree",
        "response": {
            "family": "logistic",
            "constants": {
                "ability_variance": 2.0,
                "deviation_variance": 0.3,
                "slope_mean": 1.0,
                "slope_variance": 0.33,
                "intercept_mean": 0.5,
                "intercept_variance": 1.5,
                "drift": 0.005,
                "settling": 20.0,
            },
        },
        "tracing": {
            "family": "bkt-ensemble",
            "sets": 44,
            "ends": [0.067, 0.933],
            "ranges": {
                "prior": [0.05, 0.75],
                "learn": [0.02, 0.3],
                "guess": [0.05, 0.35],
                "slip": [0.02, 0.2],
                "forget": [0.001, 0.01],
                "decay": [0.0005, 0.03],
            },
            "growth": {"sets": 14, "start": [-2.5, 1.5], "pace": [0.05, 0.5]},
            "skills": {},
        },
    },
)
"""`response` holds priors and rates in logits; `tracing` the range of each parameter by which P(mastered) is computed. `skills` has the
ranges of skills that differ, such as those fitted to data; a parameter that is known has a range of no width. `growth`, if there, has the
ranges in logits of the last ones of all `sets`, in which mastery is a matter of degree. Versions of as many sets have the same of each kind:
by that a state says which it is of."""

MODELS: Final = ModelVersions(DOCUMENTS)
