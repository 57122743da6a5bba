"""One suite for every store of reports: what it tells equals what is computed from the log anew."""

import asyncio
import csv
import random
from collections.abc import Sequence
from dataclasses import astuple
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from domain.analytics.model import Attempted, Facts, MasteryTold, ReportKind, ReportQuery
from domain.analytics.reports import Cell, Item, Row
from domain.analytics.reports_from_log import Log
from domain.shared.errors import InvalidInput
from tests.contract.analytics.report_stores import Store, engine_of, postgres_store
from tests.stores import PostgresServer, apart
from tests.unit.analytics.report_making import MONDAY, attempt, facts, queries, query

EVERY_KIND = list(ReportKind)


def same(found: Sequence[Row], expected: Sequence[Row]) -> None:
    """Alike to the last digit but for means of many shares, whose last digits depend on the order of adding."""
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert type(mine) is type(theirs)
        for left, right in zip(astuple(mine), astuple(theirs), strict=True):
            if isinstance(left, float) or isinstance(right, float):
                assert left == pytest.approx(right, rel=1e-9, abs=1e-9)
            else:
                assert left == right


@given(told=facts, asked=st.lists(queries, min_size=3, max_size=6), cut=st.integers(0, 40), seed=st.integers(0, 99))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_postgres_tells_of_any_log_in_any_order_what_is_computed_from_it_anew(
    postgres: PostgresServer, told: Facts, asked: list[ReportQuery], cut: int, seed: int
) -> None:
    """Of two attempts with one id the first counts, so those are kept in order; all else is shuffled and partly told twice."""

    async def check() -> None:
        engine = engine_of(postgres.dsn("paideia_analytics"))
        try:
            stored, organization = postgres_store(engine), f"o{uuid4()}"
            shuffle = random.Random(seed).shuffle
            sessions, masteries = list(told.sessions), list(told.masteries)
            shuffle(sessions)
            shuffle(masteries)
            await stored.record(organization, Facts(told.attempts[:cut], sessions[cut:], (), masteries[:cut]))
            await stored.record(organization, Facts(told.attempts, sessions, told.decisions, masteries))
            assert await stored.record(organization, told) == 0
            log = Log(told)
            for each in asked:
                same(await stored.rows(organization, each, size=2), log.report(each))
            async with stored.unit(organization) as unit:
                assert (await unit.reports.rebuild()).differences == 0
        finally:
            await engine.dispose()

    apart(check())


async def test_the_order_in_which_attempts_arrive_changes_nothing(store: Store, north: str) -> None:
    rng = random.Random(4)
    made = [
        attempt(
            n,
            f"l{rng.randrange(9)}",
            f"i{rng.randrange(5)}",
            rng.random() < 0.6,
            answered_at=MONDAY + timedelta(hours=rng.randrange(900)),
        )
        for n in range(300)
    ]
    ways: list[list[Row]] = []
    for organization in (f"{north}a", f"{north}b"):
        rng.shuffle(made)
        for start in range(0, 300, 70):
            await store.record(organization, Facts(made[start : start + 70]))
        ways.append([row for kind in EVERY_KIND for row in await store.rows(organization, query(kind), size=7)])
    same(*ways)


