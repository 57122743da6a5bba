"""The release before migration `analytics_0003` and this one record side by side, until the contract step takes away what the former needs."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

import migrations
from adapters.analytics.lake_memory import MemoryPseudonyms
from adapters.analytics.personal_records import LearnersInAnalytics
from adapters.shared.personal_records import TablesOfPeople
from domain.analytics.model import Attempted, Facts, ReportKind
from domain.analytics.reports import Item
from domain.analytics.reports_from_log import Log
from tests.contract.analytics.earlier_release import ITEMS, LEARNERS, SUMMARY, EarlierUnit
from tests.contract.analytics.report_stores import Store, engine_of, postgres_store
from tests.contract.analytics.test_reports import same
from tests.stores import PostgresServer
from tests.unit.analytics.report_making import MONDAY, attempt, query

REPORTS = [query(kind) for kind in ReportKind] + [
    query(kind, start=(MONDAY + timedelta(days=5)).date(), end=(MONDAY + timedelta(days=11)).date()) for kind in ReportKind
]


@pytest.fixture
async def engine(postgres: PostgresServer) -> AsyncIterator[AsyncEngine]:
    engine = engine_of(postgres.dsn("paideia_analytics"))
    yield engine
    await engine.dispose()


def answers(seed: int, count: int = 200) -> list[Attempted]:
    rng = random.Random(seed)
    return [
        attempt(
            n,
            f"l{rng.randrange(6)}",
            f"i{rng.randrange(5)}",
            rng.random() < 0.6,
            answered_at=MONDAY + timedelta(hours=rng.randrange(400)),
            response_time=rng.choice([None, timedelta(seconds=rng.randrange(90))]),
            hints=rng.randrange(3),
            decision=rng.choice(["", "d1", "d2"]),
            choices=tuple(rng.sample(["a", "b"], rng.randrange(3))),
        )
        for n in range(count)
    ]


async def record_earlier(engine: AsyncEngine, organization: str, told: list[Attempted]) -> int:
    async with EarlierUnit(engine, organization) as unit:
        new: int = await unit.reports.record(Facts(told))
        await unit.commit()
    return new


async def asked_earlier(engine: AsyncEngine, organization: str, statement: str) -> list[tuple[object, ...]]:
    async with EarlierUnit(engine, organization) as unit:
        rows: list[tuple[object, ...]] = await unit.reports.asked(statement, "maths")
    return rows


async def both_tell(stored: Store, engine: AsyncEngine, organization: str, told: list[Attempted]) -> None:
    """Each release's reports are those of the log, and no kept sum is wrong."""
    log = Log(Facts(told))
    for each in REPORTS:
        same(await stored.rows(organization, each), log.report(each))
    async with stored.unit(organization) as unit:
        assert (await unit.reports.rebuild()).differences == 0
    items = [Item(*row) for row in await asked_earlier(engine, organization, ITEMS)]  # type: ignore[arg-type]
    same(items, log.report(query(ReportKind.ITEMS)))
    (summary,) = await asked_earlier(engine, organization, SUMMARY)
    course = [each for each in told if each.course == "maths"]
    learners = {each.learner for each in course}
    assert summary == (len(learners), len(course), sum(each.correct for each in course), sum(each.hints for each in course))


@pytest.mark.parametrize("seed", range(4))
async def test_numbers_are_the_same_whichever_release_records_an_answer(engine: AsyncEngine, north: str, seed: int) -> None:
    stored, told, rng = postgres_store(engine), answers(seed), random.Random(seed)
    left = list(told)
    rng.shuffle(left)
    while left:
        # A batch may come twice, to either release.
        batch, left = left[:23], left[23:]
        repeated = batch + rng.sample(told, 5) if rng.random() < 0.5 else batch
        if rng.random() < 0.5:
            await record_earlier(engine, north, repeated)
        else:
            await stored.record(north, Facts(repeated))
        rng.shuffle(left)
        if rng.random() < 0.3:
            assert await record_earlier(engine, north, batch) == 0
    await both_tell(stored, engine, north, told)


async def test_both_releases_record_at_once(engine: AsyncEngine, north: str) -> None:
    stored, told = postgres_store(engine), answers(9)
    batches = [told[start : start + 20] for start in range(0, len(told), 20)]
    await asyncio.gather(
        *(
            record_earlier(engine, north, batch) if number % 2 else stored.record(north, Facts(batch))
            for number, batch in enumerate(batches)
        )
    )
    await both_tell(stored, engine, north, told)


