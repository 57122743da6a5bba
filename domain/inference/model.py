"""Models as resources: registered for ever, rolled out in stages, and who is predicted for by which."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from domain.inference.artifact import digest_of, wrong
from domain.inference.history import Entry
from domain.inference.trained import TrainedModel, version_of
from domain.shared.errors import AlreadyExists, Conflict, InvalidInput, NotAllowedNow, NotFound
from domain.shared.rollout import Kind, Stage, Standing, is_for

LONGEST_DESCRIPTION = 1_000
LARGEST_EVALUATION = 100_000


class ModelNotFound(NotFound):
    reason = "MODEL_NOT_FOUND"


class ModelAlreadyExists(AlreadyExists):
    reason = "MODEL_ALREADY_EXISTS"


class ModelChangedMeanwhile(Conflict):
    reason = "MODEL_CHANGED_MEANWHILE"


class ModelNotLive(NotAllowedNow):
    reason = "MODEL_NOT_LIVE"


class NoModelServes(NotAllowedNow):
    reason = "NO_MODEL_SERVES"


MODELS = Kind(
    noun="model",
    nouns="models",
    roll_back="RollBackModel",
    anew="register its artifact under another id",
    changed_meanwhile=ModelChangedMeanwhile,
    not_live=ModelNotLive,
)


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model of an organization. Its artifact, with this SHA-256 and so many bytes, never changes; only `standing` does. `version` is what
    the artifact calls itself, `evaluation` what its training measured, as plain values."""

    id: str
    kind: str
    version: str
    digest: str
    size: int
    created_at: datetime
    description: str = ""
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)

    @classmethod
    def of(cls, model_id: str, artifact: bytes, digest: str, description: str, now: datetime) -> "RegisteredModel":
        """Returns a model as a draft. Raises InvalidInput naming what is wrong with the artifact or the field."""
        if digest_of(artifact) != digest:
            raise InvalidInput.of(
                "digest", "must be the SHA-256 of the artifact in lower-case hexadecimal: what arrived has another one"
            )
        if len(description) > LONGEST_DESCRIPTION:
            raise InvalidInput.of("description", f"must have at most {LONGEST_DESCRIPTION:,} characters")
        try:
            trained = TrainedModel.unpacked(artifact)
        except (ArithmeticError, TypeError, ValueError, MemoryError) as error:
            raise wrong("holds numbers that no model can have") from error
        if not _can_be_told(trained.evaluation):
            raise wrong(f"must say how it was judged in at most {LARGEST_EVALUATION:,} bytes of text and finite numbers")
        version = version_of(trained.kind, artifact)
        return cls(model_id, trained.kind, version, digest, len(artifact), now, description, trained.evaluation)

    def standing_at(self, standing: Standing) -> "RegisteredModel":
        """Returns it as it was, or will be, at another time."""
        return replace(self, standing=standing)


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One change of a model's standing, `after` being what it is since."""

    model: str
    after: Standing
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who predicts for a learner: `serving` is answered with; `shadows` predict too and are not, and so does the live model beside a canary, to
    compare it with."""

    serving: RegisteredModel
    shadows: tuple[RegisteredModel, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollout:
    """Every model of an organization that is in use."""

    models: tuple[RegisteredModel, ...] = ()

    def assigned(self, learner: str) -> Assignment:
        """The canary predicts for its share, the live model for all others. Raises NoModelServes."""
        chosen = [each for each in (*self._at(Stage.CANARY), *self._at(Stage.LIVE)) if is_for(each, learner)]
        if not chosen:
            raise NoModelServes(f"no model predicts for learner {learner} yet: move one to live")
        serving, *beside = chosen
        return Assignment(serving, (*beside, *(each for each in self._at(Stage.SHADOW) if is_for(each, learner))))

    def _at(self, stage: Stage) -> list[RegisteredModel]:
        return [each for each in self.models if each.standing.stage is stage]


@dataclass(frozen=True, slots=True)
class Told:
    """An attempt as the log tells it: whose, and what is kept of it."""

    learner: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class PredictionsCompared:
    """What the serving model and those beside it said of the same items. Predictions are in the order of the items."""

    learner: str
    items: tuple[str, ...]
    history_size: int
    served: RegisteredModel
    predicted: tuple[float, ...]
    beside: tuple[tuple[RegisteredModel, tuple[float, ...]], ...]
    at: datetime


def _can_be_told(evaluation: Mapping[str, Any]) -> bool:
    """Whether databases and messages can hold it: JSON can write half a character, NUL, and numbers beyond all that are."""
    try:
        text = json.dumps(evaluation, ensure_ascii=False, allow_nan=False)
        return len(text.encode()) <= LARGEST_EVALUATION and "\\u0000" not in text
    except (ValueError, RecursionError):
        return False
