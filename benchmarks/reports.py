"""How long a page of each report takes over many simulated attempts, and how fast attempts are recorded: `python benchmarks/reports.py`.

Runs on a PostgreSQL of its own. Every page is asked for again and again through the store that the service uses, alone, with the default page
size of 50: the course whole, and one month of it. Prints JSON with medians and 95th percentiles in milliseconds.
"""

import argparse
import asyncio
import json
import random
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from adapters.analytics.postgres import PostgresAnalyticsUnit
from domain.analytics.model import Attempted, Decided, Facts, MasteryTold, ReportKind, ReportQuery, SessionMarked, Shown
from domain.shared.page import PageRequest
from tests.stores import postgres_server

BEGINNING = datetime(2026, 1, 5, tzinfo=UTC)
MONTH = (date(2026, 3, 1), date(2026, 3, 31))


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


async def fill(engine: AsyncEngine, attempts: int, learners: int, items: int) -> float:
    """Returns attempts a second, by one writer in batches as the consumer makes them."""
    rng = random.Random(1)
    spent = 0.0
    for start in range(0, attempts, 1_000):
        facts = simulated(start, 1_000, learners, items, rng)
        begin = perf_counter()
        async with PostgresAnalyticsUnit(engine, "north") as unit:
            await unit.reports.record(facts)
            await unit.commit()
        spent += perf_counter() - begin
    return attempts / spent


async def timed(engine: AsyncEngine, query: ReportQuery, repeats: int) -> dict[str, float]:
    spent = []
    for _ in range(repeats):
        begin = perf_counter()
        async with PostgresAnalyticsUnit(engine, "north") as unit:
            await unit.reports.page(query, PageRequest(50))
        spent.append((perf_counter() - begin) * 1_000)
    return {"median_ms": round(median(spent), 1), "p95_ms": round(quantiles(spent, n=20)[-1], 1)}


async def measure(dsn: str, owner: str, arguments: argparse.Namespace) -> dict[str, object]:
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), connect_args={"command_timeout": 120})
    rate = await fill(engine, arguments.attempts, arguments.learners, arguments.items)
    owning = create_async_engine(owner.replace("postgresql://", "postgresql+asyncpg://", 1), isolation_level="AUTOCOMMIT")
    async with owning.connect() as connection:
        await connection.execute(text("VACUUM ANALYZE"))  # as autovacuum does by and by
    await owning.dispose()
    pages = {}
    for kind in ReportKind:
        pages[kind] = {
            "whole": await timed(engine, ReportQuery(kind, "maths"), arguments.repeats),
            "month": await timed(engine, ReportQuery(kind, "maths", *MONTH), arguments.repeats),
            "class of 30": await timed(
                engine, ReportQuery(kind, "maths", learners=tuple(f"learner-{n}" for n in range(30))), arguments.repeats
            ),
        }
    begin = perf_counter()
    async with PostgresAnalyticsUnit(engine, "north") as unit:
        rebuilt = await unit.reports.rebuild()
    await engine.dispose()
    return {
        "attempts": arguments.attempts,
        "learners": arguments.learners,
        "items": arguments.items,
        "recorded_per_second": round(rate),
        "pages": pages,
        "check_of_aggregates": {"seconds": round(perf_counter() - begin, 1), "differences": rebuilt.differences},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--learners", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    with TemporaryDirectory() as directory, postgres_server(Path(directory)) as server:
        print(json.dumps(asyncio.run(measure(server.dsn("paideia_analytics"), server.owner_dsn, arguments)), indent=2))


if __name__ == "__main__":
    main()