@pytest.mark.parametrize("release", ["earlier", "this"])
async def test_either_release_erases_a_learner_from_the_tables_of_both(
    postgres: PostgresServer, engine: AsyncEngine, north: str, release: str
) -> None:
    """Also what comes after the first erasure under the old name; the facts under the pseudonym stay as they were."""
    stored, told = postgres_store(engine), answers(5, 60)
    pool = await asyncpg.create_pool(postgres.dsn("paideia_analytics"), min_size=1, max_size=2)
    people = TablesOfPeople(pool, LEARNERS) if release == "earlier" else LearnersInAnalytics(pool, MemoryPseudonyms())
    await stored.record(north, Facts(told[:30]))
    await record_earlier(engine, north, told[30:])
    for late in ([], [attempt(900, "l1", "i1")], [attempt(901, "l1", "i1"), attempt(902, "l1", "i77")]):
        await stored.record(north, Facts(late))
        await people.erase(north, "l1", "erased-1")
        async with stored.unit(north) as unit:
            connection = unit.reports._connection  # type: ignore[attr-defined]
            for table in ("attempts", "learner_days", "first_answers", "first_totals", "answer_days", "answer_totals"):
                found = await connection.exec_driver_sql(f"SELECT DISTINCT learner FROM {table} ORDER BY learner")
                assert [row[0] for row in found] == ["erased-1", "l0", "l2", "l3", "l4", "l5"]
        if not late:
            renamed = [Attempted(**{**_fields(each), "learner": each.learner.replace("l1", "erased-1")}) for each in told]
            await both_tell(stored, engine, north, renamed)
    await pool.close()


def _fields(answer: Attempted) -> dict[str, object]:
    return {name: getattr(answer, name) for name in answer.__slots__}


@dataclass(frozen=True)
class Apart:
    """A database of the test's own: the DSN of its owner, and connections of the context's role."""

    owner_dsn: str
    engine: AsyncEngine


@pytest.fixture
async def apart(postgres: PostgresServer) -> AsyncIterator[Apart]:
    """With this release's schema and nothing contracted."""
    name = f"rollout_{uuid4().hex}"
    superuser = await asyncpg.connect(postgres.superuser_dsn)
    await superuser.execute(f"CREATE DATABASE {name} OWNER {urlsplit(postgres.owner_dsn).username}")
    owner_dsn = urlsplit(postgres.owner_dsn)._replace(path=f"/{name}").geturl()
    await migrations.upgrade(owner_dsn, postgres.password, only=["analytics"])
    engine = engine_of(urlsplit(postgres.dsn("paideia_analytics"))._replace(path=f"/{name}").geturl())
    yield Apart(owner_dsn, engine)
    await engine.dispose()
    await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await superuser.close()


async def test_the_table_of_the_earlier_release_goes_only_when_told(postgres: PostgresServer, apart: Apart, north: str) -> None:
    stored, told = postgres_store(apart.engine), answers(3, 40)
    await record_earlier(apart.engine, north, told[:20])
    await migrations.upgrade(apart.owner_dsn, postgres.password, only=["analytics"])
    await both_tell(stored, apart.engine, north, told[:20])

    await migrations.upgrade(apart.owner_dsn, postgres.password, only=["analytics"], contract=True)
    # What is left of the earlier release is refused, and nothing of it is half there.
    with pytest.raises(ProgrammingError, match="first_answers"):
        await record_earlier(apart.engine, north, told[20:])
    assert await stored.record(north, Facts(told)) == 20
    for each in REPORTS:
        same(await stored.rows(north, each), Log(Facts(told)).report(each))
    async with apart.engine.connect() as connection:
        functions = await connection.exec_driver_sql(
            "SELECT count(*) FROM pg_proc WHERE pronamespace = 'analytics'::regnamespace"
        )
        assert functions.scalar_one() == 0
    # Neither the next release nor a second order finds anything to do.
    await migrations.upgrade(apart.owner_dsn, postgres.password, only=["analytics"])
    await migrations.upgrade(apart.owner_dsn, postgres.password, only=["analytics"], contract=True)
