"""The unit of work for the hot contexts: raw asyncpg, prepared statements, one transaction bound to one organization."""

import re
from contextlib import suppress
from types import TracebackType
from typing import Self

import asyncpg

from domain.shared.errors import Conflict, Unavailable

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,63}")
# A connection that broke in the middle of an answer is in a state that the driver calls an error of its own.
_DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class AsyncpgUnit:
    """One transaction; leaving it without commit() undoes it. Row-level security shows and accepts only rows of `organization`."""

    connection: asyncpg.Connection

    def __init__(self, pool: asyncpg.Pool, organization: str) -> None:
        if not _SAFE.fullmatch(organization):  # it is written into SQL below
            raise ValueError(f"not an organization id: {organization!r}")
        self._pool = pool
        self._organization = organization
        self._active = False

    def _open(self) -> None:
        """Builds the repositories on `self.connection`."""

    async def commit(self) -> None:
        try:
            await self.connection.execute("COMMIT")
        except BaseException as error:
            # Cancelled or broken in the middle, its transaction must not leak to the connection's next user.
            self._discard()
            raise (translated(error) if isinstance(error, Exception) else error) from error
        finally:
            self._active = False

    async def __aenter__(self) -> Self:
        try:
            self.connection = await self._pool.acquire(timeout=5)
        except _DRIVER_ERRORS as error:
            raise translated(error) from error
        try:
            # One round trip opens the transaction and binds the tenant.
            await self.connection.execute(f"BEGIN; SET LOCAL paideia.organization = '{self._organization}'")
        except BaseException as error:
            # In doubt about what the server did, the connection is not used again.
            self._discard()
            await self._release()
            raise (translated(error) if isinstance(error, Exception) else error) from error
        self._active = True
        self._open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._active and not self.connection.is_closed():
                await self.connection.execute("ROLLBACK")
        except _DRIVER_ERRORS:
            self._discard()  # the server undoes what a broken connection had begun
        finally:
            await self._release()
        if isinstance(error, _DRIVER_ERRORS):
            raise translated(error) from error

    def _discard(self) -> None:
        with suppress(asyncpg.InterfaceError):  # the pool has noticed already that the connection is broken
            self.connection.terminate()

    async def _release(self) -> None:
        with suppress(*_DRIVER_ERRORS):
            await self._pool.release(self.connection)


def translated(error: Exception) -> Exception:
    """Returns the refusal that a driver's error means to a caller, or the error itself when it is a fault of ours."""
    state = getattr(error, "sqlstate", None) or ""
    if state in ("40001", "40P01"):
        return Conflict("the change lost against another one; repeat it")
    if isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError) or state[:2] in ("08", "53", "57"):
        return Unavailable("the database is away")
    return error
