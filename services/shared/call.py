"""What the pipeline knows of the call in progress."""

from contextvars import ContextVar

import grpc

from domain.shared.caller import Caller

current_caller: ContextVar[Caller] = ContextVar("current_caller")


def caller(context: grpc.aio.ServicerContext) -> Caller:  # type: ignore[type-arg]  # the message types do not matter here
    """Returns who calls. Only rpcs whose rule is PUBLIC have no caller; asking there is a fault of ours."""
    return current_caller.get()
