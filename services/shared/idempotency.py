"""Idempotency by `request_id`: the same id and body gets the first answer, the same id with another body ALREADY_EXISTS."""

import hmac
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial, wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from google.protobuf.message import Message

P = ParamSpec("P")
T = TypeVar("T")
FirstPart = Callable[..., Awaitable[Callable[[], Awaitable[Any]]]]


def slow_first(handler: Callable[P, Awaitable[Callable[[], Awaitable[T]]]]) -> Callable[P, Awaitable[T]]:
    """Makes a method of a servicer of one that does what takes long and returns what is left to do.

    In a context with a ledger only what is left runs inside the request's transaction: until then it holds none of the connections that
    others wait for. So the first part must check and compute only. It runs again when the request is repeated before it was answered.
    """

    @wraps(handler)
    async def whole(*arguments: P.args, **named: P.kwargs) -> T:
        return await (await handler(*arguments, **named))()

    whole.first_part = handler  # type: ignore[attr-defined]  # a function bears what is set on it
    return whole


def first_part_of(method: Any) -> FirstPart | None:
    """Returns the first part of a bound method, None if it was not made by `slow_first`."""
    first_part = getattr(method, "first_part", None)
    return None if first_part is None else partial(first_part, method.__self__)


class LedgerEntry(Protocol):
    """One request in the ledger, in an open transaction that the units of work inside it join."""

    answer: bytes | None
    """The first answer, if this request was answered before."""

    async def remember(self, answer: bytes) -> None:
        """Commits the state, the events and the answer together."""


class RequestLedger(Protocol):
    """Remembers the answer to every request."""

    def entry(
        self, organization: str, method: str, request_id: str, fingerprint: bytes
    ) -> AbstractAsyncContextManager[LedgerEntry]:
        """Opens the request's entry; a concurrent request of the same id waits for it.

        Leaving without remember() undoes everything. Raises domain.shared.errors.RequestIdReused if the id was used with another method or body.
        """


def fingerprint_of(request: Message, key: bytes) -> bytes:
    """Returns what two requests must share to be the same: 32 bytes.

    It is keyed because a body may hold a password: whoever reads the ledger must not be able to try passwords against it.
    """
    return hmac.digest(key, request.SerializeToString(deterministic=True), "sha256")
