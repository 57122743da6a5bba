"""`paideia report ...`: how a course goes, who has mastered what, which items fail, and all of it in files."""

import asyncio
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from cli import report_display
from cli.api import Api, Json
from cli.session import HomeOption, JsonOption, bare, fail, print_json, with_platform

Course = Annotated[str, typer.Option("--course", help="The course.")]
FromDay = Annotated[str, typer.Option("--from", help="The first day, such as 2026-09-01.", show_default=False)]
ToDay = Annotated[str, typer.Option("--to", help="The last day.", show_default=False)]
Learners = Annotated[list[str] | None, typer.Option("--learner", help="Only this learner; repeat for more.")]

_SECONDS_AT_MOST = 900.0


class Kind(StrEnum):
    DAYS = "days"
    LEARNERS = "learners"
    HEATMAP = "heatmap"
    ITEMS = "items"
    CHOICES = "choices"
    ENGAGEMENT = "engagement"
    RETENTION = "retention"
    DECISIONS = "decisions"

    @property
    def named(self) -> str:
        """As the contract calls it."""
        return f"REPORT_KIND_{'HEAT_MAP' if self is Kind.HEATMAP else self.upper()}"


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="How a course goes: reports on a screen and in files.", no_args_is_help=True)
    for command in (course, learners, learner, heatmap, items, engagement, retention, decisions, export, rebuild):
        group.command()(command)
    app.add_typer(group, name="report", rich_help_panel="Courses and practice")


def course(
    course: Course = "fractions",
    first: FromDay = "",
    last: ToDay = "",
    learner: Learners = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """A course, summed up and day by day."""
    _report(home, course, "overview", "days", _filter(first, last, learner), report_display.course, as_json)


def learners(
    course: Course = "fractions",
    first: FromDay = "",
    last: ToDay = "",
    learner: Learners = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """The learners of a course: what they did, and how much they have mastered."""
    _report(home, course, "learnerProgress", "learners", _filter(first, last, learner), report_display.learners, as_json)


def learner(
    learner: Annotated[str, typer.Argument(help="The learner's id.")],
    course: Course = "fractions",
    first: FromDay = "",
    last: ToDay = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """One learner's progress in a course."""
    asked = _filter(first, last, None) | {"course": f"courses/{course}"}
    found = with_platform(home, lambda api: _whole(api, f"/v1/learners/{learner}/report", "days", asked))
    _show(found, report_display.learner, as_json)


def heatmap(
    course: Course = "fractions",
    first: FromDay = "",
    last: ToDay = "",
    learner: Learners = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who has mastered which skill."""
    _report(home, course, "skillHeatMap", "cells", _filter(first, last, learner), report_display.heat_map, as_json)


def items(
    course: Course = "fractions",
    first: FromDay = "",
    last: ToDay = "",
    learner: Learners = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How hard items are, how well they tell learners apart, and what is picked."""
    _report(home, course, "itemStatistics", "items", _filter(first, last, learner), report_display.items, as_json)


def engagement(
    course: Course = "fractions",
    first: FromDay = "",
    last: ToDay = "",
    learner: Learners = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Who practised, week by week, and which sessions were completed."""
    _report(home, course, "engagement", "weeks", _filter(first, last, learner), report_display.engagement, as_json)


def retention(
    course: Course = "fractions",
    first: FromDay = "",
    last: ToDay = "",
    learner: Learners = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """How many of those who began in a week come back in the weeks after."""
    _report(home, course, "retention", "cells", _filter(first, last, learner), report_display.retention, as_json)


def decisions(
    course: Course = "fractions",
    first: FromDay = "",
    last: ToDay = "",
    learner: Learners = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """What policies decided, and what came of it."""
    _report(home, course, "decisionReport", "rows", _filter(first, last, learner), report_display.decisions, as_json)


def export(
    kind: Annotated[Kind, typer.Argument(help="The report.")],
    course: Course = "fractions",
    format: Annotated[Format, typer.Option("--format", help="The file's format.")] = Format.CSV,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write; else the report's name.", show_default=False)
    ] = None,
    first: FromDay = "",
    last: ToDay = "",
    learner: Learners = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write all rows of a report to a file."""
    body = {
        "requestId": str(uuid4()),
        "kind": kind.named,
        "format": f"EXPORT_FORMAT_{format.upper()}",
        "course": f"courses/{course}",
    }
    path = out or Path(f"{course}-{kind}.{format}")

    async def work(api: Api) -> Json:
        created = await api.post("/v1/exports", body | _filter(first, last, learner))
        done = await _finished(api, created["name"], shown=not as_json)
        if done["state"] == "EXPORT_STATE_SUCCEEDED":
            path.write_bytes(await _download(done["downloadUri"]))
        return done

    done = with_platform(home, work)
    if done["state"] != "EXPORT_STATE_SUCCEEDED":
        fail(f"the export failed: {done.get('error', 'it was deleted')}")
    if as_json:
        print_json(done | {"file": str(path)})
    else:
        print(f"{path}: {done.get('rowCount', '0')} rows, {done.get('byteCount', '0')} bytes")


def rebuild(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Compute the aggregates behind reports anew from the recorded attempts, and say how many were wrong."""
    done = with_platform(home, lambda api: api.post("/v1/reports:rebuild", {"requestId": str(uuid4())}), patience=120)
    if as_json:
        print_json(done)
        return
    wrong = int(done.get("differenceCount", 0))
    verdict = "all of them right" if wrong == 0 else f"{wrong} mended"
    print(f"{done.get('rowCount', '0')} aggregates of {done.get('attemptCount', '0')} attempts: {verdict}")


def _report(
    home: Path | None,
    course: str,
    report: str,
    rows: str,
    asked: Json,
    display: Callable[[Json, Console], None],
    as_json: bool,
) -> None:
    found = with_platform(home, lambda api: _whole(api, f"/v1/courses/{course}/{report}", rows, asked))
    _show(found, display, as_json)


def _show(found: Json, display: Callable[[Json, Console], None], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        display(found, Console(highlight=False))


def _filter(first: str, last: str, learners: list[str] | None) -> Json:
    given = {"startDate": first, "endDate": last, "learners": [f"learners/{each}" for each in learners or ()]}
    return {name: value for name, value in given.items() if value}


async def _whole(api: Api, path: str, rows: str, asked: Mapping[str, object]) -> Json:
    """A report with the rows of every page."""
    whole: Json = {}
    token = ""
    while True:
        asking = {**asked, "pageSize": 1_000} | ({"pageToken": token} if token else {})
        page = await api.get(f"{path}?{urlencode(asking, doseq=True)}")
        if not token:
            whole = page
        else:
            whole[rows] += page.get(rows, [])
        token = page.get("nextPageToken", "")
        if not token:
            whole.pop("nextPageToken", None)
            return whole


async def _finished(api: Api, name: str, shown: bool) -> Json:
    """Waits until the export has succeeded or failed, and says how far it is."""
    give_up = time.monotonic() + _SECONDS_AT_MOST
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as progress:
        task = progress.add_task("waiting for the export")
        while True:
            found = await api.get(f"/v1/{name}")
            if found["state"] not in ("EXPORT_STATE_PENDING", "EXPORT_STATE_RUNNING"):
                return found
            if time.monotonic() > give_up:
                fail(f"the export is not there yet: ask again for exports/{bare(name)}")
            progress.update(task, description=f"{found.get('rowCount', '0')} rows written")
            await asyncio.sleep(0.3)


async def _download(link: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(link) as answer:
        if answer.status != 200:
            fail(f"the object store did not give the file: HTTP {answer.status}")
        return await answer.read()
