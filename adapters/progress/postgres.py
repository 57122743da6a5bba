"""Progress in PostgreSQL, by raw asyncpg.

A batch of whatever size takes five trips: begin, lock, read, write, commit (and one for the outbox). No two batches can wait for each
other in a ring: each takes its learners' rows first, in order, and its items' rows last, in order; between the two it touches only rows
of learners it holds. Items are read without a lock and added to. What slips through (an id counted for two learners at once) breaks the
key of `attempt_ids` and is a Conflict, which the use case repeats.
"""

import struct
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any

import asyncpg
import numpy as np

from adapters.progress import postgres_statements as sql
from adapters.progress.kafka import envelope
from adapters.shared.asyncpg_unit import AsyncpgUnit
from adapters.shared.outbox import add_to_outbox
from domain.progress.model import (
    Answer,
    Attempt,
    AttemptNotFound,
    CourseState,
    Evidence,
    LearnerState,
    MasteryRecomputed,
    Move,
    ProgressUpdated,
    SkillMastery,
    SkillNeverPractised,
    SkillState,
)
from domain.progress.ports import ProgressEvents, ProgressRecords, ProgressUnit
from domain.progress.workbook import Workbook
from domain.psychometrics.bkt import Estimate
from domain.psychometrics.response_model import Gaussian, ItemEvidence
from domain.shared.errors import Conflict, InvalidInput, NotAllowedNow
from domain.shared.page import Page, PageRequest

_CHUNK = 250


class AttemptsRetired(NotAllowedNow):
    reason = "ATTEMPTS_RETIRED"


_LAST = 2**63 - 1
# Count, then the five sums of an item's evidence: an attempt keeps what was known of its item in 48 bytes.
_EVIDENCE = struct.Struct("<q5d")


