"""Item banks, test blueprints and test sessions in PostgreSQL: all that a test is, so that it survives whatever process served it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg

from adapters.assessment.codec import decode, encode
from adapters.assessment.kafka import attempt_envelope
from adapters.assessment.postgres import FIND_RESPONSE, KEEP_RESPONSES, columns_of, response_of
from adapters.shared.asyncpg_unit import AsyncpgUnit
from adapters.shared.outbox import add_to_outbox
from domain.assessment.model.items import Item
from domain.assessment.model.responses import ItemNotPublished, Response, cursor_at, place_at
from domain.assessment.ports import Banks, Blueprints, PinnedItems, SessionAnswers, Sessions, SittingUnit
from domain.assessment.testing import banks
from domain.assessment.testing.banks import Bank, BankVersion, BankVersionNotFound, ResponseModel
from domain.assessment.testing.blueprints import Blueprint, BlueprintExists, BlueprintNotFound
from domain.assessment.testing.sessions import Session, State, Step, Taking
from domain.shared.errors import RequestIdReused
from domain.shared.page import Page, PageRequest
from domain.shared.trace import current_traceparent

_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_ADD_VERSION = """
INSERT INTO item_bank_versions (organization_id, bank_id, version, request_id, model, calibration, item_count, items, publish_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
"""
_SUMMARY = "bank_id, version, model, calibration, item_count, publish_time"
_GET_VERSION = f"SELECT {_SUMMARY}, items FROM item_bank_versions WHERE organization_id = $1 AND bank_id = $2 AND version = $3"  # noqa: S608  # names are ours
_VERSIONS = f"""
SELECT {_SUMMARY} FROM item_bank_versions
WHERE organization_id = $1 AND bank_id = $2
  AND ($3::timestamptz IS NULL OR (publish_time, version) < ($3, $4::text))
ORDER BY publish_time DESC, version DESC LIMIT $5
"""  # noqa: S608  # names are ours
_BANKS = f"""
SELECT DISTINCT ON (bank_id) {_SUMMARY}, count(*) OVER (PARTITION BY bank_id)::integer AS version_count FROM item_bank_versions
WHERE organization_id = $1 AND bank_id > $2 AND ($3::text IS NULL OR bank_id = $3)
ORDER BY bank_id, publish_time DESC, version DESC LIMIT $4
"""  # noqa: S608  # names are ours
_ADD_BLUEPRINT = """
INSERT INTO test_blueprints (organization_id, id, request_id, document, pool, create_time) VALUES ($1, $2, $3, $4, $5, $6)
"""
_BLUEPRINT = "SELECT document, pool, create_time, retire_time FROM test_blueprints WHERE organization_id = $1 AND "
_BLUEPRINTS = """
SELECT document, '[]' AS pool, create_time, retire_time FROM test_blueprints WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3
"""
_RETIRED_AT = "SELECT retire_time FROM test_blueprints WHERE organization_id = $1 AND id = $2"
_RETIRE = "UPDATE test_blueprints SET retire_time = $3 WHERE organization_id = $1 AND id = $2 AND retire_time IS NULL"
_SESSION = """
SELECT id::text AS id, learner_id, blueprint_id, title, min_length, max_length, start_time, deadline, state, end_time, answered_count,
  result
FROM test_sessions WHERE organization_id = $1 AND
"""
_FIND_SESSION = _SESSION + "id = $2 FOR UPDATE"
_PAGE = (
    _SESSION
    + """learner_id = $2 AND (start_time, id) < (coalesce($3, timestamptz 'infinity'), $4::uuid)
ORDER BY start_time DESC, test_sessions.id DESC LIMIT $5
"""
)
_TAKINGS = """
SELECT id::text AS id, state, end_time, deadline FROM test_sessions
WHERE organization_id = $1 AND learner_id = $2 AND blueprint_id = $3
"""
_STEPS = """
SELECT item_id, item_revision, serve_time, selection, response_id::text AS response_id, correct, score, answer_time
FROM test_steps WHERE organization_id = $1 AND session_id = $2 ORDER BY position
"""
_SAVE_SESSION = """
INSERT INTO test_sessions (organization_id, id, learner_id, blueprint_id, title, min_length, max_length, start_time, deadline, state,
  end_time, answered_count, result)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (organization_id, id) DO UPDATE
SET state = excluded.state, end_time = excluded.end_time, answered_count = excluded.answered_count, result = excluded.result
"""
_SAVE_STEP = """
INSERT INTO test_steps (organization_id, session_id, position, item_id, item_revision, serve_time, selection, response_id, correct,
  score, answer_time)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (organization_id, session_id, position) DO UPDATE
SET response_id = excluded.response_id, correct = excluded.correct, score = excluded.score, answer_time = excluded.answer_time
"""
_UNSEAL = "UPDATE responses SET sealed = false WHERE organization_id = $1 AND test_session_id = $2"
_REVISION = "SELECT content FROM item_revisions WHERE organization_id = $1 AND item_id = $2 AND revision = $3"


class PostgresBanks(Banks):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, version: BankVersion, request_id: str) -> BankVersion:
        await self._connection.execute(
            _ADD_VERSION,
            self._organization,
            version.bank,
            version.version,
            request_id,
            version.model,
            version.calibration,
            version.item_count,
            encode(version.items),
            version.published_at,
        )
        row = await self._connection.fetchrow(_GET_VERSION, self._organization, version.bank, version.version)
        if row is None:
            raise RequestIdReused(f"request_id {request_id} was used for another item bank version")
        return _version(row)

    async def get(self, bank: str, version: str) -> BankVersion:
        row = await self._connection.fetchrow(_GET_VERSION, self._organization, bank, version)
        if row is None:
            raise BankVersionNotFound(f"item bank {bank} has no version {version}")
        return _version(row)

    async def versions(self, bank: str, request: PageRequest) -> Page[BankVersion]:
        time, after = banks.place_at(request.after) if request.after else (None, "")
        rows = await self._connection.fetch(_VERSIONS, self._organization, bank, time, after, request.size + 1)
        found = tuple(_version(row) for row in rows[: request.size])
        return Page(found, banks.cursor_at(found[-1].place) if len(rows) > request.size else None)

    async def find(self, bank: str) -> Bank | None:
        row = await self._connection.fetchrow(_BANKS, self._organization, "", bank, 1)
        return Bank(_version(row), row["version_count"]) if row else None

    async def page(self, request: PageRequest) -> Page[Bank]:
        after = request.after[0] if request.after else ""
        rows = await self._connection.fetch(_BANKS, self._organization, after, None, request.size + 1)
        found = tuple(Bank(_version(row), row["version_count"]) for row in rows[: request.size])
        return Page(found, (found[-1].newest.bank,) if len(rows) > request.size else None)


def _version(row: asyncpg.Record) -> BankVersion:
    return BankVersion(
        bank=row["bank_id"],
        version=row["version"],
        model=ResponseModel(row["model"]),
        calibration=row["calibration"],
        item_count=row["item_count"],
        published_at=row["publish_time"],
        items=decode(row["items"]) if "items" in row else (),
    )


class PostgresBlueprints(Blueprints):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, blueprint: Blueprint, request_id: str) -> None:
        document = encode(replace(blueprint, pool=(), created_at=None, retired_at=None))
        values = (blueprint.id, request_id, document, encode(blueprint.pool), blueprint.created_at)
        try:
            await self._connection.execute(_ADD_BLUEPRINT, self._organization, *values)
        except asyncpg.UniqueViolationError as error:
            if "request_id" in str(error.constraint_name):
                raise RequestIdReused(f"request_id {request_id} was used for another blueprint") from error
            raise BlueprintExists(f"there is a test blueprint {blueprint.id} already") from error

    async def created_by(self, request_id: str) -> Blueprint | None:
        row = await self._connection.fetchrow(_BLUEPRINT + "request_id = $2", self._organization, request_id)
        return _blueprint(row) if row else None

    async def get(self, blueprint: str) -> Blueprint:
        row = await self._connection.fetchrow(_BLUEPRINT + "id = $2", self._organization, blueprint)
        if row is None:
            raise BlueprintNotFound(f"no test blueprint {blueprint}")
        return _blueprint(row)

    async def page(self, request: PageRequest) -> Page[Blueprint]:
        after = request.after[0] if request.after else ""
        rows = await self._connection.fetch(_BLUEPRINTS, self._organization, after, request.size + 1)
        found = tuple(map(_blueprint, rows[: request.size]))
        return Page(found, (found[-1].id,) if len(rows) > request.size else None)

    async def retired_at(self, blueprint: str) -> datetime | None:
        moment: datetime | None = await self._connection.fetchval(_RETIRED_AT, self._organization, blueprint)
        return moment

    async def retire(self, blueprint: str, now: datetime) -> None:
        await self._connection.execute(_RETIRE, self._organization, blueprint, now)


def _blueprint(row: asyncpg.Record) -> Blueprint:
    found: Blueprint = decode(row["document"])
    return replace(found, pool=decode(row["pool"]), created_at=row["create_time"], retired_at=row["retire_time"])


class PostgresSessions(Sessions):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def lock(self, learner: str, blueprint: str) -> None:
        place = f"{self._organization}/{learner}/testBlueprints/{blueprint}"
        await self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", place)

    async def find(self, session: str) -> Session | None:
        row = await self._connection.fetchrow(_FIND_SESSION, self._organization, session)
        if row is None:
            return None
        steps = await self._connection.fetch(_STEPS, self._organization, session)
        return replace(_session(row), steps=tuple(map(_step, steps)))

    async def takings(self, learner: str, blueprint: str) -> tuple[Taking, ...]:
        rows = await self._connection.fetch(_TAKINGS, self._organization, learner, blueprint)
        return tuple(Taking(row["id"], State(row["state"]), row["end_time"], row["deadline"]) for row in rows)

    async def save(self, session: Session) -> None:
        await self._connection.execute(
            _SAVE_SESSION,
            self._organization,
            session.id,
            session.learner,
            session.blueprint,
            session.title,
            session.min_length,
            session.max_length,
            session.started_at,
            session.deadline,
            session.state,
            session.ended_at,
            session.answered_count,
            encode(session.result) if session.result else None,
        )
        # The step that was answered, and the one that was served then.
        changed = [*enumerate(session.steps)][-2:]
        await self._connection.executemany(
            _SAVE_STEP,
            [
                (
                    self._organization,
                    session.id,
                    position,
                    step.item,
                    step.revision,
                    step.served_at,
                    encode(step.selection),
                    step.response or None,
                    step.correct,
                    step.score,
                    step.answered_at,
                )
                for position, step in changed
            ],
        )

    async def page(self, learner: str, request: PageRequest) -> Page[Session]:
        time, after = place_at(request.after) if request.after else (None, _LAST_ID)
        rows = await self._connection.fetch(_PAGE, self._organization, learner, time, after, request.size + 1)
        found = tuple(map(_session, rows[: request.size]))
        last = cursor_at((found[-1].started_at, found[-1].id)) if len(rows) > request.size else None
        return Page(found, last)


def _session(row: asyncpg.Record) -> Session:
    return Session(
        id=row["id"],
        learner=row["learner_id"],
        blueprint=row["blueprint_id"],
        title=row["title"],
        min_length=row["min_length"],
        max_length=row["max_length"],
        started_at=row["start_time"],
        deadline=row["deadline"],
        state=State(row["state"]),
        ended_at=row["end_time"],
        answered_count=row["answered_count"],
        result=decode(row["result"]) if row["result"] else None,
    )


def _step(row: asyncpg.Record) -> Step:
    return Step(
        item=row["item_id"],
        revision=row["item_revision"],
        served_at=row["serve_time"],
        selection=decode(row["selection"]),
        response=row["response_id"] or "",
        correct=row["correct"],
        score=row["score"],
        answered_at=row["answer_time"],
    )


class PostgresSessionAnswers(SessionAnswers):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, response: Response, skills: Sequence[str]) -> None:
        if not await self._connection.fetch(KEEP_RESPONSES, self._organization, *columns_of([response])):
            raise RequestIdReused(f"request_id {response.id} was used for another response")
        await add_to_outbox(self._connection, [attempt_envelope(self._organization, response, skills, current_traceparent.get())])

    async def find(self, response_id: str) -> Response | None:
        row = await self._connection.fetchrow(FIND_RESPONSE, self._organization, response_id)
        return response_of(row) if row else None

    async def unseal(self, session: str) -> None:
        await self._connection.execute(_UNSEAL, self._organization, session)


class PostgresPinnedItems(PinnedItems):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def get(self, item: str, revision: int) -> Item:
        content = await self._connection.fetchval(_REVISION, self._organization, item, revision)
        if content is None:
            raise ItemNotPublished(f"revision {revision} of item {item} was never published")
        found: Item = decode(content)
        return found


class PostgresSittingUnit(AsyncpgUnit, SittingUnit):
    def _open(self) -> None:
        self.banks = PostgresBanks(self.connection, self._organization)
        self.blueprints = PostgresBlueprints(self.connection, self._organization)
        self.sessions = PostgresSessions(self.connection, self._organization)
        self.answers = PostgresSessionAnswers(self.connection, self._organization)
        self.items = PostgresPinnedItems(self.connection, self._organization)
