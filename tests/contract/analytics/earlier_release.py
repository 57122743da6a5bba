"""The release before migration `analytics_0003`, as far as it differs: what it wrote and asked, word for word."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from adapters.analytics import postgres_statements as unchanged
from adapters.analytics.personal_records import TABLES
from adapters.analytics.postgres import PostgresReports, _day_rows, _first_rows, _skill_rows
from adapters.shared.personal_records import Fate, Held
from adapters.shared.postgres import PostgresUnit
from domain.analytics.model import Attempted, Facts
from domain.analytics.rollups import FirstAnswer, Tally

HOLD_AGGREGATES = "SELECT pg_advisory_xact_lock(hashtextextended('aggregates of ' || $1::text, 0))"
LEARNER_DAYS = """
INSERT INTO learner_days AS d (organization_id, course, day, learner, attempts, correct, hints, timed, micros)
SELECT $1, n.* FROM unnest($2::text[], $3::date[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]) AS n
ON CONFLICT (organization_id, course, day, learner) DO UPDATE SET
    attempts = d.attempts + excluded.attempts, correct = d.correct + excluded.correct, hints = d.hints + excluded.hints,
    timed = d.timed + excluded.timed, micros = d.micros + excluded.micros
"""
_FIRST = ("id", "answered_at", "day", "correct", "response_micros", "choices")


def _firsts(table: str, key: str) -> str:
    columns = f"{key}, {', '.join(_FIRST)}, attempts"
    earlier = "(excluded.answered_at, excluded.id) < (f.answered_at, f.id)"
    kept = ", ".join(f"{each} = CASE WHEN {earlier} THEN excluded.{each} ELSE f.{each} END" for each in _FIRST)
    return f"""
INSERT INTO {table} AS f (organization_id, {columns})
SELECT $1, {key}, id, answered_at, day, correct, response_micros, string_to_array(choices, chr(31)), attempts
FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[], $7::date[], $8::boolean[], $9::bigint[], $10::text[],
            $11::bigint[]) AS n ({columns})
ON CONFLICT (organization_id, {key}) DO UPDATE SET attempts = f.attempts + excluded.attempts, {kept}
"""


FIRST_ANSWERS_WITH_TOTALS = f"""
WITH before AS (
    SELECT f.course, f.learner, f.correct FROM unnest($2::text[], $3::text[], $4::text[]) AS n (course, item, learner)
    JOIN first_answers f USING (course, item, learner)
), after AS ({_firsts("first_answers", "course, item, learner")} RETURNING f.course, f.learner, f.correct),
change AS (
    SELECT course, learner, 1 AS answers, correct::int AS correct FROM after
    UNION ALL SELECT course, learner, -1, -correct::int FROM before
)
INSERT INTO first_totals AS t (organization_id, course, learner, answers, correct)
SELECT $1, course, learner, sum(answers), sum(correct) FROM change GROUP BY course, learner
ON CONFLICT (organization_id, course, learner) DO UPDATE SET
    answers = t.answers + excluded.answers, correct = t.correct + excluded.correct
"""
DECISION_ANSWERS = _firsts("decision_answers", "decision, learner, item")
ITEMS = """
WITH firsts AS NOT MATERIALIZED (
    SELECT item, learner, correct, response_micros, choices, attempts FROM first_answers WHERE course = :course
), totals AS NOT MATERIALIZED (
    SELECT learner, answers, correct FROM first_totals WHERE course = :course
), page AS (
    SELECT DISTINCT item FROM firsts ORDER BY item
), answers AS (
    SELECT f.item, f.learner, f.correct, f.response_micros, f.choices, f.attempts, f.correct::int::float8 AS here,
           (t.correct - f.correct::int)::float8 / nullif(t.answers - 1, 0)::float8 AS rest
    FROM firsts f JOIN totals t USING (learner)
    WHERE f.item IN (SELECT item FROM page)
)
SELECT item, count(*), count(*) FILTER (WHERE correct), (count(*) FILTER (WHERE correct))::float8 / count(*)::float8,
       CASE WHEN min(here) FILTER (WHERE rest IS NOT NULL) < max(here) FILTER (WHERE rest IS NOT NULL) AND min(rest) < max(rest)
            THEN corr(here, rest) END,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY response_micros) / 1e6, sum(attempts)::bigint
FROM answers GROUP BY item ORDER BY item
"""
SUMMARY = """
WITH each_learner AS (
    SELECT sum(attempts) AS attempts, sum(correct) AS correct, sum(hints) AS hints FROM learner_days WHERE course = :course GROUP BY learner
)
SELECT count(*), coalesce(sum(attempts), 0)::bigint, coalesce(sum(correct), 0)::bigint, coalesce(sum(hints), 0)::bigint FROM each_learner
"""
LEARNERS = tuple(
    Held("first_answers", "learner", Fate.RENAMED_ONCE) if each.table == "answer_totals" else each
    for each in TABLES
    if each.table != "answer_days"
)


class EarlierReports(PostgresReports):
    async def record(self, facts: Facts) -> int:
        await self._run(HOLD_AGGREGATES)
        new = await self._new(facts.attempts)
        tally = Tally.of(new)
        await self._write(LEARNER_DAYS, _day_rows(tally), 8)
        await self._write(unchanged.SKILL_DAYS, _skill_rows(tally), 6)
        await self._write(FIRST_ANSWERS_WITH_TOTALS, _first_rows(_by_item(new)), 10)
        await self._write(DECISION_ANSWERS, _first_rows(tally.decided), 10)
        return len(new)

    async def asked(self, statement: str, course: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self._connection.execute(text(statement), {"course": course})]


class EarlierUnit(PostgresUnit):
    def _open(self) -> None:
        self.reports = EarlierReports(self.connection, self._organization)


def _by_item(attempts: Sequence[Attempted]) -> dict[tuple[Any, ...], FirstAnswer]:
    firsts: dict[tuple[Any, ...], FirstAnswer] = {}
    for each in attempts:
        key = (each.course, each.item, each.learner)
        if key in firsts:
            firsts[key].add(each)
        else:
            firsts[key] = FirstAnswer(each)
    return firsts
