"""The command `paideia replay`."""

import asyncio
import json
import re
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.api import Api, CannotReach, Json, Refused, find_access
from cli.replay.accounting import Pairs, account_for, counted_twice, prediction_report, predictions, skill_report
from cli.replay.preparation import prepare
from cli.replay.response_log import ResponseLog, read_response_log
from cli.replay.sending import Sent, send
from cli.stack_commands import HomeOption, JsonOption
from stack.home import find_home

if TYPE_CHECKING:
    from lab.responses import RowError


class Door(StrEnum):
    REST = "rest"
    GRPC = "grpc"
    EVENTS = "events"


LOST_OR_DOUBLE, CANNOT, BAD_ROWS = 1, 2, 3
_SHOWN_ROWS = 20


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Courses and practice")(replay)


def replay(
    file: Annotated[
        Path, typer.Argument(help="CSV with the columns learner, position or occurred_at, item, skills (;-separated), correct.")
    ],
    via: Annotated[
        Door, typer.Option(help="rest and grpc submit each answer to be graded; events sends batches to the log.")
    ] = Door.REST,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Learners (rest, grpc) or batches (events) at a time.")] = 32,
    course: Annotated[str, typer.Option(help="Course to put the answers into; by default named after the file.")] = "",
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write a report with plots to this HTML file.", show_default=False)
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a log of real answers through the platform and account for every one.

    Creates the learners, skills, items and the course as needed, sends every answer in each learner's order, waits until mastery has
    caught up, and reports what was lost or counted twice and how good the predictions were that the platform stored before each answer.
    Running it again changes nothing.

    Exit code 0: every answer was counted once. 1: something was lost, refused or counted twice. 2: it could not be done. 3: the file
    has bad rows; the rest was sent.
    """
    from lab.responses import UnreadableLog

    console = Console(stderr=True)
    course = course or re.sub(r"[^A-Za-z0-9._~-]+", "-", file.stem).strip("-._~") or "replay"
    try:
        log = read_response_log(file, course)
        report, predicted = asyncio.run(_replay(log, course, via, concurrency, home, console))
    except* (UnreadableLog, CannotReach, Refused) as failures:
        first: BaseException = failures
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        console.print(f"[red]{first}[/red]", highlight=False, soft_wrap=True)
        raise typer.Exit(CANNOT) from None
    if report_file:
        from cli.replay.html_report import html_report

        _write(report_file, html_report(report, predicted), console)
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        _show(report, Console())
    for row in log.bad_rows[:_SHOWN_ROWS]:
        console.print(f"[yellow]line {row.line}[/yellow] {row.text}", highlight=False, soft_wrap=True)
    if len(log.bad_rows) > _SHOWN_ROWS:
        console.print(f"… and {len(log.bad_rows) - _SHOWN_ROWS} more bad rows; --json lists them all")
    if report["lost"] or report["duplicated"] or report["refused"]:
        raise typer.Exit(LOST_OR_DOUBLE)
    if log.bad_rows:
        raise typer.Exit(BAD_ROWS)


def _write(path: Path, text: str, console: Console) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        console.print(f"[red]{path}: {error.strerror}[/red]", highlight=False, soft_wrap=True)
        raise typer.Exit(CANNOT) from None


async def _replay(
    log: ResponseLog, course: str, via: Door, concurrency: int, home: Path | None, console: Console
) -> tuple[Json, dict[str, Pairs]]:
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    async with Api(find_access(find_home(home).path), connections=max(32, concurrency)) as api:
        with progress:
            preparing = progress.add_task("preparing learners and items", total=len(log.answers) + len(log.skills_of))
            await prepare(api, log, course, lambda count: progress.advance(preparing, count))
            sending = progress.add_task(f"sending answers by {via}", total=log.size)
            start = time.perf_counter()
            sent = await send(api, log, course, via, concurrency, lambda count: progress.advance(sending, count))
            sent_at = time.perf_counter()
            progress.add_task("waiting until all are counted", total=None)
            account, caught_up = await account_for(api, log, course, sent.acknowledged)
            duplicated = await counted_twice(api, account)
    counted = len(sent.acknowledged & account.attempts.keys())
    took = {"acknowledged": sent_at - start, "counted": (sent_at if via is not Door.EVENTS else max(sent_at, caught_up)) - start}
    report = {
        "course": course,
        "via": str(via),
        "sent": log.size,
        "acknowledged": len(sent.acknowledged),
        "counted": counted,
        "lost": len(sent.acknowledged) - counted,
        "duplicated": duplicated,
        "refused": len(sent.refused),
        "bad_rows": [_row(each) for each in log.bad_rows],
        "refusals": sorted(set(sent.refused.values()))[:_SHOWN_ROWS],
        "answers_per_second": round(counted / took["counted"], 1) if counted else 0.0,
        "acknowledged_per_second": round(len(sent.acknowledged) / took["acknowledged"], 1) if sent.acknowledged else 0.0,
        "latency_ms": _latency(sent),
        "prediction": prediction_report(log, account),
        "skills": skill_report(log, account),
    }
    return report, predictions(log, account)


def _row(row: "RowError") -> Json:
    return {"line": row.line, "problem": row.text}


def _latency(sent: Sent) -> Json:
    if not sent.latencies:
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(sent.latencies, (50, 95)) * 1000
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2)}


def _show(report: Json, console: Console) -> None:
    verdict = "[green]every answer was counted once[/green]"
    if report["lost"] or report["duplicated"] or report["refused"]:
        verdict = f"[red]{report['lost']} lost, {report['duplicated']} counted twice, {report['refused']} refused[/red]"
    console.print(f"{report['sent']:,} answers sent by {report['via']}, {report['acknowledged']:,} acknowledged: {verdict}")
    console.print(
        f"{report['answers_per_second']:,} answers a second; "
        f"a request took {report['latency_ms']['p50']} ms (median), {report['latency_ms']['p95']} ms (95 %)"
    )
    predictions = Table("predictions before each answer", "answers", "AUC", "log-loss", "calibration error")
    for name, label in (("all", "all learners"), ("second_half", "second half of the learners")):
        quality = report["prediction"][name]
        predictions.add_row(label, *(str(quality[key]) for key in ("count", "auc", "log_loss", "calibration_error")))
    console.print(predictions)
    skills = Table("skill", "learners", "answers", "mean mastery and mean 90 % interval", "")
    for row in report["skills"]:
        skills.add_row(
            row["skill"],
            str(row["learners"]),
            str(row["attempts"]),
            _interval(row["lower"], row["mean"], row["upper"]),
            f"{row['mean']:.2f} ({row['lower']:.2f} to {row['upper']:.2f})",
        )
    console.print(skills)


def _interval(lower: float, mean: float, upper: float, width: int = 30) -> str:
    low, middle, high = (min(width - 1, int(each * width)) for each in (lower, mean, upper))
    return "".join("●" if place == middle else "─" if low <= place <= high else "·" for place in range(width))