class PostgresRecords(ProgressRecords):
    def __init__(self, connection: asyncpg.Connection, organization: str, known_months: Set[datetime]) -> None:
        self._connection = connection
        self._organization = organization
        self._known_months = known_months
        self.new_months: set[datetime] = set()

    async def open(self, answers: Sequence[Answer]) -> Workbook:
        await self._ensure_partitions(answers)
        learners = sorted({each.learner for each in answers})
        courses = _columns({(each.learner, each.course) for each in answers}, 2)
        skills = _columns({(each.learner, skill) for each in answers for skill in each.skills}, 2)
        ids = list({each.id for each in answers})
        items = list({each.item for each in answers})
        counts = await self._connection.fetch(sql.LOCK_LEARNERS, self._organization, learners)
        found = await self._connection.fetchrow(sql.READ, ids, *courses, *skills, items)
        return Workbook(
            dict(counts),
            dict(found[0]),
            {(row[0], row[1]): CourseState(Gaussian(row[2], row[3]), frozenset(row[4].split())) for row in found[1]},
            {(row[0], row[1]): _skill_state(row) for row in found[2]},
            {row[0]: ItemEvidence(*row[1:]) for row in found[3]},
        )

    async def _ensure_partitions(self, answers: Iterable[Answer]) -> None:
        months = {_month(each.answered_at) for each in answers}
        for month in sorted(months - self._known_months):
            await self._connection.execute(sql.ENSURE_PARTITION, month)
            self.new_months.add(month)

    async def save(self, workbook: Workbook) -> None:
        try:
            await self._connection.execute(
                sql.WRITE,
                self._organization,
                *_columns(_attempt_rows(workbook), 19),
                workbook.model.id,
                workbook.attempts[0].recorded_at,
                *_columns(workbook.new_counts.items(), 2),
                *_columns(_course_rows(workbook.new_courses), 5),
                *_columns(_skill_rows(workbook.new_skills.values()), 11),
                *_columns(sorted(_item_rows(workbook)), 7),
            )
        except asyncpg.UniqueViolationError as error:
            raise Conflict("an attempt id was counted meanwhile for another learner") from error

    async def attempt(self, learner: str, attempt_id: str) -> Attempt:
        row = await self._connection.fetchrow(sql.ATTEMPT, attempt_id, learner)
        if row is None:
            raise AttemptNotFound(f"learner {learner} has no attempt {attempt_id}")
        return _attempt(row)

    async def attempts(self, learner: str | None, course: str | None, request: PageRequest) -> Page[Attempt]:
        after, sequence = _cursor(request, ("", "0"))
        if not (sequence.isascii() and sequence.isdecimal() and len(sequence) < 19):
            raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged")
        wanted = (int(sequence), course, request.size + 1)
        if learner is None:
            rows = await self._connection.fetch(sql.ATTEMPTS, after, *wanted)
        else:
            rows = await self._connection.fetch(sql.ATTEMPTS_OF_LEARNER, learner, *wanted)
        found = tuple(_attempt(each) for each in rows[: request.size])
        last = found[-1] if len(rows) > request.size else None
        return Page(found, (last.answer.learner, str(last.sequence)) if last else None)

    async def learner(self, learner: str, hold: bool = False) -> LearnerState:
        if hold:
            await self._connection.fetch(sql.LOCK_LEARNERS, self._organization, [learner])
        row = await self._connection.fetchrow(sql.LEARNER, learner)
        count, reordered, revision = row or (0, 0, 0)
        skills = map(_skill_state, await self._connection.fetch(sql.SKILLS, learner))
        courses = await self._connection.fetch(sql.COURSES, learner)
        return LearnerState(
            learner,
            count,
            {each.mastery.skill: each for each in skills},
            {row[0]: CourseState(Gaussian(row[1], row[2]), frozenset(row[3])) for row in courses},
            reordered,
            revision,
        )

    async def skill(self, learner: str, skill: str) -> SkillState:
        row = await self._connection.fetchrow(sql.SKILL, learner, skill)
        if row is None:
            raise SkillNeverPractised(f"learner {learner} has not practised {skill}")
        return _skill_state(row)

    async def evidence(self, learner: str, skill: str, most: int) -> Sequence[Evidence]:
        found = [_attempt(each) for each in await self._connection.fetch(sql.EVIDENCE, learner, skill, most)]
        return [Evidence(each, move) for each in found for move in each.moves if move.skill == skill]

    async def masteries(self, course: str, request: PageRequest, learners: frozenset[str] | None = None) -> Page[SkillState]:
        after = _cursor(request, ("", ""))
        rows = await self._connection.fetch(
            sql.MASTERIES, course, *after, request.size + 1, None if learners is None else list(learners)
        )
        found = tuple(_skill_state(each) for each in rows[: request.size])
        last = found[-1].mastery if len(rows) > request.size else None
        return Page(found, (last.learner, last.skill) if last else None)

    async def recompute_alone(self, learner: str) -> None:
        await self._connection.execute(sql.RECOMPUTE_ALONE, f"{self._organization}/{learner}")
        if not await self._connection.fetchval(sql.ALL_ARE_HERE, learner):
            raise AttemptsRetired(f"attempts of {learner} were retired: without them the state cannot be rebuilt")

    async def log(
        self, learner: str, after: int, through: int | None, by_occurrence: bool = False
    ) -> AsyncIterator[Sequence[Attempt]]:
        query = sql.LOG_BY_OCCURRENCE if by_occurrence else sql.LOG
        cursor = await self._connection.cursor(query, learner, after, _LAST if through is None else through)
        while rows := await cursor.fetch(_CHUNK):
            yield [_attempt(each) for each in rows]

    async def items(self, items: Collection[str]) -> Mapping[str, ItemEvidence]:
        rows = await self._connection.fetch(sql.ITEMS, list(items))
        return {row[0]: ItemEvidence(*row[1:]) for row in rows}

    async def correct(self, attempts: Sequence[Attempt]) -> None:
        rows = [(each.sequence, each.answer.answered_at, *_means(each)) for each in attempts]
        await self._connection.execute(sql.CORRECT, attempts[0].answer.learner, *_columns(rows, 5))

    async def repair(self, state: LearnerState) -> None:
        learner = state.learner
        await self._connection.execute(
            sql.REPAIR,
            self._organization,
            learner,
            state.attempt_count,
            state.reordered,
            state.revision,
            *_columns(_course_rows({(learner, course): each for course, each in state.courses.items()}), 5),
            *_columns(_skill_rows(state.skills.values()), 11),
        )


class PostgresEvents(ProgressEvents):
    def __init__(self, connection: asyncpg.Connection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, updates: Sequence[ProgressUpdated | MasteryRecomputed]) -> None:
        await add_to_outbox(self._connection, [envelope(self._organization, each) for each in updates])


