"""Upkeep of the lake, and questions to it, over a real S3 and a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from adapters.analytics.duckdb import FileCache, LakeQueries, QueryRefused, Scope
from adapters.analytics.iceberg import IcebergLake, IcebergTable, bucket_of, offsets_of
from adapters.analytics.lake_maintenance import (
    Upkeep,
    compact,
    drop_before,
    expire,
    facts_of,
    missing,
    orphans,
    remove_orphans,
)
from domain.analytics.lake import ALL_TABLES, SESSIONS, TEXT, Column, LakeTable
from tests.contract.analytics.lakes import NOW, days_ago, lake_of, properties, session, sessions


@pytest.fixture
def lake(postgres, s3) -> IcebergLake:
    return lake_of(postgres, s3)


@pytest.fixture
def queries(lake: IcebergLake, tmp_path: Path) -> LakeQueries:
    return LakeQueries(lake, ALL_TABLES, FileCache(tmp_path / "cache", 10**9), threads=1)


def asked(queries: LakeQueries, sql: str, scope: Scope | None = None) -> list[dict[str, object]]:
    with queries.answer(sql, scope) as answer:
        return answer.read_all().to_pylist()


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=1)


async def filled(lake: IcebergLake, commits: int = 6) -> IcebergTable:
    """Two days of two organizations in many small files."""
    table = IcebergTable(lake, SESSIONS)
    for commit in range(commits):
        rows = [
            session(1_000 * commit + number, organization=("north", "south")[number % 2], time=days_ago(number % 3 // 2))
            for number in range(30)
        ]
        await table.append(rows, {0: 30 * (commit + 1)})
    return table


async def test_compaction_keeps_every_row_and_the_offsets(lake: IcebergLake, queries: LakeQueries) -> None:
    await filled(lake)
    everything = "SELECT * FROM sessions ORDER BY event_id"
    before = asked(queries, everything)
    replaced, by = compact(lambda: lake.table(SESSIONS))
    assert (replaced, by) == (24, 4)
    facts = facts_of("sessions", lake.table(SESSIONS))
    assert (facts.rows, facts.files) == (180, 4)
    assert asked(queries, everything) == before
    assert offsets_of(lake.table(SESSIONS)) == {0: 180}
    assert compact(lambda: lake.table(SESSIONS)) == (0, 0)


async def test_a_writer_goes_on_over_a_compaction(lake: IcebergLake) -> None:
    table = await filled(lake)
    compact(lambda: lake.table(SESSIONS))
    known = session(1_000)
    assert await table.append([known, session(77_777)], {0: 191}, {0: 180}) == 1
    assert offsets_of(lake.table(SESSIONS)) == {0: 191}


async def test_expired_snapshots_leave_the_rows_and_the_offsets(lake: IcebergLake) -> None:
    await filled(lake)
    compact(lambda: lake.table(SESSIONS))
    assert expire(lambda: lake.table(SESSIONS), soon()) == 9
    facts = facts_of("sessions", lake.table(SESSIONS))
    assert (facts.rows, facts.snapshots) == (180, 1)
    assert offsets_of(lake.table(SESSIONS)) == {0: 180}
    assert expire(lambda: lake.table(SESSIONS), soon()) == 0


async def test_the_snapshot_that_says_the_offsets_outlives_one_of_another_engine(lake: IcebergLake) -> None:
    await filled(lake, 2)
    with lake.table(SESSIONS).transaction() as transaction, transaction.update_snapshot().fast_append():
        pass  # as Spark would: a snapshot that says nothing of offsets
    expire(lambda: lake.table(SESSIONS), soon())
    assert offsets_of(lake.table(SESSIONS)) == {0: 60}
    assert facts_of("sessions", lake.table(SESSIONS)).snapshots == 2


async def test_files_that_nothing_names_are_removed_and_no_others(lake: IcebergLake) -> None:
    await filled(lake)
    compact(lambda: lake.table(SESSIONS))
    assert orphans(lake.table(SESSIONS), soon()) == {}
    expire(lambda: lake.table(SESSIONS), soon())
    count, size = remove_orphans(lambda: lake.table(SESSIONS), soon())
    assert count > 24
    assert size > 0
    assert missing(lake.table(SESSIONS)) == []
    assert lake.table(SESSIONS).scan().to_arrow().num_rows == 180
    assert remove_orphans(lambda: lake.table(SESSIONS), soon()) == (0, 0)


async def test_young_files_are_left_to_their_writer(lake: IcebergLake) -> None:
    await filled(lake)
    expire(lambda: lake.table(SESSIONS), soon())
    assert remove_orphans(lambda: lake.table(SESSIONS), datetime.now(UTC) - timedelta(hours=1)) == (0, 0)


async def test_old_days_are_dropped_whole(lake: IcebergLake, queries: LakeQueries) -> None:
    await filled(lake)
    assert drop_before(lambda: lake.table(SESSIONS), NOW) == 12
    assert asked(queries, "SELECT count(*) AS rows, min(time) AS first FROM sessions") == [{"rows": 120, "first": NOW}]
    assert offsets_of(lake.table(SESSIONS)) == {0: 180}
    assert drop_before(lambda: lake.table(SESSIONS), NOW) == 0


async def test_the_hourly_upkeep_does_it_all(lake: IcebergLake) -> None:
    await filled(lake)
    Upkeep(lake, [SESSIONS], keep_snapshots=timedelta(minutes=-1), least_files=2).tidy(SESSIONS)
    facts = facts_of("sessions", lake.table(SESSIONS))
    assert (facts.rows, facts.files, facts.snapshots) == (180, 4, 1)


async def test_a_missing_file_is_told(lake: IcebergLake) -> None:
    await filled(lake, 1)
    table = lake.table(SESSIONS)
    lost = next(iter(table.scan().plan_files())).file.file_path
    table.io.delete(lost)
    assert [lost.endswith(each) for each in missing(table)] == [True]


async def test_a_table_gains_columns_and_old_rows_have_no_value(lake: IcebergLake, queries: LakeQueries) -> None:
    await IcebergTable(lake, SESSIONS).append(sessions(range(3)), {0: 3})
    newer = LakeTable("sessions", SESSIONS.topic, (*SESSIONS.columns, Column("device", TEXT)))
    await IcebergTable(lake, newer).append(sessions(range(3, 5), device="phone"), {0: 5})
    # A process of the version before still writes what it knows.
    await IcebergTable(lake, SESSIONS).append(sessions(range(5, 7)), {0: 7})
    found = asked(queries, "SELECT session, device FROM sessions ORDER BY session")
    assert [each["device"] for each in found] == [None, None, None, "phone", "phone", None, None]
    compact(lambda: lake.table(newer))
    assert asked(queries, "SELECT session, device FROM sessions ORDER BY session") == found
    ids = {field.name: field.field_id for field in lake.table(newer).schema().fields}
    assert len(set(ids.values())) == len(ids)


async def test_a_query_sees_only_its_scope(lake: IcebergLake, queries: LakeQueries, tmp_path: Path) -> None:
    await filled(lake)
    count = "SELECT count(*) AS rows FROM sessions"
    assert asked(queries, count) == [{"rows": 180}]
    assert asked(queries, count, Scope(since=days_ago(0))) == [{"rows": 120}]
    assert asked(queries, count, Scope(until=days_ago(0))) == [{"rows": 60}]
    assert asked(queries, count, Scope(organization="north")) == [{"rows": 90}]
    assert asked(queries, count, Scope(organization="o'neill")) == [{"rows": 0}]


async def test_an_empty_table_answers_with_its_columns(lake: IcebergLake, queries: LakeQueries) -> None:
    lake.table(SESSIONS)
    with queries.answer("SELECT * FROM sessions") as answer:
        assert answer.schema.names == [each.name for each in SESSIONS.columns]
        assert answer.read_all().num_rows == 0


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM sessions",
        "SELECT 1; SELECT 2",
        "COPY sessions TO 'x.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SET memory_limit = '100GB'",
        "ATTACH 'x.db'",
        "INSTALL httpfs",
        "SELECT * FROM no_such_table",
        "SELEC 1",
        "",
    ],
)
async def test_what_is_no_question_to_the_lake_is_refused(lake: IcebergLake, queries: LakeQueries, sql: str) -> None:
    lake.table(SESSIONS)
    with pytest.raises(QueryRefused, match=r"\w"):
        asked(queries, sql)


async def test_a_query_that_takes_too_long_is_ended(lake: IcebergLake, queries: LakeQueries) -> None:
    endless = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE hash(a.range + b.range) = 7"
    with pytest.raises(QueryRefused, match="no answer within"), queries.answer(endless, seconds=0.2) as answer:
        answer.read_all()


async def test_a_query_for_more_than_the_cache_holds_is_refused_with_what_would_help(lake: IcebergLake, tmp_path: Path) -> None:
    await filled(lake, 1)
    small = LakeQueries(lake, ALL_TABLES, FileCache(tmp_path / "small", 1_000))
    with pytest.raises(QueryRefused, match="--since"):
        asked(small, "SELECT count(*) FROM sessions")


async def test_the_cache_stays_within_its_bound_and_answers_alike(lake: IcebergLake, tmp_path: Path) -> None:
    await filled(lake)
    tight = LakeQueries(lake, ALL_TABLES, FileCache(tmp_path / "tight", 60_000))
    for _ in range(2):
        for scope, rows in ((Scope(until=days_ago(0)), 60), (Scope(since=days_ago(0), organization="south"), 60)):
            assert asked(tight, "SELECT count(*) AS rows FROM sessions", scope) == [{"rows": rows}]
        assert sum(each.stat().st_size for each in (tmp_path / "tight").rglob("*") if each.is_file()) <= 60_000


def test_the_bucket_of_an_organization_is_that_of_icebergs_specification() -> None:
    # The specification's example: the 32-bit murmur3 of "iceberg" is 1210000089.
    assert bucket_of("iceberg") == 1210000089 % 16


async def test_processes_that_meet_a_new_lake_at_once_all_find_its_tables(postgres, s3) -> None:
    lake = lake_of(postgres, s3)
    others = [IcebergLake(properties(postgres, s3, lake.name), name=lake.name) for _ in range(3)]
    tables = [IcebergTable(each, definition) for each in (lake, *others) for definition in ALL_TABLES]
    assert await asyncio.gather(*(each.offsets() for each in tables)) == [{}] * len(tables)


def test_every_table_can_be_created_and_answers(lake: IcebergLake, queries: LakeQueries) -> None:
    for definition in ALL_TABLES:
        lake.table(definition)
        with queries.answer(f"SELECT * FROM {definition.name}") as answer:
            table: pa.Table = answer.read_all()
        assert table.column_names == [each.name for each in definition.columns]
