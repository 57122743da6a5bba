"""Items held, responses and hints in PostgreSQL, by raw asyncpg: this is the platform's busiest writer."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import asyncpg

from adapters.assessment.codec import decode, encode
from adapters.assessment.kafka import attempt_envelope
from adapters.shared.asyncpg_unit import AsyncpgUnit
from adapters.shared.outbox import add_to_outbox
from domain.assessment.model.items import Item
from domain.assessment.model.responses import Response, RevealedHint, cursor_at, place_at
from domain.assessment.ports import HeldItems, Hints, HintUnit, PublishedBatch, Responses
from domain.shared.coalescer import Coalescer
from domain.shared.errors import Conflict, RequestIdReused
from domain.shared.page import Page, PageRequest
from domain.shared.trace import current_traceparent

_ACTIVE_COUNTS = """
SELECT learner_id, item_id, count(*) AS count
FROM hint_reveals JOIN (SELECT DISTINCT * FROM unnest($2::text[], $3::text[]) AS pair (learner_id, item_id)) AS asked
  USING (learner_id, item_id)
WHERE organization_id = $1 AND response_id IS NULL
GROUP BY learner_id, item_id
"""
KEEP_RESPONSES = """
INSERT INTO responses (organization_id, id, learner_id, course_id, item_id, item_revision, answer, score, correct, feedback,
  hints_revealed, decision_id, response_time, answer_time, receive_time, test_session_id, sealed)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::json[], $8::float8[], $9::boolean[],
  $10::json[], $11::integer[], $12::text[], $13::interval[], $14::timestamptz[], $15::timestamptz[], $16::uuid[], $17::boolean[])
ON CONFLICT DO NOTHING
RETURNING id::text
"""
# Only the hints that were counted: one revealed meanwhile belongs to the next response.
_CLAIM = """
UPDATE hint_reveals SET response_id = kept.id
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::integer[]) AS kept (id, learner_id, item_id, hints_revealed)
WHERE organization_id = $1 AND hint_reveals.learner_id = kept.learner_id AND hint_reveals.item_id = kept.item_id
  AND number <= kept.hints_revealed AND response_id IS NULL
"""
_RESPONSE = """
SELECT responses.id::text AS id, learner_id, course_id, item_id, item_revision, answer, score, correct, feedback,
  coalesce(explanation, '') AS explanation, hints_revealed, decision_id, response_time, answer_time, receive_time,
  test_session_id::text AS test_session_id, sealed
FROM (SELECT *, item_revision AS revision FROM responses) AS responses
  LEFT JOIN item_revisions USING (organization_id, item_id, revision)
WHERE organization_id = $1
"""
FIND_RESPONSE = _RESPONSE + "AND responses.id = $2"
_PAGE = (
    _RESPONSE
    + """AND learner_id = $2 AND (answer_time, responses.id) < (coalesce($3, timestamptz 'infinity'), $4::uuid)
  AND (NOT sealed OR $6)
ORDER BY answer_time DESC, responses.id DESC LIMIT $5
"""
)
_TRIES = 3
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_ACTIVE = """
SELECT request_id::text, learner_id, course_id, item_id, number, text, remaining
FROM hint_reveals WHERE organization_id = $1 AND learner_id = $2 AND item_id = $3 AND response_id IS NULL ORDER BY number
"""
_FIND_HINT = """
SELECT request_id::text, learner_id, course_id, item_id, number, text, remaining
FROM hint_reveals WHERE organization_id = $1 AND request_id = $2
"""
_ADD_HINT = """
INSERT INTO hint_reveals (organization_id, request_id, learner_id, course_id, item_id, number, text, remaining)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_NEWEST = """
SELECT publication, content FROM course_items JOIN item_revisions USING (organization_id, item_id, revision)
WHERE organization_id = $1 AND course_id = $2 AND item_id = $3
"""
_HELD_BEFORE = (
    "SELECT item_id FROM course_items WHERE organization_id = $1 AND course_id = $2 AND publication < $3 ORDER BY item_id"
)
# Sorted and in this order by everybody, so that two who hold the same items never wait for each other.
_HOLD_REVISIONS = """
INSERT INTO item_revisions (organization_id, item_id, revision, content, explanation)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::json[], $5::text[]) ON CONFLICT DO NOTHING
"""
_HOLD_ITEMS = """
INSERT INTO course_items (organization_id, course_id, publication, item_id, revision)
SELECT $1, $2, $3, * FROM unnest($4::text[], $5::bigint[])
ON CONFLICT (organization_id, course_id, item_id) DO UPDATE SET publication = excluded.publication, revision = excluded.revision
WHERE course_items.publication < excluded.publication
"""
_LET_GO = "DELETE FROM course_items WHERE organization_id = $1 AND course_id = $2 AND publication < $3 AND item_id = ANY($4)"