class PostgresProgressUnit(AsyncpgUnit, ProgressUnit):
    """`known_months` holds the months known to have a partition; the units of one process share it."""

    records: PostgresRecords

    def __init__(self, pool: asyncpg.Pool, known_months: set[datetime], organization: str) -> None:
        super().__init__(pool, organization)
        self._known_months = known_months

    def _open(self) -> None:
        self.records = PostgresRecords(self.connection, self._organization, self._known_months)
        self.events = PostgresEvents(self.connection, self._organization)

    async def commit(self) -> None:
        await super().commit()
        self._known_months |= self.records.new_months


def _month(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _columns(rows: Iterable[Sequence[Any]], width: int) -> Sequence[Sequence[Any]]:
    """Returns the columns of rows, which unnest() makes into rows again; no rows are `width` empty columns."""
    return tuple(zip(*rows, strict=True)) or ((),) * width


def _cursor(request: PageRequest, beginning: tuple[str, str]) -> tuple[str, str]:
    cursor = request.after or beginning
    if len(cursor) != len(beginning) or "\0" in "".join(cursor):
        raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged")
    return cursor[0], cursor[1]


def _attempt_rows(workbook: Workbook) -> Iterable[tuple[Any, ...]]:
    for attempt in workbook.attempts:
        answer = attempt.answer
        yield (
            answer.id,
            workbook.fingerprints[answer.id],
            answer.learner,
            attempt.sequence,
            answer.answered_at,
            answer.course,
            answer.item,
            answer.item_revision,
            " ".join(answer.skills),
            *_means(attempt),
            answer.score,
            answer.correct,
            attempt.predicted,
            answer.decision,
            answer.response_time,
            answer.hints_revealed,
            _packed(attempt.evidence),
        )


def _means(attempt: Attempt) -> tuple[str, str, str]:
    """The means of the skills before the attempt, retained until then, and after it, each as one text."""
    moves = attempt.moves
    return (
        " ".join([repr(each.before) for each in moves]),
        " ".join([repr(each.retained) for each in moves]),
        " ".join([repr(each.after) for each in moves]),
    )


def _packed(evidence: ItemEvidence | None) -> bytes | None:
    if evidence is None:
        return None
    return _EVIDENCE.pack(
        evidence.count,
        evidence.slope_precision,
        evidence.cross_precision,
        evidence.intercept_precision,
        evidence.slope_shift,
        evidence.intercept_shift,
    )


def _course_rows(courses: Mapping[tuple[str, str], CourseState]) -> Iterable[tuple[Any, ...]]:
    for (learner, course), state in courses.items():
        yield learner, course, state.ability.mean, state.ability.variance, " ".join(sorted(state.skills))


def _skill_rows(states: Iterable[SkillState]) -> Iterable[tuple[Any, ...]]:
    for state in states:
        learner, skill, estimate, attempts, correct, last = state.mastery
        yield learner, skill, *estimate, attempts, correct, last, *state.deviation, state.knowledge.tobytes()


def _item_rows(workbook: Workbook) -> Iterable[tuple[Any, ...]]:
    for item, gained in workbook.gained.items():
        yield (
            item,
            gained.count,
            gained.slope_precision,
            gained.cross_precision,
            gained.intercept_precision,
            gained.slope_shift,
            gained.intercept_shift,
        )


def _skill_state(row: Sequence[Any]) -> SkillState:
    knowledge = np.frombuffer(row[10], dtype=np.float32).reshape(2, -1)
    mastery = SkillMastery(row[0], row[1], Estimate(row[2], row[3], row[4]), row[5], row[6], row[7])
    return SkillState(knowledge, Gaussian(row[8], row[9]), mastery)


def _attempt(row: asyncpg.Record) -> Attempt:
    return Attempt(
        Answer(
            id=row["id"],
            learner=row["learner_id"],
            course=row["course_id"],
            item=row["item_id"],
            skills=tuple(row["skills"]),
            score=row["score"],
            correct=row["correct"],
            answered_at=row["answer_time"],
            item_revision=row["item_revision"],
            decision=row["decision_id"],
            response_time=row["response_time"],
            hints_revealed=row["hints_revealed"],
        ),
        row["sequence"],
        row["predicted_correct"],
        row["model_version"],
        row["record_time"],
        tuple(
            Move(*each)
            for each in zip(row["skills"], row["means_before"], row["means_retained"], row["means_after"], strict=True)
        ),
        ItemEvidence(*_EVIDENCE.unpack(row["item_evidence"])) if row["item_evidence"] else None,
    )
