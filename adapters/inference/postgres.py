"""Models and histories in PostgreSQL. Row-level security confines every statement to the unit's organization."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Float,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    bindparam,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.inference.kafka import envelope
from adapters.shared.outbox import add_to_outbox
from adapters.shared.postgres import PostgresUnit
from domain.inference.history import Entry, with_entries
from domain.inference.model import (
    ModelAlreadyExists,
    ModelChange,
    ModelNotFound,
    PredictionsCompared,
    RegisteredModel,
)
from domain.inference.ports import EventOutbox, HistoryRepository, InferenceUnit, ModelRepository
from domain.shared.page import Page, PageRequest
from domain.shared.rollout import IN_USE, Stage, Standing

_schema = MetaData()
models = Table(
    "models",
    _schema,
    Column("organization_id", Text),
    Column("id", Text),
    Column("kind", Text),
    Column("version", Text),
    Column("digest", Text),
    Column("size", BigInteger),
    Column("created_at", DateTime(timezone=True)),
    Column("description", Text),
    Column("evaluation", JSONB),
    Column("stage", Text),
    Column("share", Float),
    Column("replaced", Text),
    Column("revision", BigInteger),
)
model_changes = Table(
    "model_changes",
    _schema,
    Column("organization_id", Text),
    Column("model", Text),
    Column("revision", BigInteger),
    Column("after", JSONB),
    Column("changed_by", Text),
    Column("changed_at", DateTime(timezone=True)),
)
learner_histories = Table(
    "learner_histories",
    _schema,
    Column("organization_id", Text),
    Column("learner", Text),
    Column("entries", LargeBinary),
)
_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended('inference models ' || :organization, 0))")


class PostgresModels(ModelRepository):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def hold(self) -> None:
        # Two models depend on each other's stage.
        await self._connection.execute(_HOLD, {"organization": self._organization})

    async def get(self, model_id: str) -> RegisteredModel:
        row = (await self._connection.execute(select(models).where(models.c.id == model_id))).one_or_none()
        if row is None:
            raise ModelNotFound(f"no model {model_id}")
        return _model(row)

    async def in_use(self) -> Sequence[RegisteredModel]:
        wanted = select(models).where(models.c.stage.in_(IN_USE)).order_by(models.c.id)
        return [_model(row) for row in await self._connection.execute(wanted)]

    async def page(self, request: PageRequest) -> Page[RegisteredModel]:
        after = request.after[0] if request.after else ""
        wanted = select(models).where(models.c.id > after).order_by(models.c.id).limit(request.size + 1)
        rows = (await self._connection.execute(wanted)).all()
        found = tuple(map(_model, rows[: request.size]))
        return Page(found, (found[-1].id,) if len(rows) > request.size else None)

    async def add(self, model: RegisteredModel) -> None:
        row = {
            "organization_id": self._organization,
            "id": model.id,
            "kind": model.kind,
            "version": model.version,
            "digest": model.digest,
            "size": model.size,
            "created_at": model.created_at,
            "description": model.description,
            "evaluation": dict(model.evaluation),
            **asdict(model.standing),
        }
        added = await self._connection.execute(insert_or_skip(models).on_conflict_do_nothing(), row)
        if added.rowcount == 0:
            raise ModelAlreadyExists(f"model {model.id} exists already")

    async def save(self, model: RegisteredModel, change: ModelChange) -> None:
        standing = asdict(model.standing)
        await self._connection.execute(update(models).where(models.c.id == model.id).values(standing))
        row = {
            "organization_id": self._organization,
            "model": change.model,
            "revision": change.after.revision,
            "after": asdict(change.after),
            "changed_by": change.by,
            "changed_at": change.at,
        }
        await self._connection.execute(insert(model_changes), row)

    async def changes(self, model_id: str) -> Sequence[ModelChange]:
        wanted = select(model_changes).where(model_changes.c.model == model_id).order_by(model_changes.c.revision)
        rows = await self._connection.execute(wanted)
        return [ModelChange(row.model, _standing(row.after), row.changed_by, row.changed_at) for row in rows]


class PostgresHistories(HistoryRepository):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def of(self, learners: Sequence[str]) -> Mapping[str, tuple[Entry, ...]]:
        wanted = select(learner_histories).where(learner_histories.c.learner.in_(learners))
        return {row.learner: _entries(row.entries) for row in await self._connection.execute(wanted)}

    async def add(self, entries: Mapping[str, Sequence[Entry]]) -> None:
        if not entries:
            return
        # Rows are taken in the order of learners, so that two batches never wait for each other in a ring.
        learners = sorted(entries)
        new = [{"organization_id": self._organization, "learner": each, "entries": b"[]"} for each in learners]
        await self._connection.execute(insert_or_skip(learner_histories).on_conflict_do_nothing(), new)
        its = learner_histories.c.learner
        held = select(learner_histories).where(its.in_(learners)).order_by(its).with_for_update()
        rows = (await self._connection.execute(held)).all()
        await self._connection.execute(
            update(learner_histories).where(its == bindparam("of")).values(entries=bindparam("now")),
            [{"of": row.learner, "now": _stored(with_entries(_entries(row.entries), entries[row.learner]))} for row in rows],
        )


class PostgresEvents(EventOutbox):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, event: PredictionsCompared) -> None:
        await add_to_outbox(self._connection, [envelope(self._organization, event)])


class PostgresInferenceUnit(PostgresUnit, InferenceUnit):
    def _open(self) -> None:
        self.models = PostgresModels(self.connection, self._organization)
        self.histories = PostgresHistories(self.connection, self._organization)
        self.events = PostgresEvents(self.connection, self._organization)


def _model(row: Row[Any]) -> RegisteredModel:
    return RegisteredModel(
        id=row.id,
        kind=row.kind,
        version=row.version,
        digest=row.digest,
        size=row.size,
        created_at=row.created_at,
        description=row.description,
        evaluation=row.evaluation,
        standing=Standing(Stage(row.stage), row.share, row.replaced, row.revision),
    )


def _standing(told: Mapping[str, Any]) -> Standing:
    return Standing(Stage(told["stage"]), told["share"], told["replaced"], told["revision"])


def _stored(entries: Sequence[Entry]) -> bytes:
    return orjson.dumps([tuple(each) for each in entries])


def _entries(stored: bytes) -> tuple[Entry, ...]:
    return tuple(
        [
            Entry(at, sequence, attempt, item, tuple(skills), correct)
            for at, sequence, attempt, item, skills, correct in orjson.loads(stored)
        ]
    )
