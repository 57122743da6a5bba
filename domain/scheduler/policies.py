"""Policies as resources: immutable versions, the stages of their rollout, and who is decided for by which."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import Any

from domain.scheduler.policy import PRACTICE_2, Policy
from domain.shared.errors import (
    AlreadyExists,
    Conflict,
    FieldViolation,
    InvalidInput,
    NotAllowedNow,
    NotFound,
    RequestIdReused,
)

MOST_SHADOWS = 3
"""Policies of one scope that may be in the shadow at a time."""
DEFAULT_SHADOW_SHARE = 0.1
LARGEST_CANARY_SHARE = 0.5
LONGEST_DESCRIPTION = 1_000


class PolicyNotFound(NotFound):
    reason = "POLICY_NOT_FOUND"


class PolicyAlreadyExists(AlreadyExists):
    reason = "POLICY_ALREADY_EXISTS"


class PolicyChangedMeanwhile(Conflict):
    reason = "POLICY_CHANGED_MEANWHILE"


class IllegalStage(NotAllowedNow):
    reason = "ILLEGAL_STAGE"


class StageTaken(NotAllowedNow):
    reason = "STAGE_TAKEN"


class PolicyNotLive(NotAllowedNow):
    reason = "POLICY_NOT_LIVE"


class Stage(StrEnum):
    """Where a policy stands: decided by nobody, decided silently, decided for a share of learners, for all, no longer."""

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
"""The stages that a policy may be given. To its own stage it moves with another share; what is live is retired by a successor or by a
rollback, which also makes the one before it live again."""

IN_USE = (Stage.SHADOW, Stage.CANARY, Stage.LIVE)


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy's stage. `share` is that of the learners it decides for, in (0, 1] while in the shadow or a canary, else 0. `replaced` is
    the policy that was live before this one was, if there was one. `revision` counts the changes."""

    stage: Stage = Stage.DRAFT
    share: float = 0.0
    replaced: str | None = None
    revision: int = 1


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy of an organization; its id is the version that records name. Only `standing` ever changes.

    `course` is the one it may decide in, empty for all. `digest` is the SHA-256 of its definition as it was given.
    """

    policy: Policy
    digest: str
    created_at: datetime
    course: str = ""
    description: str = ""
    standing: Standing = field(default_factory=Standing)
    built_in: bool = False

    @property
    def id(self) -> str:
        return self.policy.version

    def staged(self, stage: Stage, share: float) -> "PolicyVersion":
        """Returns it in another stage, or with another share in its own. Raises IllegalStage, or InvalidInput naming the field."""
        if stage not in MOVES[self.standing.stage]:
            raise IllegalStage(f"policy {self.id} is {self.standing.stage}: {_what_may_follow(self.standing.stage)}")
        return self._standing(stage, share=_share_in(stage, share))

    def succeeding(self, live: "PolicyVersion | None") -> "PolicyVersion":
        """Returns it with `live` noted as the one it replaces."""
        return replace(self, standing=replace(self.standing, replaced=live.id if live else None))

    def retired(self) -> "PolicyVersion":
        return self._standing(Stage.RETIRED)

    def restored(self) -> "PolicyVersion":
        """Returns it live again, as it was before its successor; it still knows whom it had replaced itself."""
        return self._standing(Stage.LIVE)

    def must_be_at(self, revision: int | None) -> None:
        """Raises PolicyChangedMeanwhile if a revision is given that is not the current one."""
        if revision is not None and revision != self.standing.revision:
            raise PolicyChangedMeanwhile(f"policy {self.id} was changed meanwhile; read it again")

    def standing_at(self, standing: Standing) -> "PolicyVersion":
        """Returns it as it was at another time."""
        return replace(self, standing=standing)

    def decides_for(self, learner: str) -> bool:
        """Whether the learner is in its share. The same learners are for as long as the share does not shrink; another policy has others."""
        return self.standing.stage is Stage.LIVE or place_of(learner, self.id) < self.standing.share

    def _standing(self, stage: Stage, share: float = 0.0) -> "PolicyVersion":
        now = self.standing
        return replace(self, standing=Standing(stage, share, now.replaced, now.revision + 1))


def staging(version: PolicyVersion, stage: Stage, share: float, beside: Iterable[PolicyVersion]) -> list[PolicyVersion]:
    """Returns what changes when a policy moves to a stage, in this order: the live one that it replaces, if any, and itself.

    `beside` are the other policies in use in its scope. Raises IllegalStage, StageTaken, or InvalidInput naming the field.
    """
    changed = version.staged(stage, share)
    there = [each for each in beside if each.standing.stage is stage and each.id != version.id]
    if stage is Stage.CANARY and there:
        raise StageTaken(f"policy {there[0].id} is the canary here: finish or retire it first")
    if stage is Stage.SHADOW and len(there) >= MOST_SHADOWS:
        raise StageTaken(f"{len(there)} policies are in the shadow here, which is the most: retire one first")
    if stage is Stage.LIVE:
        live = next(iter(there), None)
        return [*([live.retired()] if live else []), changed.succeeding(live)]
    return [changed]


def rolling_back(version: PolicyVersion, before: PolicyVersion | None) -> list[PolicyVersion]:
    """Returns what changes when a live policy is taken back, in this order: itself, and the one that it replaced, if any.

    Raises PolicyNotLive.
    """
    if version.standing.stage is not Stage.LIVE:
        raise PolicyNotLive(f"policy {version.id} is {version.standing.stage}: only what is live can be rolled back")
    return [version.retired(), *([before.restored()] if before else [])]


def place_of(learner: str, policy: str) -> float:
    """Returns a number in [0, 1), uniform over learners and independent between policies, always the same for both."""
    digest = blake2b(f"{policy}/{learner}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def _what_may_follow(stage: Stage) -> str:
    if stage is Stage.LIVE:
        return "another policy that becomes live retires it, and RollBackPolicy brings back the one before it"
    if stage is Stage.RETIRED:
        return "that is for good, create a new one with its definition"
    return f"it may become {', '.join(each for each in Stage if each in MOVES[stage])}"


def _share_in(stage: Stage, share: float) -> float:
    largest = {Stage.SHADOW: 1.0, Stage.CANARY: LARGEST_CANARY_SHARE}.get(stage, 0.0)
    share = share or (DEFAULT_SHADOW_SHARE if stage is Stage.SHADOW else 0.0)
    if largest == 0.0:
        if share != 0.0:
            raise InvalidInput.of("share", f"must be left out: a policy that is {stage} has none")
        return 0.0
    if not 0.0 < share <= largest:
        raise InvalidInput.of("share", f"must be above 0 and at most {largest:g} for {stage}")
    return share


def plain(value: Any) -> Any:
    """Returns a definition in its one JSON form: lists for tuples, and whole numbers without a fraction."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def digest_of(policy: Policy) -> str:
    """Returns the SHA-256 of a policy's canonical JSON, in hexadecimal."""
    document = plain(policy.to_document())
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    """What a policy is created from. `definition` are the plain values of `Policy.to_document`; what is left out has its usual value."""

    id: str
    definition: Mapping[str, Any]
    course: str = ""
    description: str = ""

    def version(self, now: datetime) -> PolicyVersion:
        """Raises PolicyAlreadyExists for the id of a built-in policy, or InvalidInput naming the field."""
        if self.id in BUILT_IN:
            raise PolicyAlreadyExists(f"policy {self.id} is built in")
        if len(self.description) > LONGEST_DESCRIPTION:
            raise InvalidInput.of("policy.description", f"must have at most {LONGEST_DESCRIPTION:,} characters")
        if self.definition.get("version", self.id) != self.id:
            raise InvalidInput.of("policy.definition.version", f"must be {self.id}, the policy's id, or be left out")
        try:
            policy = Policy.from_document({**plain(self.definition), "version": self.id})
        except InvalidInput as error:
            raise InvalidInput([FieldViolation(_below(each.field), each.description) for each in error.violations]) from None
        return PolicyVersion(policy, digest_of(policy), now, self.course, self.description)


