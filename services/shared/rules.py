"""The authorization rules of the protos, compiled once per method."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from paideia.auth.v1 import rule_pb2

from domain.shared.caller import Caller, Role
from domain.shared.errors import Forbidden, InvalidInput, NotFound
from services.shared.sights import EVERY_LEARNER, OneLearnerAtATime, Sight

_BY_SIGHT = {Role.LEARNER, Role.TEACHER}


class ScopeMissing(Forbidden):
    reason = "SCOPE_MISSING"

    def __init__(self, scope: str) -> None:
        super().__init__(f"needs a token with the scope {scope}")


class OutOfReach(NotFound):
    """Somebody asked for the work of a learner that they do not see. They are told what they would be told if there were none."""


class MissingRule(Exception):
    """A service has an rpc without an authorization rule; it must not be served."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may call one rpc. `own` reads the name that a mere learner must own, None when there is nothing to compare.

    `reads`: it changes nothing, so that a guardian may call it for their ward. `scope` is what a program's token needs besides.
    """

    public: bool
    allow: frozenset[Role]
    own_field: str = ""
    own: Callable[[Message], str] | None = None
    reads: bool = False
    scope: str = ""

    def check_roles(self, caller: Caller) -> None:
        """Raises Forbidden unless the caller holds an allowed role, and, as a program, the scope."""
        if self.allow.isdisjoint(caller.roles):
            raise Forbidden(f"needs one of the roles {', '.join(sorted(self.allow))}")
        if caller.scopes is not None and self.scope not in caller.scopes:
            raise ScopeMissing(self.scope)

    def other_learner(self, caller: Caller, request: Message) -> str | None:
        """Returns the learner, not the caller, whose work the call is about and whom only the caller's sight can admit; else None.

        For a learner's own work, and for whoever has a role that sees everybody, that is settled without asking anybody. Raises NotFound
        when a caller who is only a learner would change another learner's work.
        """
        if self.own is None or not (by := self.allow & caller.roles) <= _BY_SIGHT:
            return None
        collection, _, rest = self.own(request).partition("/")
        if collection != "learners" or not rest:
            raise InvalidInput.of(self.own_field, "must begin with learners/{learner}")
        learner = rest.split("/", 1)[0]
        if learner == caller.user:
            return None
        if Role.TEACHER not in by and not self.reads:
            raise OutOfReach(f"no such {self.own_field}")
        return learner

    def check_sight(self, caller: Caller, learner: str, sight: Sight) -> None:
        """Raises NotFound unless the caller, as a teacher or a guardian, sees the learner's work."""
        if Role.TEACHER in caller.roles & self.allow and (sight.taught is None or learner in sight.taught):
            return
        if self.reads and learner in sight.wards:
            return
        if learner == EVERY_LEARNER and Role.TEACHER in caller.roles:
            raise OneLearnerAtATime
        raise OutOfReach(f"no such {self.own_field}")


def rule_of(method: MethodDescriptor) -> Rule:
    """Returns the rule of an rpc, or raises MissingRule."""
    rule: rule_pb2.Rule = method.GetOptions().Extensions[rule_pb2.rule]  # type: ignore[index]  # the stub types it as a descriptor
    names = {rule_pb2.Role.Name(each).removeprefix("ROLE_") for each in rule.allow}
    if not names or "UNSPECIFIED" in names:
        raise MissingRule(f"{method.full_name} has no authorization rule")
    if names == {"PUBLIC"}:
        return Rule(public=True, allow=frozenset())
    path = rule.own.split(".") if rule.own else []
    reads = bool(method.GetOptions().Extensions[annotations_pb2.http].get)
    context = method.full_name.split(".")[1]  # paideia.<context>.v1
    return Rule(
        public=False,
        allow=frozenset(Role(each) for each in names),
        own_field=rule.own,
        own=(lambda request: reduce(getattr, path, request)) if path else None,  # type: ignore[arg-type,return-value]
        reads=reads,
        scope=rule.scope or f"{context}.{'read' if reads else 'write'}",
    )


def rules_of(service: ServiceDescriptor) -> dict[str, Rule]:
    """Returns the rule of every rpc by its full method name, `/package.Service/Method`."""
    return {f"/{service.full_name}/{method.name}": rule_of(method) for method in service.methods}
