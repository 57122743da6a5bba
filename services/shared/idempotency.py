"""Idempotency by `request_id`: the same id and body gets the first answer, the same id with another body ALREADY_EXISTS."""

import hmac
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from google.protobuf.message import Message


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
