"""Legal holds: placed, listed, released. They are never removed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg

_OUTBOX = """
INSERT INTO identity.outbox (organization_id, event_id, type, topic, key, occurred_at, traceparent, payload)
VALUES ($1, $2, $3, 'audit.acts', 'acts', $4, '', $5)
"""
_CANCEL = """
UPDATE identity.privacy_jobs SET state = 'CANCELLED', finished_at = $3
WHERE organization_id = $1 AND kind = 'ERASURE' AND state = 'WAITING' AND ($2 = '' OR user_id = $2)
"""


class HoldRefused(Exception):
    """What was asked for cannot be done; the text says why."""


@dataclass(frozen=True, slots=True)
class Hold:
    """`user` is empty where the whole organization is held."""

    id: str
    organization: str
    user: str
    reason: str
    placed_by: str
    placed_at: datetime
    released_by: str = ""
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """What the audit log is told, in the transaction of the change."""

    type: str
    payload: bytes


AuditAct = Callable[[str, Hold], Act]
"""Makes the act of a verb (`PlaceHold`, `ReleaseHold`) on a hold."""


async def place(connection: asyncpg.Connection, hold: Hold, audit: AuditAct) -> tuple[Hold, int]:
    """Returns the open hold, the one that is there already if so, and how many waiting erasures it has cancelled. Raises HoldRefused."""
    async with connection.transaction():
        if not await connection.fetchval("SELECT true FROM identity.organizations WHERE organization_id = $1", hold.organization):
            raise HoldRefused(f"there is no organization {hold.organization}")
        if hold.user and not await connection.fetchval(
            "SELECT true FROM identity.users WHERE organization_id = $1 AND id = $2", hold.organization, hold.user
        ):
            raise HoldRefused(f"{hold.organization} has no user {hold.user}")
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 5))", f"hold {hold.organization}/{hold.user}")
        query = "SELECT * FROM identity.holds WHERE organization_id = $1 AND user_id = $2 AND released_at IS NULL"
        if row := await connection.fetchrow(query, hold.organization, hold.user):
            return _hold(row), 0
        await connection.execute(
            "INSERT INTO identity.holds (organization_id, id, user_id, reason, placed_by, placed_at) VALUES ($1, $2, $3, $4, $5, $6)",
            hold.organization,
            UUID(hold.id),
            hold.user,
            hold.reason,
            hold.placed_by,
            hold.placed_at,
        )
        cancelled = await connection.execute(_CANCEL, hold.organization, hold.user, hold.placed_at)
        await _tell(connection, hold, hold.placed_at, audit("PlaceHold", hold))
    return hold, int(cancelled.rpartition(" ")[2])


async def release(connection: asyncpg.Connection, hold_id: str, by: str, now: datetime, audit: AuditAct) -> Hold:
    """Returns the hold, released now or before. Raises HoldRefused when there is none of that id."""
    try:
        id = UUID(hold_id)
    except ValueError:
        raise HoldRefused(f"{hold_id} is no id of a hold: see `paideia hold list`") from None
    async with connection.transaction():
        row = await connection.fetchrow("SELECT * FROM identity.holds WHERE id = $1 FOR UPDATE", id)
        if row is None:
            raise HoldRefused(f"there is no hold {hold_id}")
        if row["released_at"] is None:
            update = "UPDATE identity.holds SET released_by = $2, released_at = $3 WHERE id = $1 RETURNING *"
            row = await connection.fetchrow(update, id, by, now)
            await _tell(connection, _hold(row), now, audit("ReleaseHold", _hold(row)))
    return _hold(row)


async def holds(connection: asyncpg.Connection, released: bool) -> list[Hold]:
    """The open holds, oldest first; with the released ones if asked for."""
    rows = await connection.fetch("SELECT * FROM identity.holds WHERE $1 OR released_at IS NULL ORDER BY placed_at, id", released)
    return [_hold(row) for row in rows]


async def _tell(connection: asyncpg.Connection, hold: Hold, now: datetime, act: Act) -> None:
    await connection.execute(_OUTBOX, hold.organization, uuid4(), act.type, now, act.payload)


def _hold(row: asyncpg.Record) -> Hold:
    return Hold(
        str(row["id"]),
        row["organization_id"],
        row["user_id"],
        row["reason"],
        row["placed_by"],
        row["placed_at"],
        row["released_by"],
        row["released_at"],
    )
