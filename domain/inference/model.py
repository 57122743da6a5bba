"""Models as resources: registered for ever, the stages of their rollout, and who is predicted for by which."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from domain.inference.artifact import digest_of, wrong
from domain.inference.history import Entry
from domain.inference.trained import TrainedModel, version_of
from domain.shared.errors import AlreadyExists, Conflict, InvalidInput, NotAllowedNow, NotFound

MOST_SHADOWS = 3
"""Models that may be in the shadow at a time."""
DEFAULT_SHADOW_SHARE = 0.1
LARGEST_CANARY_SHARE = 0.5
LONGEST_DESCRIPTION = 1_000


class ModelNotFound(NotFound):
    reason = "MODEL_NOT_FOUND"


class ModelAlreadyExists(AlreadyExists):
    reason = "MODEL_ALREADY_EXISTS"


class ModelChangedMeanwhile(Conflict):
    reason = "MODEL_CHANGED_MEANWHILE"


class IllegalStage(NotAllowedNow):
    reason = "ILLEGAL_STAGE"


class StageTaken(NotAllowedNow):
    reason = "STAGE_TAKEN"


class ModelNotLive(NotAllowedNow):
    reason = "MODEL_NOT_LIVE"


class NoModelServes(NotAllowedNow):
    reason = "NO_MODEL_SERVES"


class Stage(StrEnum):
    """Where a model stands: it predicts for nobody, silently, for a share of learners, for all, no longer."""

    DRAFT = "draft"
    SHADOW = "shadow"
    CANARY = "canary"
    LIVE = "live"
    RETIRED = "retired"


MOVES: Mapping[Stage, frozenset[Stage]] = {
    Stage.DRAFT: frozenset({Stage.SHADOW, Stage.RETIRED}),
    Stage.SHADOW: frozenset({Stage.SHADOW, Stage.CANARY, Stage.RETIRED}),
    Stage.CANARY: frozenset({Stage.CANARY, Stage.SHADOW, Stage.LIVE, Stage.RETIRED}),
    Stage.LIVE: frozenset(),
    Stage.RETIRED: frozenset(),
}
"""The stages that a model may be given. To its own stage it moves with another share; what is live is retired by a successor or by a
rollback, which also makes the one before it live again."""

IN_USE = (Stage.SHADOW, Stage.CANARY, Stage.LIVE)


@dataclass(frozen=True, slots=True)
class Standing:
    """A model's stage. `share` is that of the learners it predicts for, in (0, 1] while in the shadow or a canary, else 0. `replaced` is
    the model that was live before this one was, if there was one. `revision` counts the changes."""

    stage: Stage = Stage.DRAFT
    share: float = 0.0
    replaced: str | None = None
    revision: int = 1


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
        except (OverflowError, ZeroDivisionError, MemoryError) as error:
            raise wrong("holds numbers that no model can have") from error
        version = version_of(trained.kind, artifact)
        return cls(model_id, trained.kind, version, digest, len(artifact), now, description, trained.evaluation)

    def staged(self, stage: Stage, share: float) -> "RegisteredModel":
        """Returns it in another stage, or with another share in its own. Raises IllegalStage, or InvalidInput naming the field."""
        if stage not in MOVES[self.standing.stage]:
            raise IllegalStage(f"model {self.id} is {self.standing.stage}: {_what_may_follow(self.standing.stage)}")
        return self._standing(stage, _share_in(stage, share))

    def succeeding(self, live: "RegisteredModel | None") -> "RegisteredModel":
        """Returns it with `live` noted as the one it replaces."""
        return replace(self, standing=replace(self.standing, replaced=live.id if live else None))

    def retired(self) -> "RegisteredModel":
        return self._standing(Stage.RETIRED)

    def restored(self) -> "RegisteredModel":
        """Returns it live again, as it was before its successor; it still knows what it had replaced itself."""
        return self._standing(Stage.LIVE)

    def must_be_at(self, revision: int | None) -> None:
        """Raises ModelChangedMeanwhile if a revision is given that is not the current one."""
        if revision is not None and revision != self.standing.revision:
            raise ModelChangedMeanwhile(f"model {self.id} was changed meanwhile; read it again")

    def predicts_for(self, learner: str) -> bool:
        """Whether the learner is in its share. The same learners are for as long as the share does not shrink; another model has others."""
        return self.standing.stage is Stage.LIVE or place_of(learner, self.id) < self.standing.share

    def _standing(self, stage: Stage, share: float = 0.0) -> "RegisteredModel":
        now = self.standing
        return replace(self, standing=Standing(stage, share, now.replaced, now.revision + 1))


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One change of a model's standing, `after` being what it is since."""

    model: str
    after: Standing
    by: str
    at: datetime


def staging(model: RegisteredModel, stage: Stage, share: float, in_use: Iterable[RegisteredModel]) -> list[RegisteredModel]:
    """Returns what changes when a model moves to a stage, in this order: the live one that it replaces, if any, and itself.

    Raises IllegalStage, StageTaken, or InvalidInput naming the field.
    """
    changed = model.staged(stage, share)
    there = [each for each in in_use if each.standing.stage is stage and each.id != model.id]
    if stage is Stage.CANARY and there:
        raise StageTaken(f"model {there[0].id} is the canary: finish or retire it first")
    if stage is Stage.SHADOW and len(there) >= MOST_SHADOWS:
        raise StageTaken(f"{len(there)} models are in the shadow, which is the most: retire one first")
    if stage is Stage.LIVE:
        live = next(iter(there), None)
        return [*([live.retired()] if live else []), changed.succeeding(live)]
    return [changed]


def rolling_back(model: RegisteredModel, before: RegisteredModel | None) -> list[RegisteredModel]:
    """Returns what changes when a live model is taken back, in this order: itself, and the one that it replaced, if any.

    Raises ModelNotLive.
    """
    if model.standing.stage is not Stage.LIVE:
        raise ModelNotLive(f"model {model.id} is {model.standing.stage}: only what is live can be rolled back")
    return [model.retired(), *([before.restored()] if before else [])]


def place_of(learner: str, model: str) -> float:
    """Returns a number in [0, 1), uniform over learners and independent between models, always the same for both."""
    digest = blake2b(f"{model}/{learner}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


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
        chosen = [each for each in (*self._at(Stage.CANARY), *self._at(Stage.LIVE)) if each.predicts_for(learner)]
        if not chosen:
            raise NoModelServes(f"no model predicts for learner {learner} yet: move one to live")
        serving, *beside = chosen
        return Assignment(serving, (*beside, *(each for each in self._at(Stage.SHADOW) if each.predicts_for(learner))))

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


def _what_may_follow(stage: Stage) -> str:
    if stage is Stage.LIVE:
        return "another model that becomes live retires it, and RollBackModel brings back the one before it"
    if stage is Stage.RETIRED:
        return "that is for good, register its artifact under another id"
    return f"it may become {', '.join(each for each in Stage if each in MOVES[stage])}"


def _share_in(stage: Stage, share: float) -> float:
    largest = {Stage.SHADOW: 1.0, Stage.CANARY: LARGEST_CANARY_SHARE}.get(stage, 0.0)
    share = share or (DEFAULT_SHADOW_SHARE if stage is Stage.SHADOW else 0.0)
    if largest == 0.0:
        if share != 0.0:
            raise InvalidInput.of("share", f"must be left out: a model that is {stage} has none")
        return 0.0
    if not 0.0 < share <= largest:
        raise InvalidInput.of("share", f"must be above 0 and at most {largest:g} for {stage}")
    return share
