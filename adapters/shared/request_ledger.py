"""The request ledger in PostgreSQL: the answer is kept in the transaction that earned it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from adapters.shared.outbox import add_to_outbox
from adapters.shared.postgres import BIND_ORGANIZATION, ambient_connection, translated
from domain.shared.acts import act_in_progress
from domain.shared.errors import RequestIdReused

# Waits for a concurrent request of the same id: it inserts after a rollback, and does nothing after a commit.
_CLAIM = text(
    "INSERT INTO request_ledger (organization_id, method, request_id, fingerprint, answer) "
    "VALUES (:organization, :method, :request_id, :fingerprint, '') ON CONFLICT DO NOTHING RETURNING 1"
)
_FIND = text("SELECT method, fingerprint, answer FROM request_ledger WHERE request_id = :request_id")
_ANSWER = text("UPDATE request_ledger SET answer = :answer WHERE request_id = :request_id")


@dataclass
class PostgresLedgerEntry:
    answer: bytes | None
    _connection: AsyncConnection
    _transaction: AsyncTransaction
    _organization: str
    _request_id: str
    _publishes: bool

    async def remember(self, answer: bytes) -> None:
        # A unit of another organization may have joined meanwhile and left its own bound.
        await self._connection.execute(BIND_ORGANIZATION, {"organization": self._organization})
        kept = await self._connection.execute(_ANSWER, {"answer": answer, "request_id": self._request_id})
        if kept.rowcount != 1:
            raise RuntimeError(f"the ledger lost the entry of request {self._request_id}")
        act = act_in_progress.get() if self._publishes else None
        if act is not None and not act.recorded:
            await add_to_outbox(self._connection, [act.envelope])
        await self._transaction.commit()
        if act is not None:
            act.recorded = True


class PostgresRequestLedger:
    """Implements services.shared.idempotency.RequestLedger over the `request_ledger` table of the engine's schema."""

    def __init__(self, engine: AsyncEngine, publishes: bool = True) -> None:
        """`publishes`: the schema has an outbox, which takes the act of the call for the audit log."""
        self._engine = engine
        self._publishes = publishes

    @asynccontextmanager
    async def entry(
        self, organization: str, method: str, request_id: str, fingerprint: bytes
    ) -> AsyncIterator[PostgresLedgerEntry]:
        try:
            async with self._engine.connect() as connection:
                transaction = await connection.begin()
                await connection.execute(BIND_ORGANIZATION, {"organization": organization})
                claim = {
                    "organization": organization,
                    "method": method,
                    "request_id": request_id,
                    "fingerprint": fingerprint,
                }
                answer = None
                if (await connection.execute(_CLAIM, claim)).first() is None:
                    first = (await connection.execute(_FIND, {"request_id": request_id})).one()
                    if (first.method, bytes(first.fingerprint)) != (method, fingerprint):
                        raise RequestIdReused(f"request_id {request_id} was used for another request")
                    answer = bytes(first.answer)
                joined = ambient_connection.set(connection)
                try:
                    yield PostgresLedgerEntry(answer, connection, transaction, organization, request_id, self._publishes)
                finally:
                    ambient_connection.reset(joined)
                    if transaction.is_active:
                        await transaction.rollback()
        except (DBAPIError, OSError, PoolTimeout) as error:
            raise translated(error) from error
