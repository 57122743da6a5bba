"""Exports: what is due, who writes it, and the files, on a real object store."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import openpyxl
import pyarrow.parquet as pq
import pytest

from adapters.analytics import exports_files
from adapters.analytics.exports_files import harmless, opened
from adapters.analytics.exports_s3 import S3ReportFiles
from adapters.analytics.postgres import PostgresAnalyticsUnit
from adapters.shared.resources import Settings
from adapters.shared.s3 import s3_client
from domain.analytics.exports import KEPT, LEASE, MOST_TRIES, Export, ExportFormat, ExportLost, ExportNotFound, ExportState
from domain.analytics.model import Facts, ReportKind
from domain.analytics.ports import ReportFile, ReportFiles
from domain.analytics.reports import Cell, Choice, Row
from domain.analytics.use_cases.create_export import CreateExport
from domain.analytics.use_cases.get_export import GetExport
from domain.analytics.use_cases.get_usage import GetUsage
from domain.analytics.use_cases.write_export import WriteExport
from domain.shared.caller import Caller, Role
from domain.shared.errors import QuotaReached, Unavailable
from domain.shared.ids import random_id
from domain.shared.page import PageRequest
from domain.shared.plans import Plan, Quota
from tests.contract.analytics.report_stores import Store
from tests.stores import S3
from tests.unit.analytics.report_making import attempt, query

NOW = datetime(2026, 9, 20, 12, tzinfo=UTC)


@pytest.fixture
def files(s3: S3, tmp_path: Path) -> ReportFiles:
    (tmp_path / "s3_access_key").write_text(s3.access_key)
    (tmp_path / "s3_secret_key").write_text(s3.secret_key)
    settings = Settings("", tmp_path, "", "", s3_endpoint=s3.endpoint, s3_region=s3.region)
    return S3ReportFiles(s3_client(settings), s3.bucket)


@dataclass
class Desk:
    """Who asks for exports and who writes them, at a time that the test sets."""

    store: Store
    files: ReportFiles
    organization: str
    now: list[datetime] = field(default_factory=lambda: [NOW])

    plan: Plan = Plan.STANDARD

    @property
    def grace(self) -> Caller:
        return Caller(self.organization, "grace", frozenset({Role.TEACHER}), plan=self.plan)

    async def ask(self, kind: ReportKind = ReportKind.ITEMS, format: ExportFormat = ExportFormat.CSV) -> Export:
        create = CreateExport(self.store.unit, lambda: self.now[0], random_id)
        return await create(self.grace, query(kind), format)

    async def write(self, files: ReportFiles | None = None) -> bool:
        snapshot = self.store.unit
        if (engine := self.store.engine) is not None:
            frozen = engine.execution_options(isolation_level="REPEATABLE READ")
            snapshot = lambda organization: PostgresAnalyticsUnit(frozen, organization)  # noqa: E731
        return await WriteExport(self.store.unit, snapshot, self.store.due, files or self.files, lambda: self.now[0])()

    async def got(self, export: Export) -> tuple[Export, str]:
        return await GetExport(self.store.unit, self.files)(self.grace, export.id)


@pytest.fixture
async def desk(store: Store, files: ReportFiles, north: str) -> AsyncIterator[Desk]:
    desk = Desk(store, files, north)
    yield desk
    desk.now[0] += timedelta(days=400)  # leaves nothing due to the next test
    while await desk.write():
        pass


async def content(link: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(link)


@pytest.mark.parametrize("format", list(ExportFormat))
async def test_a_file_holds_the_rows_of_the_screen(desk: Desk, format: ExportFormat, tmp_path: Path) -> None:
    made = [attempt(n, f"l{n % 11:02}", f"i{n % 13}", n % 3 > 0, choices=("=1+1",)) for n in range(200)]
    await desk.store.record(desk.organization, Facts(made))
    export = await desk.ask(ReportKind.CHOICES, format)
    assert await desk.write()
    done, link = await desk.got(export)
    shown = await desk.store.rows(desk.organization, export.query)
    assert (done.state, done.row_count, done.expires_at) == (ExportState.SUCCEEDED, len(shown), NOW + KEPT)
    answer = await content(link)
    assert answer.status_code == 200
    assert len(answer.content) == done.byte_count
    assert answer.url.path.endswith(f"/maths-choices-2026-09-20.{format.lower()}")
    assert [tuple(map(str, each)) for each in table_in(format, answer.content)] == [
        (each.item, "=1+1" if format is ExportFormat.PARQUET else "'=1+1", str(each.picks))
        for each in shown
        if isinstance(each, Choice)
    ]


def table_in(format: ExportFormat, data: bytes) -> list[tuple[object, ...]]:
    """The first three columns of a file."""
    if format is ExportFormat.CSV:
        return [tuple(row[:3]) for row in list(csv.reader(io.StringIO(data.decode())))[1:]]
    if format is ExportFormat.PARQUET:
        return [tuple(row.values())[:3] for row in pq.read_table(io.BytesIO(data)).to_pylist()]
    sheet = openpyxl.load_workbook(io.BytesIO(data)).active
    assert sheet is not None
    return [row[:3] for row in list(sheet.iter_rows(values_only=True))[1:]]


async def test_a_link_is_for_its_file_only_and_ends_with_the_file(desk: Desk) -> None:
    await desk.store.record(desk.organization, Facts([attempt(1)]))
    export = await desk.ask()
    assert (await desk.got(export))[1] == ""
    await desk.write()
    _, link = await desk.got(export)
    assert (await content(link.replace(export.id, str(uuid4())))).status_code == 403
    assert (await content(link.partition("?")[0])).status_code == 403
    desk.now[0] += KEPT
    assert await desk.write()
    expired, gone = await desk.got(export)
    assert (expired.state, gone) == (ExportState.EXPIRED, "")
    assert (await content(link)).status_code == 404
    assert not await desk.write()


async def test_two_writers_do_not_write_one_export_and_a_dead_writers_is_written_by_another(desk: Desk) -> None:
    export = await desk.ask()
    async with desk.store.unit(desk.organization) as unit:
        taken = await unit.exports.take(export.id, NOW)
        assert taken is not None
        await unit.exports.save(taken.taken(), NOW + LEASE)
        await unit.commit()
    assert not await desk.write(), "it is not due while its writer's lease lasts"
    desk.now[0] += LEASE
    assert await desk.write()
    done, _ = await desk.got(export)
    assert (done.state, done.tries) == (ExportState.SUCCEEDED, 2)
    async with desk.store.unit(desk.organization) as unit:
        with pytest.raises(ExportLost):
            await unit.exports.save(taken.taken(), NOW)


@dataclass
class Broken(ReportFiles):
    """A store that is away."""

    whole: ReportFiles

    def open(self, format: ExportFormat, row: type[Row]) -> AbstractContextManager[ReportFile]:
        return self.whole.open(format, row)

    async def put(self, file: ReportFile, organization: str, export: Export) -> None:
        raise Unavailable("the object store is away")

    async def link(self, organization: str, export: Export) -> str:
        raise Unavailable("the object store is away")

    async def delete(self, organization: str, export: Export) -> None:
        raise Unavailable("the object store is away")


async def test_an_outage_is_waited_out_for_some_tries_and_then_told(desk: Desk) -> None:
    export = await desk.ask()
    for _ in range(MOST_TRIES):
        assert await desk.write(Broken(desk.files))
        waiting, _ = await desk.got(export)
        assert (waiting.state, waiting.error) == (ExportState.PENDING, "the object store is away")
        desk.now[0] += LEASE
    assert await desk.write()
    failed, _ = await desk.got(export)
    assert failed.state is ExportState.FAILED
    assert "3 tries" in failed.error


async def test_what_a_workbook_cannot_hold_is_told_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports_files, "MOST_SHEET_ROWS", 3)
    await desk.store.record(desk.organization, Facts([attempt(n, item=f"i{n}") for n in range(4)]))
    export = await desk.ask(format=ExportFormat.XLSX)
    await desk.write()
    failed, _ = await desk.got(export)
    assert failed.state is ExportState.FAILED
    assert "export as CSV" in failed.error


async def test_exports_are_listed_newest_first_page_by_page_and_only_to_their_organization(desk: Desk) -> None:
    asked = []
    for _ in range(5):
        asked.append((await desk.ask()).id)
        desk.now[0] += timedelta(seconds=1)
    listed: list[str] = []
    after: tuple[str, ...] | None = None
    while True:
        async with desk.store.unit(desk.organization) as unit:
            page = await unit.exports.page(PageRequest(2, after))
        listed += [each.id for each in page.elements]
        if (after := page.next) is None:
            break
    assert listed == asked[::-1]
    async with desk.store.unit(f"{desk.organization}-not") as unit:
        assert (await unit.exports.page(PageRequest(9))).elements == ()
        with pytest.raises(ExportNotFound):
            await unit.exports.get(asked[0])


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@x", "\tx", "\r=x", "＝x"])
def test_what_a_spreadsheet_would_run_is_made_harmless(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a=1", "", 1, -1.5, None, True, date(2026, 1, 1)])
def test_what_is_no_formula_stays_as_it_is(value: object) -> None:
    assert harmless(value) is value


@pytest.mark.parametrize("format", list(ExportFormat))
def test_an_empty_report_is_a_file_with_columns_only(format: ExportFormat) -> None:
    with opened(format, Cell) as file:
        file.write(())
        assert file.close() > 0
        assert table_in(format, file.path.read_bytes()) == []
        path = file.path
    assert not path.exists()


async def test_a_plan_bounds_the_exports_in_progress_and_those_of_a_day(desk: Desk) -> None:
    desk.plan = Plan.TRIAL
    usage = GetUsage(desk.store.unit, lambda: desk.now[0])
    ended = await asyncio.gather(*(desk.ask() for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, Export) for each in ended) == 1
    refused = [each for each in ended if isinstance(each, QuotaReached)]
    assert {(each.quota, each.retry_after) for each in refused} == {("exports_in_progress", timedelta(seconds=10))}
    assert await usage(desk.grace) == {Quota.EXPORTS_A_DAY: 1, Quota.EXPORTS_IN_PROGRESS: 1}
    for _ in range(4):
        assert await desk.write()
        await desk.ask()
    assert await desk.write()
    with pytest.raises(QuotaReached) as full:
        await desk.ask()
    assert (full.value.quota, full.value.retry_after) == ("exports_a_day", timedelta(hours=12))
    desk.now[0] += timedelta(hours=12)
    assert await usage(desk.grace) == {Quota.EXPORTS_A_DAY: 0, Quota.EXPORTS_IN_PROGRESS: 0}
    await desk.ask()
