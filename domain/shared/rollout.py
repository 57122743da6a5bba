"""The rollout of what an organization has several of and everybody is served by one: policies that decide, models that predict.

Each begins as a draft and may be tried in the shadow, then on a share of the learners, before it serves all; a rollback brings back the one
before it. Everything here is about one place where one of them is live, such as a course.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol, Self, TypeVar

from domain.shared.errors import Conflict, InvalidInput, NotAllowedNow

MOST_SHADOWS = 3
"""Those of one place that may be in the shadow at a time."""
DEFAULT_SHADOW_SHARE = 0.1
LARGEST_CANARY_SHARE = 0.5


class IllegalStage(NotAllowedNow):
    reason = "ILLEGAL_STAGE"


class StageTaken(NotAllowedNow):
    reason = "STAGE_TAKEN"


class Stage(StrEnum):
    """Whom something serves: nobody, nobody but silently, a share of the learners, all, nobody any more."""

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
"""The stages that something may be given. To its own stage it moves with another share; what is live is retired by a successor or by a
rollback, which also makes the one before it live again."""

IN_USE = (Stage.SHADOW, Stage.CANARY, Stage.LIVE)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where something stands. `share` is that of the learners it is for, in (0, 1] while in the shadow or a canary, else 0. `replaced` is
    the id of what was live before it, if anything was. `revision` counts the changes."""

    stage: Stage = Stage.DRAFT
    share: float = 0.0
    replaced: str | None = None
    revision: int = 1

    def moved(self, stage: Stage, share: float = 0.0) -> "Standing":
        """Returns the next one. What had been replaced stays known, for a rollback after a rollback."""
        return Standing(stage, share, self.replaced, self.revision + 1)


class RolledOut(Protocol):
    """What is rolled out; of all that it is, only the standing ever changes."""

    @property
    def id(self) -> str: ...

    @property
    def standing(self) -> Standing: ...

    def standing_at(self, standing: Standing) -> Self:
        """Returns it with another standing."""
        ...


T = TypeVar("T", bound=RolledOut)


@dataclass(frozen=True, slots=True)
class Kind:
    """The rules, in the words of one kind of things: `here` tells of their place if there are several, `anew` what to do once one is retired,
    `roll_back` is the name of the rpc."""

    noun: str
    nouns: str
    roll_back: str
    anew: str
    changed_meanwhile: type[Conflict]
    not_live: type[NotAllowedNow]
    here: str = ""

    def must_be_at(self, held: RolledOut, revision: int | None) -> None:
        """Raises the kind's `changed_meanwhile` if a revision is given that is not the current one."""
        if revision is not None and revision != held.standing.revision:
            raise self.changed_meanwhile(f"{self.noun} {held.id} was changed meanwhile; read it again")

    def staging(self, held: T, stage: Stage, share: float, beside: Iterable[T]) -> list[T]:
        """Returns what changes when one moves to a stage, in this order: the live one that it replaces, if any, and itself.

        `beside` are those in use in its place; a share of 0 is the usual one. Raises IllegalStage, StageTaken, or InvalidInput naming `share`.
        """
        standing = held.standing
        if stage not in MOVES[standing.stage]:
            raise IllegalStage(f"{self.noun} {held.id} is {standing.stage}: {self._what_may_follow(standing.stage)}")
        moved = standing.moved(stage, self._share_in(stage, share))
        there = [each for each in beside if each.standing.stage is stage and each.id != held.id]
        if stage is Stage.CANARY and there:
            raise StageTaken(f"{self.noun} {there[0].id} is the canary{self.here}: finish or retire it first")
        if stage is Stage.SHADOW and len(there) >= MOST_SHADOWS:
            raise StageTaken(f"{len(there)} {self.nouns} are in the shadow{self.here}, which is the most: retire one first")
        if stage is not Stage.LIVE:
            return [held.standing_at(moved)]
        live = next(iter(there), None)
        retired = [live.standing_at(live.standing.moved(Stage.RETIRED))] if live else []
        return [*retired, held.standing_at(replace(moved, replaced=live.id if live else None))]

    def rolling_back(self, held: T, before: T | None) -> list[T]:
        """Returns what changes when a live one is taken back, in this order: itself, and `before`, the one that it replaced, if any.

        Raises the kind's `not_live`.
        """
        if held.standing.stage is not Stage.LIVE:
            raise self.not_live(f"{self.noun} {held.id} is {held.standing.stage}: only what is live can be rolled back")
        restored = [before.standing_at(before.standing.moved(Stage.LIVE))] if before else []
        return [held.standing_at(held.standing.moved(Stage.RETIRED)), *restored]

    def _what_may_follow(self, stage: Stage) -> str:
        if stage is Stage.LIVE:
            return f"another {self.noun} that becomes live retires it, and {self.roll_back} brings back the one before it"
        if stage is Stage.RETIRED:
            return f"that is for good, {self.anew}"
        return f"it may become {', '.join(each for each in Stage if each in MOVES[stage])}"

    def _share_in(self, stage: Stage, share: float) -> float:
        largest = {Stage.SHADOW: 1.0, Stage.CANARY: LARGEST_CANARY_SHARE}.get(stage, 0.0)
        share = share or (DEFAULT_SHADOW_SHARE if stage is Stage.SHADOW else 0.0)
        if largest == 0.0:
            if share != 0.0:
                raise InvalidInput.of("share", f"must be left out: a {self.noun} that is {stage} has none")
            return 0.0
        if not 0.0 < share <= largest:
            raise InvalidInput.of("share", f"must be above 0 and at most {largest:g} for {stage}")
        return share


def is_for(held: RolledOut, learner: str) -> bool:
    """Whether the learner is in its share. The same learners are for as long as the share does not shrink; something else has others."""
    return held.standing.stage is Stage.LIVE or place_of(learner, held.id) < held.standing.share


def place_of(learner: str, id_: str) -> float:
    """Returns a number in [0, 1), uniform over learners and independent between ids, always the same for both."""
    digest = blake2b(f"{id_}/{learner}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
