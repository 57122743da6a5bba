"""What the pipeline knows of the call in progress."""

from contextvars import ContextVar

import grpc

from domain.shared.caller import Caller, Role
from services.shared.sights import Sights

current_caller: ContextVar[Caller] = ContextVar("current_caller")
current_sights: ContextVar[Sights] = ContextVar("current_sights")

_SEE_EVERYBODY = frozenset({Role.ADMIN, Role.SERVICE})


def caller(context: grpc.aio.ServicerContext) -> Caller:  # type: ignore[type-arg]  # the message types do not matter here
    """Returns who calls. Only rpcs whose rule is PUBLIC have no caller; asking there is a fault of ours."""
    return current_caller.get()


async def learners_seen(context: grpc.aio.ServicerContext) -> frozenset[str] | None:  # type: ignore[type-arg]  # as above
    """Returns the learners besides the caller whose work may be shown to the caller; None when everybody's may.

    For rpcs that show learners without naming one in a field that their rule could compare. Raises Unavailable when nobody can tell.
    """
    who = current_caller.get()
    if not _SEE_EVERYBODY.isdisjoint(who.roles):
        return None
    if Role.TEACHER not in who.roles:
        return frozenset()
    return (await current_sights.get().of(who.organization, who.user)).taught
