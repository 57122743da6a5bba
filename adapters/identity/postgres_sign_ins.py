"""The usual sign-in in PostgreSQL: two functions of the database (migration 0011), each a transaction and one round trip."""

from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg

from adapters.identity.kafka import envelopes
from adapters.identity.personal_keys import OpenedKeys, keyed_index, plain_index
from adapters.shared.asyncpg_unit import translated
from domain.identity.events import IdentityEvent
from domain.identity.sessions import Session, SignInThrottle
from domain.identity.sign_ins import Seen, SeenAccount, SignIns
from domain.shared.caller import Role
from domain.shared.plans import plan_named

_REMEMBERED_SECONDS = 600.0
_MOST_REMEMBERED = 10_000
_POOL_SECONDS = 5.0

_LOOK = "SELECT * FROM look_at_sign_in($1, $2, $3, $4)"
_INDEX_KEY = "SELECT * FROM index_key_of($1)"
_START = "SELECT start_session_as_seen($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) AS started"


class PostgresSignIns(SignIns):
    """Addresses are found by organizations' index keys, which are never renewed and are remembered opened for ten minutes."""

    def __init__(self, pool: asyncpg.Pool, keys: OpenedKeys) -> None:
        self._pool = pool
        self._keys = keys
        self._index_keys: dict[str, tuple[bytes, float]] = {}

    async def look(self, organization: str, login: str, throttle_key: str) -> Seen:
        # An id never contains "@", an address always does.
        indexes = await self._indexes(organization, login.lower()) if "@" in login else None
        row = await self._ask(_LOOK, organization, login, indexes, throttle_key)
        throttle = SignInThrottle(throttle_key, row["failures"] or 0, row["last_failure_at"], row["locked_until"])
        account = None
        if row["user_id"] is not None:
            roles, active = frozenset(map(Role, row["roles"])), row["deactivated_at"] is None
            account = SeenAccount(row["user_id"], roles, active, row["hash"], row["factors"])
        return Seen(throttle, account, plan_named(row["plan"]))

    async def start(
        self,
        organization: str,
        throttle_key: str,
        account: SeenAccount,
        session: Session,
        digest: bytes,
        events: Sequence[IdentityEvent],
    ) -> bool:
        published = envelopes(events, organization)
        row = await self._ask(
            _START,
            organization,
            throttle_key,
            account.user,
            sorted(account.roles),
            account.password_hash,
            UUID(session.id),
            session.started_at,
            session.expires_at,
            session.authentication.at,
            sorted(session.authentication.methods),
            session.device,
            digest,
            [each.id for each in published],
            [each.type for each in published],
            [each.topic for each in published],
            [each.key for each in published],
            [each.occurred_at for each in published],
            [each.traceparent for each in published],
            [each.payload for each in published],
        )
        # The relay is not woken: nobody waits for these events, and what it finds when it looks by itself goes to the log together.
        return bool(row["started"])

    async def _indexes(self, organization: str, email: str) -> list[bytes]:
        key = await self._index_key(organization)
        return [plain_index(email)] if key is None else [keyed_index(key, email), plain_index(email)]

    async def _index_key(self, organization: str) -> bytes | None:
        """None for an organization without any address."""
        key, until = self._index_keys.get(organization, (b"", 0.0))
        if monotonic() < until:
            return key
        row = await self._ask(_INDEX_KEY, organization)
        if row["id"] is None:
            return None
        opened = await self._keys.open(organization, row["id"], row["wrapped"])
        if len(self._index_keys) >= _MOST_REMEMBERED:
            self._index_keys.clear()
        self._index_keys[organization] = (opened, monotonic() + _REMEMBERED_SECONDS)
        return opened

    async def _ask(self, statement: str, *given: Any) -> asyncpg.Record:
        """Returns the one row. Raises Unavailable."""
        try:
            async with self._pool.acquire(timeout=_POOL_SECONDS) as connection:
                try:
                    return await connection.fetchrow(statement, *given)
                except TimeoutError:
                    with suppress(asyncpg.InterfaceError):
                        connection.terminate()
                    await self._pool.expire_connections()  # their network is the same
                    raise
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
            raise translated(error) from error