def _below(name: str) -> str:
    return f"policy.definition.{name}" if name else "policy.definition"


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """One change of a policy's standing, `after` being what it is since. A request that changes two policies has one for each; `act` says
    in canonical words what was asked for, so that a repeat is told apart from another request of the same id."""

    request_id: str
    policy: str
    act: str
    after: Standing
    by: str
    at: datetime


def first_answer(done: Iterable[PolicyChange], act: str, policy_id: str) -> Standing | None:
    """Returns what a request made of a policy when it came first, None if it was not made before. Raises RequestIdReused if it was
    another request. `done` are the changes by its id."""
    own = None
    for each in done:
        if each.act != act:
            raise RequestIdReused(f"request_id {each.request_id} was used for another request")
        own = each.after if each.policy == policy_id else own
    return own


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who decides for a learner: `serving`, in its `stage`, is shown; `shadows` decide too and are not."""

    serving: Policy
    shadows: tuple[Policy, ...] = ()
    stage: Stage = Stage.LIVE


@dataclass(frozen=True, slots=True)
class _Scope:
    """What is in use in one course, or everywhere."""

    live: PolicyVersion | None = None
    canary: PolicyVersion | None = None
    shadows: tuple[PolicyVersion, ...] = ()

    @classmethod
    def of(cls, versions: Iterable[PolicyVersion]) -> "_Scope":
        by_stage: dict[Stage, list[PolicyVersion]] = {stage: [] for stage in Stage}
        for each in versions:
            by_stage[each.standing.stage].append(each)
        return cls(
            next(iter(by_stage[Stage.LIVE]), None),
            next(iter(by_stage[Stage.CANARY]), None),
            tuple(sorted(by_stage[Stage.SHADOW], key=lambda each: each.id)),
        )

    def serving(self, learner: str) -> PolicyVersion | None:
        return self.canary if self.canary and self.canary.decides_for(learner) else self.live


@dataclass(frozen=True, slots=True)
class Rollout:
    """Every policy of an organization that is in use, by course; `""` is the scope of all courses."""

    scopes: Mapping[str, _Scope] = field(default_factory=dict)

    @classmethod
    def of(cls, versions: Iterable[PolicyVersion]) -> "Rollout":
        by_course: dict[str, list[PolicyVersion]] = {}
        for each in versions:
            by_course.setdefault(each.course, []).append(each)
        return cls({course: _Scope.of(own) for course, own in by_course.items()})

    def assigned(self, course: str, learner: str) -> Assignment:
        """The policies of the course come first, then those of all courses, then the built-in one."""
        shadows: list[Policy] = []
        serving: PolicyVersion | None = None
        for key in (course, ""):
            if (scope := self.scopes.get(key)) is not None:
                shadows += [each.policy for each in scope.shadows if each.decides_for(learner)]
                if (serving := scope.serving(learner)) is not None:
                    break
        if serving is None:
            return Assignment(PRACTICE_2, tuple(shadows)) if shadows else BY_DEFAULT
        return Assignment(serving.policy, tuple(shadows), serving.standing.stage)


BY_DEFAULT = Assignment(PRACTICE_2)
BUILT_IN: Mapping[str, Policy] = {PRACTICE_2.version: PRACTICE_2}
"""The policies that every organization has without creating them; the first is live where nothing else is."""
_ALWAYS = datetime(2026, 1, 1, tzinfo=UTC)


def built_in(policy_id: str) -> PolicyVersion | None:
    """Returns a built-in policy as a resource, None if the id is none's."""
    if (policy := BUILT_IN.get(policy_id)) is None:
        return None
    return PolicyVersion(
        policy,
        digest_of(policy),
        _ALWAYS,
        description="Comes with Paideia; decides where no other policy is live.",
        standing=Standing(Stage.LIVE),
        built_in=True,
    )


def must_not_be_built_in(policy_id: str) -> None:
    """Raises IllegalStage for a built-in policy, whose stage nobody can change."""
    if policy_id in BUILT_IN:
        raise IllegalStage(f"policy {policy_id} is built in: it decides where no other policy is live")
