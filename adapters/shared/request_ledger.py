"""The request ledger in PostgreSQL: the answer is kept in the transaction that earned it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from adapters.shared.postgres import BIND_ORGANIZATION, ambient_connection, translated
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
    _request_id: str

    async def remember(self, answer: bytes) -> None:
        await self._connection.execute(_ANSWER, {"answer": answer, "request_id": self._request_id})
        await self._transaction.commit()


class PostgresRequestLedger:
    """Implements services.shared.idempotency.RequestLedger over the `request_ledger` table of the engine's schema."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

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
                    yield PostgresLedgerEntry(answer, connection, transaction, request_id)
                finally:
                    ambient_connection.reset(joined)
                    if transaction.is_active:
                        await transaction.rollback()
        except (DBAPIError, OSError) as error:
            raise translated(error) from error
