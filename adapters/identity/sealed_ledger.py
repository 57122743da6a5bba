"""Identity's request ledger: the answers that it remembers name people, so they are sealed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from adapters.shared.request_ledger import PostgresLedgerEntry, PostgresRequestLedger
from domain.identity.credential_ports import Vault

_SEALED = b"\x01"
"""What is sealed begins so, and no protobuf message does: releases before sealing kept plain messages."""


@dataclass
class SealedEntry:
    answer: bytes | None
    _entry: PostgresLedgerEntry
    _vault: Vault
    _request_id: str

    async def remember(self, answer: bytes) -> None:
        await self._entry.remember(self._vault.seal(answer, _context(self._request_id)))


class SealedRequestLedger:
    """Implements services.shared.idempotency.RequestLedger."""

    def __init__(self, ledger: PostgresRequestLedger, vault: Vault) -> None:
        self._ledger = ledger
        self._vault = vault

    @asynccontextmanager
    async def entry(self, organization: str, method: str, request_id: str, fingerprint: bytes) -> AsyncIterator[SealedEntry]:
        async with self._ledger.entry(organization, method, request_id, fingerprint) as entry:
            answer = None if entry.answer is None else opened_answer(self._vault, entry.answer, request_id)
            yield SealedEntry(answer, entry, self._vault, request_id)


def opened_answer(vault: Vault, answer: bytes, request_id: str) -> bytes:
    """Raises UnreadableSecret."""
    return vault.open(answer, _context(request_id)) if answer.startswith(_SEALED) else answer


def _context(request_id: str) -> str:
    return f"answer {UUID(request_id)}"
