"""Reports in PostgreSQL: facts, the aggregates that they add up to, and one statement a report."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy import table as table_named
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.analytics import postgres_statements as sql
from adapters.analytics.exports_postgres import PostgresExportCounter, PostgresExports
from adapters.analytics.postgres_reports import OF_ALL_DAYS, STATEMENTS
from adapters.shared.postgres import PostgresUnit
from domain.analytics.model import Attempted, Decided, Facts, Rebuilt, ReportQuery
from domain.analytics.ports import AnalyticsUnit, Reports
from domain.analytics.reports import ROWS, Row, cursor_at, key_in
from domain.analytics.rollups import FirstAnswer, Tally, by_session, micros_of, newest_of_days
from domain.shared.page import Page, PageRequest

_STATEMENTS = {kind: text(statement) for kind, statement in STATEMENTS.items()}
_OF_ALL_DAYS = {kind: text(statement) for kind, statement in OF_ALL_DAYS.items()}


class PostgresReports(Reports):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def record(self, facts: Facts) -> int:
        await self._run(sql.HOLD_AGGREGATES)
        new = await self._new(facts.attempts)
        tally = Tally.of(new)
        await self._write(sql.LEARNER_DAYS, _day_rows(tally), 8)
        await self._write(sql.SKILL_DAYS, _skill_rows(tally), 6)
        await self._write(sql.ANSWER_DAYS, _first_rows(tally.items), 10)
        await self._write(sql.DECISION_ANSWERS, _first_rows(tally.decided), 10)
        told = newest_of_days(facts.masteries)
        mastery_rows = ((m.learner, m.skill, m.day, m.sequence, m.revision, m.mean, m.lower, m.upper) for m in told)
        await self._write(sql.MASTERY_DAYS, mastery_rows, 8)
        session_rows = ((*key, s.course, s.started_at, s.ended_at) for key, s in by_session(facts.sessions).items())
        await self._write(sql.SESSIONS, session_rows, 5)
        await self._write(sql.DECISIONS, map(_decision_row, _once(facts.decisions)), 12)
        if touched := {decision for decision, *_ in tally.decided} | {each.id for each in facts.decisions}:
            await self._run(sql.OUTCOMES, sorted(touched))
        return len(new)

    async def _new(self, attempts: Sequence[Attempted]) -> list[Attempted]:
        """Keeps the attempts that are not known, and returns them."""
        once = _once(attempts)
        if not once:
            return []
        inserted = await self._run(sql.ATTEMPTS, *_columns(map(_attempt_row, once), 13))
        new = {row[0] for row in inserted}
        return [each for each in once if each.id in new]

    async def _write(self, statement: str, rows: Iterable[tuple[Any, ...]], width: int) -> None:
        columns = _columns(rows, width)
        if columns[0]:
            await self._run(statement, *columns)

    async def _run(self, statement: str, *columns: list[Any]) -> Sequence[Any]:
        result = await self._connection.exec_driver_sql(statement, (self._organization, *columns))
        return result.all() if result.returns_rows else ()

    async def page(self, query: ReportQuery, request: PageRequest) -> Page[Row]:
        row = ROWS[query.kind]
        parameters: dict[str, object] = {
            "course": query.course,
            "start": query.first_day,
            "end": query.last_day,
            "learners": list(query.learners),
            "items": list(query.items),
            "beginning": request.after is None,
            "most": request.size + 1,
        }
        key = key_in(query.kind, request.after) if request.after is not None else [None] * len(row.key)
        parameters |= {f"k{number}": part for number, part in enumerate(key)}
        statement = _OF_ALL_DAYS.get(query.kind, _STATEMENTS[query.kind]) if query.of_all_days else _STATEMENTS[query.kind]
        found = (await self._connection.execute(statement, parameters)).all()
        elements = tuple(row(*each) for each in found[: request.size])
        return Page(elements, cursor_at(elements[-1]) if len(found) > request.size else None)

    async def rebuild(self) -> Rebuilt:
        await self._run(sql.HOLD_AGGREGATES)
        attempts = (await self._connection.execute(text("SELECT count(*) FROM attempts"))).scalar_one()
        rows = differences = 0
        for table in sql.REBUILT:
            wrong = (await self._connection.exec_driver_sql(sql.differences(table))).scalar_one()
            if wrong:
                empty, fill = sql.refilled(table)
                await self._connection.exec_driver_sql(empty)
                await self._connection.exec_driver_sql(fill, (self._organization,))
            differences += wrong
            rows += (await self._connection.execute(select(func.count()).select_from(table_named(table)))).scalar_one()
        wrong_outcomes = (await self._connection.exec_driver_sql(sql.WRONG_OUTCOMES)).scalar_one()
        if wrong_outcomes:
            await self._run(sql.OUTCOMES, wrong_outcomes)
            differences += len(wrong_outcomes)
        return Rebuilt(attempts, rows, differences)


class PostgresAnalyticsUnit(PostgresUnit, AnalyticsUnit):
    def _open(self) -> None:
        self.reports = PostgresReports(self.connection, self._organization)
        self.exports = PostgresExports(self.connection, self._organization)
        self.quotas = PostgresExportCounter(self.connection, self._organization)


def _once(facts: Collection[Any]) -> list[Any]:
    """Each id once, what came first, by id."""
    first = {each.id: each for each in reversed(list(facts))}
    return [first[id] for id in sorted(first)]


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _attempt_row(attempt: Attempted) -> tuple[Any, ...]:
    return (
        attempt.id,
        attempt.learner,
        attempt.course,
        attempt.item,
        sql.SEPARATOR.join(attempt.skills),
        attempt.day,
        attempt.answered_at,
        attempt.correct,
        attempt.score,
        micros_of(attempt),
        attempt.hints,
        attempt.decision,
        sql.SEPARATOR.join(attempt.choices),
    )


def _day_rows(tally: Tally) -> Iterator[tuple[Any, ...]]:
    for key, did in sorted(tally.days.items()):
        yield *key, did.attempts, did.correct, did.hints, did.timed, did.micros


def _skill_rows(tally: Tally) -> Iterator[tuple[Any, ...]]:
    for key, did in sorted(tally.skills.items()):
        yield *key, did.attempts, did.correct


def _first_rows(firsts: Mapping[tuple[Any, ...], FirstAnswer]) -> Iterator[tuple[Any, ...]]:
    """By three ids, and perhaps by the day, which the answer tells."""
    for key in sorted(firsts):
        first = firsts[key].first
        choices = sql.SEPARATOR.join(first.choices)
        yield *key[:3], first.id, first.answered_at, first.day, first.correct, micros_of(first), choices, firsts[key].attempts


def _decision_row(made: Decided) -> tuple[Any, ...]:
    return (
        made.id,
        made.learner,
        made.course,
        made.day,
        made.decided_at,
        made.policy_version,
        made.arm,
        made.mode,
        made.shadow,
        made.fell_back,
        sql.SEPARATOR.join(each.item for each in made.shown),
        sql.SEPARATOR.join("NULL" if each.predicted is None else repr(each.predicted) for each in made.shown),
    )
