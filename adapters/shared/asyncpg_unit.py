"""The unit of work for the hot contexts: raw asyncpg, prepared statements, one transaction bound to one organization."""

import re
from contextlib import suppress
from types import TracebackType
from typing import Self

import asyncpg

from adapters.shared.outbox import add_to_outbox
from domain.shared.acts import act_in_progress
from domain.shared.errors import Conflict, Unavailable

_SAFE = re.compile(r"[A-Za-z0-9_-]{1,63}")
# A connection that broke in the middle of an answer is in a state that the driver calls an error of its own.
_DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
# Undoing costs the server nothing: one that does not answer by then does not answer at all.
_ROLLBACK_SECONDS = 5.0


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
        act = act_in_progress.get()
        try:
            if act is not None and not act.recorded:
                await add_to_outbox(self.connection, [act.envelope])
            await self.connection.execute("COMMIT")
            if act is not None:
                act.recorded = True
        except BaseException as error:
            # Cancelled or broken in the middle, its transaction must not leak to the connection's next user.
            await self._discard(error)
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
            await self._discard(error)
            await self._release()
            raise (translated(error) if isinstance(error, Exception) else error) from error
        self._active = True
        self._open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if isinstance(error, TimeoutError):
                await self._discard(error)  # it does not answer: asking it to undo would be waiting again
            elif self._active and not self.connection.is_closed():
                await self.connection.execute("ROLLBACK", timeout=_ROLLBACK_SECONDS)
        except _DRIVER_ERRORS as trouble:
            await self._discard(trouble)  # the server undoes what a broken connection had begun
        finally:
            await self._release()
        if isinstance(error, _DRIVER_ERRORS):
            raise translated(error) from error

    async def _discard(self, error: BaseException) -> None:
        """Ends the connection; when it was silent, the pool's others too, as soon as they are asked for: their network is the same."""
        with suppress(asyncpg.InterfaceError):  # the pool has noticed already that the connection is broken
            self.connection.terminate()
        if isinstance(error, TimeoutError):
            await self._pool.expire_connections()

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
