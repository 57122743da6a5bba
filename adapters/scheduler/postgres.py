"""The scheduler's durable side, by asyncpg: whole batches in single statements."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import asyncpg

from adapters.scheduler.coalescer import Coalescer
from adapters.scheduler.encoding import decoded_publication, decoded_state, encoded_publication, encoded_state
from adapters.scheduler.kafka import DECISION_MADE, DECISIONS, decision_in, decision_made
from adapters.shared.asyncpg_unit import AsyncpgUnit, translated
from domain.scheduler.model import Decision, DecisionNotFound, Publication
from domain.scheduler.ports import (
    DecisionLog,
    DifficultyRepository,
    PublicationRepository,
    SchedulerUnit,
    StateRepository,
)
from domain.scheduler.state import LearnerState
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
            INSERT INTO learner_states AS held (organization_id, learner, sequence, state)
            SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bytea[])
            ON CONFLICT (organization_id, learner) DO UPDATE SET sequence = excluded.sequence, state = excluded.state
            WHERE held.sequence < excluded.sequence
            """,
            self._organization,
            learners,
            [states[each].sequence for each in learners],
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
        self._inserts: Coalescer[tuple[Decision, EventEnvelope], Decision] = Coalescer(self._add_many, _MOST_DECISIONS)

    async def add(self, organization: str, decision: Decision) -> Decision:
        return await self._inserts((decision, decision_made(organization, decision)))

    async def get(self, organization: str, decision_id: str) -> Decision:
        async with AsyncpgUnit(self._pool, organization) as unit:
            record: bytes | None = await unit.connection.fetchval("SELECT record FROM decisions WHERE id = $1", decision_id)
        if record is None:
            raise DecisionNotFound(f"no decision {decision_id}")
        return decision_in(record)

    async def _add_many(self, requests: Sequence[tuple[Decision, EventEnvelope]]) -> Sequence[Decision | Exception]:
        groups: defaultdict[str, list[tuple[Decision, EventEnvelope]]] = defaultdict(list)
        for request in requests:
            groups[request[1].organization].append(request)
        outcomes = await asyncio.gather(*(self._add_group(*group) for group in groups.items()), return_exceptions=True)
        kept = dict(zip(groups, outcomes, strict=True))
        return [_of(kept[envelope.organization], decision.id) for decision, envelope in requests]

    async def _add_group(self, organization: str, group: Sequence[tuple[Decision, EventEnvelope]]) -> dict[str, Decision]:
        """Returns the record that each id has now: the one given, or the one that had the id already."""
        first = {decision.id: (decision, envelope) for decision, envelope in reversed(group)}
        rows = sorted(first.items())  # ids are locked in one order, so that two batches never wait for each other
        try:
            held = await self._pool.fetch(
                "SELECT held_id, held_record FROM add_decisions($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                organization,
                [decision_id for decision_id, _ in rows],
                [decision.learner for _, (decision, _) in rows],
                [decision.decided_at for _, (decision, _) in rows],
                [envelope.payload for _, (_, envelope) in rows],
                DECISION_MADE,
                DECISIONS,
                [envelope.key for _, (_, envelope) in rows],
                [envelope.traceparent for _, (_, envelope) in rows],
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise translated(error) from error
        kept = {decision_id: decision for decision_id, (decision, _) in first.items()}
        return kept | {row["held_id"]: decision_in(row["held_record"]) for row in held}


def _of(outcome: dict[str, Decision] | BaseException, decision_id: str) -> Decision | Exception:
    if isinstance(outcome, dict):
        return outcome[decision_id]
    if isinstance(outcome, Exception):
        return outcome
    raise outcome
