"""What decisions are made again from, by asyncpg."""

from collections.abc import Sequence

import asyncpg
import orjson

from adapters.scheduler.encoding import decoded_publication, decoded_repair, decoded_update, encoded_repair, encoded_update
from adapters.shared.asyncpg_unit import AsyncpgUnit
from domain.scheduler.difficulties import DifficultyEpoch
from domain.scheduler.model import CourseNotPublished, LearnerUpdate, ProgressUpdate, Publication, Repair
from domain.scheduler.ports import DifficultyEpochRepository, HistoryUnit, PublicationHistory, UpdateRepository


class PostgresUpdates(UpdateRepository):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, updates: Sequence[LearnerUpdate]) -> None:
        # In one order, so that two batches never wait for each other in a ring.
        ordered = sorted(updates, key=lambda each: (each.learner, each.version))
        await self._add_attempts([each for each in ordered if isinstance(each, ProgressUpdate)])
        if repairs := [each for each in ordered if isinstance(each, Repair)]:
            await self._add_repairs(repairs)

    async def _add_attempts(self, updates: Sequence[ProgressUpdate]) -> None:
        await self._connection.execute(
            """
            INSERT INTO learner_updates (organization_id, learner, sequence, content)
            SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bytea[]) ON CONFLICT DO NOTHING
            """,
            self._organization,
            [each.learner for each in updates],
            [each.sequence for each in updates],
            [encoded_update(each) for each in updates],
        )

    async def _add_repairs(self, repairs: Sequence[Repair]) -> None:
        await self._connection.execute(
            """
            INSERT INTO learner_repairs (organization_id, learner, sequence, revision, content)
            SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bytea[]) ON CONFLICT DO NOTHING
            """,
            self._organization,
            [each.learner for each in repairs],
            [each.sequence for each in repairs],
            [each.revision for each in repairs],
            [encoded_repair(each) for each in repairs],
        )

    async def of(self, learner: str, up_to: int) -> list[LearnerUpdate]:
        rows = await self._connection.fetch(
            """
            SELECT sequence, 0 AS revision, content FROM learner_updates WHERE learner = $1 AND sequence <= $2
            UNION ALL
            SELECT sequence, revision, content FROM learner_repairs WHERE learner = $1 AND sequence <= $2
            ORDER BY sequence, revision
            """,
            learner,
            up_to,
        )
        return [_decoded(learner, row["sequence"], row["revision"], row["content"]) for row in rows]


def _decoded(learner: str, sequence: int, revision: int, content: bytes) -> LearnerUpdate:
    if revision:
        return decoded_repair(learner, sequence, revision, content)
    return decoded_update(learner, sequence, content)


class PostgresDifficultyEpochs(DifficultyEpochRepository):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def between(self, course: str, after: int, up_to: int | None = None) -> list[DifficultyEpoch]:
        rows = await self._connection.fetch(
            """
            SELECT number, complete, content FROM difficulty_epochs
            WHERE course = $1 AND number <= $3 AND number >= greatest(
                $2::bigint + 1,
                (SELECT max(number) FROM difficulty_epochs WHERE course = $1 AND complete AND number <= $3)
            )
            ORDER BY number
            """,
            course,
            after,
            2**62 if up_to is None else up_to,
        )
        return [DifficultyEpoch(row["number"], orjson.loads(row["content"]), row["complete"]) for row in rows]

    async def add(self, course: str, epoch: DifficultyEpoch) -> bool:
        status: str = await self._connection.execute(
            """
            INSERT INTO difficulty_epochs (organization_id, course, number, complete, content) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT DO NOTHING
            """,
            self._organization,
            course,
            epoch.number,
            epoch.complete,
            orjson.dumps(dict(epoch.values)),
        )
        return status == "INSERT 0 1"


class PostgresPublicationHistory(PublicationHistory):
    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def numbered(self, course: str, number: int) -> Publication:
        content: bytes | None = await self._connection.fetchval(
            "SELECT content FROM publications WHERE course = $1 AND number = $2", course, number
        )
        if content is None:
            raise CourseNotPublished(f"course {course} has no publication {number}")
        return decoded_publication(course, number, content)


class PostgresHistory(AsyncpgUnit, HistoryUnit):
    def _open(self) -> None:
        self.updates = PostgresUpdates(self.connection, self._organization)
        self.epochs = PostgresDifficultyEpochs(self.connection, self._organization)
        self.publications = PostgresPublicationHistory(self.connection)
