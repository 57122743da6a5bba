"""How long a page of each report takes over many simulated attempts: `python benchmarks/reports.py [--attempts 1000000] [--learners 10000]`.

Runs on a PostgreSQL of its own. The first attempts are recorded as the consumer records them, which is timed; the rest of them is copied
into the log's table, and `rebuild` makes the aggregates. Every page is then asked for again and again through the store that the service
uses, alone, with the default page size of 50: of the whole course, of one month, of the first 30 learners, and of the first 1,000 in that
month. Beside them DuckDB answers some of the questions from the same attempts, which it has in memory. Prints JSON with medians and 95th
percentiles in milliseconds.
"""

import argparse
import asyncio
import csv
import json
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

import asyncpg
import duckdb
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from adapters.analytics.postgres import PostgresAnalyticsUnit
from domain.analytics.model import Attempted, Decided, Facts, MasteryTold, ReportKind, ReportQuery, SessionMarked, Shown
from domain.analytics.rollups import micros_of
from domain.shared.page import PageRequest
from tests.stores import postgres_server

BEGINNING = datetime(2026, 1, 5, tzinfo=UTC)
MONTH = (date(2026, 3, 1), date(2026, 3, 31))
ORGANIZATION, COURSE = "north", "maths"
BATCH, COPIED_BATCH = 1_000, 20_000
COLUMNS = [
    "organization_id",
    "id",
    "learner",
    "course",
    "item",
    "day",
    "answered_at",
    "correct",
    "score",
    "response_micros",
    "hints",
    "decision",
    "skills",
    "choices",
]
OF_RIVAL = {"learner": "VARCHAR", "item": "VARCHAR", "day": "DATE", "answered_at": "TIMESTAMPTZ", "correct": "BOOLEAN"}
OF_RIVAL |= {"response_micros": "BIGINT"}
_DAYS = "FROM attempts WHERE day BETWEEN $start AND $end"
RIVAL = {
    ReportKind.SUMMARY: f"SELECT count(DISTINCT learner), count(*), count_if(correct), avg(response_micros), min(day), max(day) {_DAYS}",
    ReportKind.DAYS: f"SELECT day, count(DISTINCT learner), count(*), count_if(correct), avg(response_micros) {_DAYS} "
    "GROUP BY day ORDER BY day LIMIT 50",
    ReportKind.ITEMS: f"""
        WITH firsts AS (
            SELECT item, learner, arg_min(correct, answered_at)::int AS correct, arg_min(response_micros, answered_at) AS micros,
                   count(*) AS attempts
            {_DAYS} GROUP BY item, learner
        ), totals AS (SELECT learner, count(*) AS answers, sum(correct) AS correct FROM firsts GROUP BY learner)
        SELECT item, count(*), avg(f.correct), corr(f.correct, (t.correct - f.correct) / nullif(answers - 1, 0)), median(micros), sum(attempts)
        FROM firsts f JOIN totals t USING (learner) GROUP BY item ORDER BY item LIMIT 50""",
    ReportKind.RETENTION: """
        WITH began AS (
            SELECT learner, date_trunc('week', min(day)) AS cohort FROM attempts GROUP BY learner HAVING min(day) BETWEEN $start AND $end
        )
        SELECT cohort, date_trunc('week', day) AS week, count(DISTINCT learner) FROM attempts JOIN began USING (learner)
        GROUP BY cohort, week ORDER BY cohort, week LIMIT 50""",
}


def simulated(start: int, count: int, learners: int, items: int, rng: random.Random) -> Facts:
    """Attempts `start` to `start + count`: of learners in turn, on 120 days, five a sitting, each sitting with its decision and session."""
    attempts, sessions, decisions, masteries = [], [], [], []
    for number in range(start, start + count, 5):
        learner = f"learner-{number // 5 % learners}"
        begin = BEGINNING + timedelta(days=rng.randrange(120), seconds=rng.randrange(60_000))
        shown = tuple(Shown(f"item-{each}", 0.7) for each in rng.sample(range(items), 5))
        decisions.append(Decided(f"d{number}", learner, "maths", begin, "practice-1", "growth", "PRACTICE", False, False, shown))
        sessions += [SessionMarked(learner, f"s{number}", "maths", begin + timedelta(minutes=m), m > 0) for m in (0, 9)]
        for place, each in enumerate(shown):
            skill = f"skill-{int(each.item[5:]) % 20}"
            at = begin + timedelta(minutes=place)
            attempts.append(
                Attempted(
                    str(UUID(int=number + place + 1)),
                    learner,
                    "maths",
                    each.item,
                    (skill,),
                    rng.random() < 0.7,
                    1.0,
                    at,
                    timedelta(seconds=rng.randrange(5, 90)),
                    decision=f"d{number}",
                    choices=(rng.choice("abcd"),),
                )
            )
            masteries.append(MasteryTold(learner, skill, at.date(), number + place, 0, rng.random(), 0.0, 1.0))
    return Facts(attempts, sessions, decisions, masteries)


def batches(arguments: argparse.Namespace) -> Iterator[Facts]:
    rng = random.Random(1)
    start = 0
    while start < arguments.attempts:
        count = min(BATCH if start < arguments.recorded else COPIED_BATCH, arguments.attempts - start)
        yield simulated(start, count, arguments.learners, arguments.items, rng)
        start += count


async def record(engine: AsyncEngine, facts: Facts) -> None:
    async with PostgresAnalyticsUnit(engine, ORGANIZATION) as unit:
        await unit.reports.record(facts)
        await unit.commit()


