"""Who asks: the organization, the user and the roles that a verified token names."""

from dataclasses import dataclass
from enum import StrEnum

from domain.shared.plans import Plan


class Role(StrEnum):
    LEARNER = "LEARNER"
    TEACHER = "TEACHER"
    AUTHOR = "AUTHOR"
    ADMIN = "ADMIN"
    OPERATOR = "OPERATOR"
    SERVICE = "SERVICE"


@dataclass(frozen=True, slots=True)
class Caller:
    """`organization` and `user` are bare ids. For a SERVICE caller, `user` is the name of the calling context.

    `scopes` bound what a program may do with its roles; None, for people and contexts, bounds nothing. `plan` is the organization's.
    """

    organization: str
    user: str
    roles: frozenset[Role]
    scopes: frozenset[str] | None = None
    plan: Plan = Plan.STANDARD

    def may_see_others(self) -> bool:
        """Whether other learners' data may be shown to this caller."""
        return not self.roles.isdisjoint((Role.TEACHER, Role.ADMIN, Role.SERVICE))
