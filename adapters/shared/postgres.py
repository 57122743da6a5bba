"""The unit of work over PostgreSQL with SQLAlchemy Core: one transaction, bound to one organization."""

from contextvars import ContextVar
from types import TracebackType
from typing import Self

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from domain.shared.errors import Conflict, NotAllowedNow, Unavailable

_LEGAL_HOLD = "PH001"  # raised by identity's migration 0008


class UnderLegalHold(NotAllowedNow):
    reason = "UNDER_LEGAL_HOLD"


BIND_ORGANIZATION = text("SELECT set_config('paideia.organization', :organization, true)")

ambient_connection: ContextVar[AsyncConnection | None] = ContextVar("ambient_connection", default=None)
"""The connection of the idempotent transaction that the current call runs in, if any; units join it."""


class PostgresUnit:
    """One transaction; leaving it without commit() undoes it.

    Row-level security shows and accepts only rows of `organization`. Inside an idempotent transaction the unit is a savepoint of it, so
    that the state, its events and the remembered answer commit together. Subclasses build their repositories in `_open`.
    """

    connection: AsyncConnection

    def __init__(self, engine: AsyncEngine, organization: str) -> None:
        self._engine = engine
        self._organization = organization
        self._transaction: AsyncTransaction
        self._owns_connection = False

    def _open(self) -> None:
        """Builds the repositories on `self.connection`."""

    async def commit(self) -> None:
        try:
            await self._transaction.commit()
        except DBAPIError as error:
            raise translated(error) from error

    async def __aenter__(self) -> Self:
        ambient = ambient_connection.get()
        try:
            if ambient is None:
                self.connection = await self._engine.connect()
                self._owns_connection = True
                self._transaction = await self.connection.begin()
            else:
                self.connection = ambient
                self._transaction = await ambient.begin_nested()
            await self.connection.execute(BIND_ORGANIZATION, {"organization": self._organization})
        except (OSError, DBAPIError, PoolTimeout) as error:
            if self._owns_connection:
                await self.connection.close()
            raise translated(error) from error
        self._open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._transaction.is_active:
                await self._transaction.rollback()
        finally:
            if self._owns_connection:
                await self.connection.close()
        if isinstance(error, DBAPIError | OSError):
            raise translated(error) from error


def translated(error: Exception) -> Exception:
    """Returns the refusal that a driver's error means to a caller, or the error itself when it is a fault of ours."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or getattr(error, "sqlstate", None) or ""
    if state == _LEGAL_HOLD:
        return UnderLegalHold("a legal hold forbids the removal of what is known of this person")
    if state in ("40001", "40P01"):
        return Conflict("the change lost against another one; repeat it")
    if (
        isinstance(error, OSError | InterfaceError | PoolTimeout)
        or (isinstance(error, OperationalError) and not state)
        or (isinstance(error, DBAPIError) and error.connection_invalidated)
        or state[:2] in ("08", "53", "57")
    ):
        return Unavailable("the database is away")
    return error