async def fill(engine: AsyncEngine, owner: asyncpg.Connection, arguments: argparse.Namespace, rows: Path) -> float:
    """Returns attempts a second, by one writer in batches as the consumer makes them."""
    recorded, spent = 0, 0.0
    with rows.open("w", newline="") as file:
        for facts in batches(arguments):
            if recorded < arguments.recorded:
                begin = perf_counter()
                await record(engine, facts)
                spent += perf_counter() - begin
                recorded += len(facts.attempts)
            else:
                csv.writer(file).writerows(map(row_of, facts.attempts))
                await record(engine, replace(facts, attempts=()))
    async with owner.transaction():
        # Nothing is copied past row-level security, which binds whoever owns the table, too.
        await owner.execute("ALTER TABLE analytics.attempts NO FORCE ROW LEVEL SECURITY")
        await owner.copy_to_table("attempts", schema_name="analytics", columns=COLUMNS, source=rows, format="csv")
        await owner.execute("ALTER TABLE analytics.attempts FORCE ROW LEVEL SECURITY")
    async with PostgresAnalyticsUnit(engine, ORGANIZATION) as unit:
        await unit.reports.rebuild()
        await unit.commit()
    await owner.execute("VACUUM ANALYZE")  # as autovacuum does by and by
    return recorded / spent


def row_of(attempt: Attempted) -> tuple[object, ...]:
    did = (attempt.correct, attempt.score, micros_of(attempt), attempt.hints, attempt.decision)
    lists = (f"{{{','.join(each)}}}" for each in (attempt.skills, attempt.choices))
    return ORGANIZATION, attempt.id, attempt.learner, attempt.course, attempt.item, attempt.day, attempt.answered_at, *did, *lists


def told(spent: Sequence[float]) -> dict[str, float]:
    return {"median_ms": round(median(spent) * 1_000, 1), "p95_ms": round(quantiles(spent, n=20)[-1] * 1_000, 1)}


async def timed(engine: AsyncEngine, query: ReportQuery, repeats: int) -> dict[str, float]:
    spent = []
    for _ in range(repeats):
        begin = perf_counter()
        async with PostgresAnalyticsUnit(engine, ORGANIZATION) as unit:
            await unit.reports.page(query, PageRequest(50))
        spent.append(perf_counter() - begin)
    return told(spent)


async def rival(engine: AsyncEngine, file: Path, repeats: int) -> dict[str, dict[str, dict[str, float]]]:
    """DuckDB, with two threads at most, asked of the same attempts."""
    async with PostgresAnalyticsUnit(engine, ORGANIZATION) as unit:
        driver = (await unit.connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.copy_from_query(f"SELECT {', '.join(OF_RIVAL)} FROM attempts", output=file, format="csv")
    answers: dict[str, dict[str, dict[str, float]]] = {}
    with duckdb.connect(config={"threads": 2}) as database:
        database.execute(f"CREATE TABLE attempts AS SELECT * FROM read_csv('{file}', header = false, columns = {OF_RIVAL})")
        for kind, question in RIVAL.items():
            answers[kind] = {}
            for name, days in {"whole": (date.min, date.max), "month": MONTH}.items():
                spent = []
                for _ in range(repeats):
                    begin = perf_counter()
                    database.execute(question, {"start": days[0], "end": days[1]}).fetchall()
                    spent.append(perf_counter() - begin)
                answers[kind][name] = told(spent)
    return answers


async def measure(dsn: str, owner_dsn: str, folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), connect_args={"command_timeout": 600})
    owner = await asyncpg.connect(owner_dsn)
    begin = perf_counter()
    rate = await fill(engine, owner, arguments, folder / "attempts.csv")
    filled = perf_counter() - begin
    await owner.close()
    named = {count: tuple(f"learner-{n}" for n in range(count)) for count in (30, 1_000)}
    pages = {
        kind: {
            name: await timed(engine, query, arguments.repeats)
            for name, query in {
                "whole": ReportQuery(kind, COURSE),
                "month": ReportQuery(kind, COURSE, *MONTH),
                "class of 30": ReportQuery(kind, COURSE, learners=named[30]),
                "class of 1,000, month": ReportQuery(kind, COURSE, *MONTH, learners=named[1_000]),
            }.items()
        }
        for kind in ReportKind
    }
    begin = perf_counter()
    async with PostgresAnalyticsUnit(engine, ORGANIZATION) as unit:
        rebuilt = await unit.reports.rebuild()
    checked = perf_counter() - begin
    by_duckdb = await rival(engine, folder / "rival.csv", arguments.repeats)
    await engine.dispose()
    return {
        "attempts": arguments.attempts,
        "learners": arguments.learners,
        "items": arguments.items,
        "filled_in_seconds": round(filled, 1),
        "recorded_per_second": round(rate),
        "slowest_p95_ms": max(each["p95_ms"] for page in pages.values() for each in page.values()),
        "pages": pages,
        "duckdb": by_duckdb,
        "check_of_aggregates": {"seconds": round(checked, 1), "differences": rebuilt.differences},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--recorded", type=int, default=20_000, help="attempts that are recorded as the consumer does")
    parser.add_argument("--learners", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    with TemporaryDirectory() as directory, postgres_server(Path(directory)) as server:
        work = measure(server.dsn("paideia_analytics"), server.owner_dsn, Path(directory), arguments)
        print(json.dumps(asyncio.run(work), indent=2))


if __name__ == "__main__":
    main()
