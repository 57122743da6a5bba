"""The audit log in PostgreSQL. Row-level security confines every statement to the unit's organization."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, MetaData, Row, Table, Text, insert, select, text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.audit.kafka import envelope
from adapters.shared.outbox import add_to_outbox
from adapters.shared.postgres import PostgresUnit
from domain.audit.model import Act, Head, Link, Outcome
from domain.audit.ports import ActFilter, AuditUnit, Chain, HeadOutbox
from domain.shared.clock import system_clock
from domain.shared.errors import InvalidInput
from domain.shared.page import Page, PageRequest

_schema = MetaData()
acts = Table(
    "acts",
    _schema,
    Column("organization_id", Text),
    Column("sequence", BigInteger),
    Column("event_id", UUID(as_uuid=False)),
    Column("occurred_at", DateTime(timezone=True)),
    Column("recorded_at", DateTime(timezone=True)),
    Column("actor", Text),
    Column("act", Text),
    Column("target", Text),
    Column("outcome", Text),
    Column("reason", Text),
    Column("address", Text),
    Column("trace_id", Text),
    Column("count", BigInteger, key="times"),
    Column("previous", LargeBinary),
    Column("hash", LargeBinary),
)
heads = Table("heads", _schema, Column("organization_id", Text), Column("sequence", BigInteger), Column("signature", Text))
_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended('acts of ' || :organization, 0))")
_LARGEST = 2**63 - 1


class PostgresChain(Chain):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def hold(self) -> None:
        await self._connection.execute(_HOLD, {"organization": self._organization})

    async def tip(self) -> Link | None:
        row = (await self._connection.execute(select(acts).order_by(acts.c.sequence.desc()).limit(1))).first()
        return _link(row) if row else None

    async def known(self, event_ids: Collection[str]) -> frozenset[str]:
        found = await self._connection.execute(select(acts.c.event_id).where(acts.c.event_id.in_(event_ids)))
        return frozenset(found.scalars())

    async def add(self, links: Sequence[Link]) -> None:
        rows = [
            {
                "organization_id": each.organization,
                "sequence": each.sequence,
                "event_id": each.act.event_id,
                "occurred_at": each.act.occurred_at,
                "recorded_at": each.recorded_at,
                "actor": each.act.actor,
                "act": each.act.act,
                "target": each.act.target,
                "outcome": str(each.act.outcome),
                "reason": each.act.reason,
                "address": each.act.address,
                "trace_id": each.act.trace_id,
                "times": each.act.count,
                "previous": each.previous,
                "hash": each.hash,
            }
            for each in links
        ]
        await self._connection.execute(insert(acts), rows)

    async def links(self, after: int, most: int) -> list[Link]:
        query = select(acts).where(acts.c.sequence > after).order_by(acts.c.sequence).limit(most)
        return [_link(row) for row in await self._connection.execute(query)]

    async def page(self, wanted: ActFilter, request: PageRequest) -> Page[Link]:
        query = select(acts).order_by(acts.c.sequence).limit(request.size + 1)
        if request.after is not None:
            query = query.where(acts.c.sequence > sequence_in(request.after))
        if wanted.start is not None:
            query = query.where(acts.c.recorded_at >= wanted.start)
        if wanted.end is not None:
            query = query.where(acts.c.recorded_at < wanted.end)
        if wanted.actor:
            query = query.where(acts.c.actor == wanted.actor)
        if wanted.act:
            query = query.where(acts.c.act == wanted.act)
        rows = (await self._connection.execute(query)).all()
        found = tuple(_link(row) for row in rows[: request.size])
        return Page(found, (str(found[-1].sequence),) if len(rows) > request.size else None)

    async def add_head(self, head: Head) -> None:
        values = {"organization_id": self._organization, "sequence": head.sequence, "signature": head.signature}
        await self._connection.execute(insert(heads).values(**values))

    async def heads(self, after: int, through: int | None) -> list[Head]:
        within = heads.c.sequence.between(after + 1, _LARGEST if through is None else through)
        found = await self._connection.execute(select(heads).where(within).order_by(heads.c.sequence))
        return [Head(row.sequence, row.signature) for row in found]

    async def newest_head(self) -> Head | None:
        row = (await self._connection.execute(select(heads).order_by(heads.c.sequence.desc()).limit(1))).first()
        return Head(row.sequence, row.signature) if row else None


class PostgresHeadOutbox(HeadOutbox):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, head: Head) -> None:
        await add_to_outbox(self._connection, [envelope(self._organization, head, system_clock())])


class PostgresAuditUnit(PostgresUnit, AuditUnit):
    def _open(self) -> None:
        self.chain = PostgresChain(self.connection, self._organization)
        self.outbox = PostgresHeadOutbox(self.connection, self._organization)


def sequence_in(cursor: tuple[str, ...]) -> int:
    """The number that a page's cursor stands for. Raises InvalidInput."""
    if len(cursor) != 1 or not cursor[0].isascii() or not cursor[0].isdigit() or int(cursor[0]) > _LARGEST:
        raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged")
    return int(cursor[0])


def _link(row: Row[Any]) -> Link:
    act = Act(
        row.event_id,
        row.occurred_at,
        row.actor,
        row.act,
        row.target,
        Outcome(row.outcome),
        row.reason,
        row.address,
        row.trace_id,
        row.times,
    )
    return Link(row.organization_id, row.sequence, row.recorded_at, act, bytes(row.previous), bytes(row.hash))
