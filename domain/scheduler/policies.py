"""Policies as resources: immutable versions, rolled out in stages, and who is decided for by which."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
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
from domain.shared.rollout import IllegalStage, Kind, Stage, Standing, is_for

LONGEST_DESCRIPTION = 1_000


class PolicyNotFound(NotFound):
    reason = "POLICY_NOT_FOUND"


class PolicyAlreadyExists(AlreadyExists):
    reason = "POLICY_ALREADY_EXISTS"


class PolicyChangedMeanwhile(Conflict):
    reason = "POLICY_CHANGED_MEANWHILE"


class PolicyNotLive(NotAllowedNow):
    reason = "POLICY_NOT_LIVE"


POLICIES = Kind(
    noun="policy",
    nouns="policies",
    roll_back="RollBackPolicy",
    anew="create a new one with its definition",
    changed_meanwhile=PolicyChangedMeanwhile,
    not_live=PolicyNotLive,
    here=" here",
)


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

    def standing_at(self, standing: Standing) -> "PolicyVersion":
        """Returns it as it was, or will be, at another time."""
        return replace(self, standing=standing)


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
        return self.canary if self.canary and is_for(self.canary, learner) else self.live


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
                shadows += [each.policy for each in scope.shadows if is_for(each, learner)]
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
