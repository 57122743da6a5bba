"""The scheduler's durable side, by asyncpg: whole batches in single statements."""

from collections.abc import Collection, Mapping, Sequence

import asyncpg

from adapters.scheduler.encoding import decoded_publication, decoded_state, encoded_publication, encoded_state
from adapters.scheduler.kafka import DECISION_MADE, DECISIONS, decision_in, decision_made
from adapters.shared.asyncpg_unit import AsyncpgUnit, translated
from adapters.shared.outbox import wake_relay
from domain.scheduler.model import Decision, DecisionNotFound, Publication
from domain.scheduler.ports import (
    DecisionLog,
    DifficultyRepository,
    PublicationRepository,
    SchedulerUnit,
    StateRepository,
)
from domain.scheduler.state import LearnerState
from domain.shared.coalescer import Coalescer
from domain.shared.events import EventEnvelope

_MOST_DECISIONS = 64


class PostgresStates(StateRepository):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def of(self, learners: Collection[str]) -> dict[str, LearnerState]:
        rows = await self._connection.fetch(
            "SELECT learner, state FROM learner_states WHERE learner = ANY($1::text[])", list(learners)
        )
        known = {row["learner"]: decoded_state(row["state"]) for row in rows}
        return {learner: known.get(learner) or LearnerState.new() for learner in learners}

    async def save(self, states: Mapping[str, LearnerState]) -> None:
        learners = sorted(states)  # rows are locked in one order, so that two batches never wait for each other
        await self._connection.execute(
            """
            INSERT INTO learner_states AS held (organization_id, learner, sequence, revision, state)
            SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bytea[])
            ON CONFLICT (organization_id, learner) DO UPDATE
            SET sequence = excluded.sequence, revision = excluded.revision, state = excluded.state
            WHERE (held.sequence, held.revision) < (excluded.sequence, excluded.revision)
            """,
            self._organization,
            learners,
            [states[each].sequence for each in learners],
            [states[each].revision for each in learners],
            [encoded_state(states[each]) for each in learners],
        )


class PostgresDifficulties(DifficultyRepository):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def of(self, items: Collection[str]) -> dict[str, float]:
        rows = await self._connection.fetch(
            "SELECT item, difficulty FROM item_difficulties WHERE item = ANY($1::text[])", list(items)
        )
        return {row["item"]: row["difficulty"] for row in rows}

    async def save(self, difficulties: Mapping[str, float]) -> None:
        items = sorted(difficulties)
        await self._connection.execute(
            """
            INSERT INTO item_difficulties (organization_id, item, difficulty)
            SELECT $1, * FROM unnest($2::text[], $3::float8[])
            ON CONFLICT (organization_id, item) DO UPDATE SET difficulty = excluded.difficulty
            """,
            self._organization,
            items,
            [difficulties[each] for each in items],
        )


class PostgresPublications(PublicationRepository):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def newest(self, course: str) -> Publication | None:
        row = await self._connection.fetchrow(
            "SELECT number, content FROM publications WHERE course = $1 ORDER BY number DESC LIMIT 1", course
        )
        return row and decoded_publication(course, row["number"], row["content"])

    async def newest_number(self, course: str) -> int:
        number: int | None = await self._connection.fetchval("SELECT max(number) FROM publications WHERE course = $1", course)
        return number or 0

    async def save(self, publication: Publication) -> None:
        await self._connection.execute(
            """
            INSERT INTO publications (organization_id, course, number, content) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
            """,
            self._organization,
            publication.course,
            publication.number,
            encoded_publication(publication),
        )


class PostgresSchedulerUnit(AsyncpgUnit, SchedulerUnit):
    def _open(self) -> None:
        self.states = PostgresStates(self.connection, self._organization)
        self.difficulties = PostgresDifficulties(self.connection, self._organization)
        self.publications = PostgresPublications(self.connection, self._organization)


class PostgresDecisionLog(DecisionLog):
    """Records of concurrent requests share a transaction and its one round trip, so that durability costs little under load."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._inserts: Coalescer[EventEnvelope, bytes] = Coalescer(self.add_records, _MOST_DECISIONS)

    async def add(self, organization: str, decision: Decision) -> Decision:
        envelope = decision_made(organization, decision)
        held = await self._inserts(organization, envelope)
        return decision if held is envelope.payload else decision_in(held)

    async def keep(self, organization: str, decision: Decision) -> Decision:
        return await self.add(organization, decision)

    async def get(self, organization: str, decision_id: str) -> Decision:
        async with AsyncpgUnit(self._pool, organization) as unit:
            record: bytes | None = await unit.connection.fetchval("SELECT record FROM decisions WHERE id = $1", decision_id)
        if record is None:
            raise DecisionNotFound(f"no decision {decision_id}")
        return decision_in(record)

    async def add_records(self, organization: str, records: Sequence[EventEnvelope]) -> list[bytes]:
        """Makes records of one organization durable and returns, for each, the payload that its id has now: its own, or the one that had the
        id already. Raises ValueError when the database refuses what one of them says."""
        first = {each.id: each for each in reversed(records)}
        rows = [
            first[decision_id] for decision_id in sorted(first)
        ]  # ids are locked in one order, so that two batches never wait for each other
        try:
            held = await self._pool.fetch(
                "SELECT held_id, held_record FROM add_decisions($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                organization,
                [each.id for each in rows],
                [each.key.removeprefix("learners/") for each in rows],
                [each.occurred_at for each in rows],
                [each.payload for each in rows],
                DECISION_MADE,
                DECISIONS,
                [each.key for each in rows],
                [each.traceparent for each in rows],
            )
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            raise ValueError(str(error)) from error
        except Exception as error:
            raise translated(error) from error
        wake_relay("scheduler")
        now = {each.id: each.payload for each in rows} | {row["held_id"]: row["held_record"] for row in held}
        return [now[each.id] for each in records]