async def test_an_answer_that_comes_late_takes_its_place_between_the_days_that_are_known(store: Store, north: str) -> None:
    days = [attempt(n, item=f"i{n % 2}", correct=n % 3 > 0, answered_at=MONDAY + timedelta(days=n // 2)) for n in range(20)]
    early, late = days[::4] + days[1::4], days[2::4] + days[3::4]
    await store.record(north, Facts([*early, attempt(99, "bob", "i0", answered_at=MONDAY + timedelta(days=5))]))
    await store.record(north, Facts(late[::-1]))
    log = Log(Facts([*days, attempt(99, "bob", "i0", answered_at=MONDAY + timedelta(days=5))]))
    for kind in EVERY_KIND:
        for start in range(0, 10, 3):
            asked = query(kind, start=(MONDAY + timedelta(days=start)).date(), end=(MONDAY + timedelta(days=start + 4)).date())
            same(await store.rows(north, asked), log.report(asked))


async def test_batches_at_once_count_every_attempt_once(store: Store, north: str) -> None:
    made = [attempt(n, f"l{n % 7}", f"i{n % 5}", n % 3 > 0) for n in range(400)]
    batches = [Facts(made[start : start + 100]) for start in (0, 50, 100, 150, 200, 250, 300)]
    await asyncio.gather(*(store.record(north, each) for each in batches))
    for kind in EVERY_KIND:
        same(await store.rows(north, query(kind)), Log(Facts(made)).report(query(kind)))


async def test_a_batch_that_is_not_committed_leaves_nothing_behind(store: Store, north: str) -> None:
    async with store.unit(north) as unit:
        await unit.reports.record(Facts([attempt(1)]))
    assert await store.rows(north, query(ReportKind.LEARNERS)) == []
    assert await store.record(north, Facts([attempt(1)])) == 1


async def test_another_organization_sees_nothing_of_it(store: Store, north: str) -> None:
    await store.record(north, Facts([attempt(1)]))
    assert await store.rows(f"{north}-not", query(ReportKind.DAYS)) == []
    assert await store.record(f"{north}-not", Facts([attempt(1)])) == 1, "the id counts in each organization"


@pytest.mark.parametrize("kind", EVERY_KIND)
async def test_a_report_on_nothing_is_empty(store: Store, north: str, kind: ReportKind) -> None:
    rows = await store.rows(north, query(kind, start=date(2026, 1, 1), end=date(2026, 1, 2)))
    assert len(rows) == (kind is ReportKind.SUMMARY)


@pytest.mark.parametrize(
    ("kind", "cursor"),
    [
        (ReportKind.DAYS, ("today",)),
        (ReportKind.DAYS, ("2026-01-01", "x")),
        (ReportKind.HEAT_MAP, ("ada",)),
        (ReportKind.RETENTION, ("2026-01-05", "1e3")),
        (ReportKind.RETENTION, ("2026-01-05", "99999999999")),
        (ReportKind.DECISIONS, ("p", "", "PRACTICE", "yes")),
        (ReportKind.SUMMARY, ()),
    ],
)
async def test_a_cursor_of_another_report_is_refused(store: Store, north: str, kind: ReportKind, cursor: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        await store.page(north, query(kind), after=cursor)


async def test_mastery_is_as_of_the_end_of_the_range(store: Store, north: str) -> None:
    day = MONDAY.date()
    told = [MasteryTold("ada", "s1", day + timedelta(days=n), n + 1, 0, 0.1 * n, 0.0, 1.0) for n in (3, 0, 1)]
    repaired = MasteryTold("ada", "s1", day + timedelta(days=3), 4, 1, 0.9, 0.8, 1.0)
    await store.record(north, Facts([attempt(1)], masteries=[*told, repaired]))
    await store.record(north, Facts(masteries=told))
    for end, mean in ((day, 0.0), (day + timedelta(days=2), 0.1), (day + timedelta(days=9), 0.9)):
        (cell,) = await store.rows(north, query(ReportKind.HEAT_MAP, end=end))
        assert isinstance(cell, Cell)
        assert cell.mastery == pytest.approx(mean)


def read_answers(path: Path) -> list[Attempted]:
    """A public response log as attempts, one learner a day."""
    with path.open() as lines:
        rows = list(csv.DictReader(lines))
    learners = {name: number for number, name in enumerate(dict.fromkeys(row["learner"] for row in rows))}
    return [
        Attempted(
            id=str(UUID(int=number)),
            learner=row["learner"],
            course="maths",
            item=row["item"],
            skills=tuple(row["skills"].split(";")),
            correct=row["correct"] == "1",
            score=float(row["correct"]),
            answered_at=MONDAY + timedelta(days=learners[row["learner"]], minutes=int(row["position"])),
            response_time=timedelta(seconds=number % 97),
            choices=("abcd"[number % 4],),
        )
        for number, row in enumerate(rows)
    ]


async def test_reports_on_a_real_log_equal_what_is_computed_from_it(store: Store, north: str, data: Path) -> None:
    answers = read_answers(data / "fraction.csv")
    shuffled = random.Random(1).sample(answers, len(answers))
    for start in range(0, len(shuffled), 1_000):
        await store.record(north, Facts(shuffled[start : start + 1_000]))
    log = Log(Facts(answers))
    for kind in EVERY_KIND:
        for asked in (
            query(kind),
            query(kind, start=date(2026, 10, 1), end=date(2026, 12, 31)),
            query(kind, learners=("fraction-learner-7",)),
        ):
            same(await store.rows(north, asked), log.report(asked))
    items = [each for each in await store.rows(north, query(ReportKind.ITEMS)) if isinstance(each, Item)]
    assert len(items) == 20
    assert all(each.learners == 536 and each.discrimination is not None and each.discrimination > 0.2 for each in items)


async def test_a_rebuild_finds_and_mends_aggregates_that_are_wrong(postgres: PostgresServer, north: str) -> None:
    engine = engine_of(postgres.dsn("paideia_analytics"))
    try:
        stored = postgres_store(engine)
        made = [attempt(n, f"l{n % 3}", f"i{n % 4}", n % 2 > 0, decision="d1") for n in range(50)]
        await stored.record(north, Facts(made))
        async with stored.unit(north) as unit:
            connection = unit.connection  # type: ignore[attr-defined]
            await connection.execute(text("UPDATE learner_days SET correct = correct + 1 WHERE learner = 'l1'"))
            await connection.execute(text("DELETE FROM skill_days WHERE learner = 'l2'"))
            await connection.execute(text("UPDATE answer_days SET learner = 'nobody' WHERE learner = 'l0' AND item = 'i0'"))
            await connection.execute(text("UPDATE course_days SET learners = learners + 1"))
            await connection.execute(text("DELETE FROM answer_totals WHERE learner = 'l1'"))
            await connection.execute(text("DELETE FROM decision_answers"))
            await unit.commit()
        async with stored.unit(north) as unit:
            rebuilt = await unit.reports.rebuild()
            await unit.commit()
        assert (rebuilt.attempts, rebuilt.differences) == (50, 1 + 1 + 2 + 1 + 1 + 12)
        async with stored.unit(north) as unit:
            assert (await unit.reports.rebuild()).differences == 0
        for kind in EVERY_KIND:
            same(await stored.rows(north, query(kind)), Log(Facts(made)).report(query(kind)))
    finally:
        await engine.dispose()