@dataclass(frozen=True, slots=True)
class _Wanted:
    response: Response
    skills: tuple[str, ...]
    traceparent: str


class PostgresResponses(Responses):
    """Responses that arrive while a transaction is under way share the next one: a commit costs the same for one as for many."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._keep: Coalescer[_Wanted, Response | None] = Coalescer(self._keep_all, rest=1.0)

    async def keep(self, organization: str, response: Response, skills: Sequence[str]) -> Response:
        kept = await self._keep(organization, _Wanted(response, tuple(skills), current_traceparent.get()))
        return kept or await self.find(organization, response.id) or response

    async def _keep_all(self, organization: str, wanted: Sequence[_Wanted]) -> Sequence[Response | None]:
        """One result each: the response as kept, or None for an id that was there before."""
        for _ in range(_TRIES - 1):
            # Another process may have claimed the hints of the same learners in another order.
            with suppress(Conflict):
                return await self._keep_at_once(organization, wanted)
        return await self._keep_at_once(organization, wanted)

    async def _keep_at_once(self, organization: str, wanted: Sequence[_Wanted]) -> Sequence[Response | None]:
        async with AsyncpgUnit(self._pool, organization) as unit:
            counts = await self._hint_counts(unit.connection, organization, wanted)
            fresh: dict[str, tuple[Response, _Wanted]] = {}
            for each in wanted:
                if each.response.id not in fresh:
                    # Of two responses to one item in one batch, the first takes the hints.
                    count = counts.pop((each.response.learner, each.response.item), 0)
                    fresh[each.response.id] = (replace(each.response, hints_revealed=count) if count else each.response, each)
            # By id, so that two processes with the same requests never wait for each other.
            rows = await unit.connection.fetch(
                KEEP_RESPONSES, organization, *columns_of([fresh[each][0] for each in sorted(fresh)])
            )
            new = {row["id"] for row in rows}
            kept = [each for response_id, each in fresh.items() if response_id in new]
            await self._claim_hints(unit.connection, organization, [response for response, _ in kept])
            await add_to_outbox(
                unit.connection,
                [attempt_envelope(organization, response, each.skills, each.traceparent) for response, each in kept],
            )
            await unit.commit()
        # Of two requests with one id in one batch, only the first made the response.
        first = {id(each): response for response, each in kept}
        return [first.get(id(each)) for each in wanted]

    async def _hint_counts(
        self, connection: asyncpg.Connection, organization: str, wanted: Sequence[_Wanted]
    ) -> dict[tuple[str, str], int]:
        learners, items = [each.response.learner for each in wanted], [each.response.item for each in wanted]
        rows = await connection.fetch(_ACTIVE_COUNTS, organization, learners, items)
        return {(row["learner_id"], row["item_id"]): row["count"] for row in rows}

    async def _claim_hints(self, connection: asyncpg.Connection, organization: str, kept: Sequence[Response]) -> None:
        hinted = [each for each in kept if each.hints_revealed]
        if hinted:
            columns = zip(*((each.id, each.learner, each.item, each.hints_revealed) for each in hinted), strict=True)
            await connection.execute(_CLAIM, organization, *map(list, columns))

    async def find(self, organization: str, response_id: str) -> Response | None:
        async with AsyncpgUnit(self._pool, organization) as unit:
            row = await unit.connection.fetchrow(FIND_RESPONSE, organization, response_id)
        return response_of(row) if row else None

    async def page(self, organization: str, learner: str, request: PageRequest, sealed: bool = True) -> Page[Response]:
        time, after = place_at(request.after) if request.after else (None, _LAST_ID)
        async with AsyncpgUnit(self._pool, organization) as unit:
            rows = await unit.connection.fetch(_PAGE, organization, learner, time, after, request.size + 1, sealed)
        found = tuple(map(response_of, rows[: request.size]))
        last = cursor_at(found[-1].place) if len(rows) > request.size else None
        return Page(found, last)


def columns_of(responses: Sequence[Response]) -> list[list[object]]:
    """What KEEP_RESPONSES takes after the organization."""
    return [
        [each.id for each in responses],
        [each.learner for each in responses],
        [each.course for each in responses],
        [each.item for each in responses],
        [each.item_revision for each in responses],
        [encode(each.answer) for each in responses],
        [each.score for each in responses],
        [each.correct for each in responses],
        [encode(each.feedback) for each in responses],
        [each.hints_revealed for each in responses],
        [each.decision for each in responses],
        [each.response_time for each in responses],
        [each.answered_at for each in responses],
        [each.received_at for each in responses],
        [each.test_session or None for each in responses],
        [each.sealed for each in responses],
    ]


def response_of(row: asyncpg.Record) -> Response:
    return Response(
        id=row["id"],
        learner=row["learner_id"],
        course=row["course_id"],
        item=row["item_id"],
        item_revision=row["item_revision"],
        answer=decode(row["answer"]),
        score=row["score"],
        correct=row["correct"],
        feedback=decode(row["feedback"]),
        explanation=row["explanation"],
        hints_revealed=row["hints_revealed"],
        decision=row["decision_id"],
        response_time=row["response_time"],
        answered_at=row["answer_time"],
        received_at=row["receive_time"],
        test_session=row["test_session_id"] or "",
        sealed=row["sealed"],
    )


class PostgresHints(Hints):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def active(self, learner: str, item: str) -> Sequence[RevealedHint]:
        return [RevealedHint(*row) for row in await self._connection.fetch(_ACTIVE, self._organization, learner, item)]

    async def lock(self, learner: str, item: str) -> None:
        place = f"{self._organization}/{learner}/{item}"
        await self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", place)

    async def find(self, request_id: str) -> RevealedHint | None:
        row = await self._connection.fetchrow(_FIND_HINT, self._organization, request_id)
        return RevealedHint(*row) if row else None

    async def add(self, hint: RevealedHint) -> None:
        try:
            await self._connection.execute(
                _ADD_HINT,
                self._organization,
                hint.request_id,
                hint.learner,
                hint.course,
                hint.item,
                hint.number,
                hint.text,
                hint.remaining,
            )
        except asyncpg.UniqueViolationError as error:
            raise RequestIdReused(f"request_id {hint.request_id} was used for another hint") from error


class PostgresHintUnit(AsyncpgUnit, HintUnit):
    def _open(self) -> None:
        self.hints = PostgresHints(self.connection, self._organization)


class PostgresHeldItems(HeldItems):
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def newest(self, organization: str, course: str, item: str) -> tuple[int, Item] | None:
        async with AsyncpgUnit(self._pool, organization) as unit:
            row = await unit.connection.fetchrow(_NEWEST, organization, course, item)
        return (row["publication"], decode(row["content"])) if row else None

    async def of_course(self, organization: str, course: str, before: int) -> tuple[str, ...]:
        async with AsyncpgUnit(self._pool, organization) as unit:
            rows = await unit.connection.fetch(_HELD_BEFORE, organization, course, before)
        return tuple(row["item_id"] for row in rows)

    async def hold(self, organization: str, course: str, asked: Sequence[str], batch: PublishedBatch) -> None:
        items = sorted(batch.items, key=lambda each: each.id)
        ids, revisions = [each.id for each in items], [each.revision for each in items]
        contents, explanations = [encode(each) for each in items], [each.key.explanation for each in items]
        async with AsyncpgUnit(self._pool, organization) as unit:
            await unit.connection.execute(_HOLD_REVISIONS, organization, ids, revisions, contents, explanations)
            await unit.connection.execute(_HOLD_ITEMS, organization, course, batch.number, ids, revisions)
            await unit.connection.execute(_LET_GO, organization, course, batch.number, sorted(set(asked) - set(ids)))
            await unit.commit()
