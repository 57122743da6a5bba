"""`paideia lake tables | query | compact | expire | doctor | forget`: the lake, asked and kept tidy."""

import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from cli.lake_connection import LakeAway, LakeTools, WrongAnswer, lake_tools

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The stack's directory (PAIDEIA_HOME; else .paideia).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TableOption = Annotated[list[str] | None, typer.Option("--table", help="Only this one; may be repeated.", show_default=False)]
AgeOption = Annotated[str, typer.Option("--older-than", help="An age, such as 7d or 36h.")]
DayOption = datetime | None

FAILED, WRONG = 1, 2
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36_500)


def register(app: typer.Typer) -> None:
    lake = typer.Typer(no_args_is_help=True, help="The lake: every event for ever, in Iceberg tables on S3.")
    for command in (tables, query, compact, expire, doctor, forget):
        lake.command()(command)
    app.add_typer(lake, name="lake", rich_help_panel="The stack on this machine")


def tables(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the tables: rows, files, bytes, snapshots, and when each was written last."""
    with _lake(home, as_json) as lake:
        found = lake.facts()
    if as_json:
        _print_json({"tables": found})
    else:
        _print_table(("name", "rows", "files", "small_files", "bytes", "snapshots", "newest"), found)


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT statement, in DuckDB's SQL.")],
    since: Annotated[DayOption, typer.Option(help="Only events from here on (UTC).", show_default=False)] = None,
    until: Annotated[DayOption, typer.Option(help="Only events before (UTC).", show_default=False)] = None,
    organization: Annotated[str, typer.Option(help="Only events of this organization.", show_default=False)] = "",
    timeout: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds to wait for the answer.")] = 600.0,
    cache: Annotated[float, typer.Option(min=0.001, max=100_000, help="Gigabytes of files to keep on this machine.")] = 10.0,
    home: HomeOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Answer a question in SQL. With --json one object a line; both --json and --csv come as they are found."""
    if as_json and as_csv:
        _fail("say either --json or --csv", as_json, WRONG)
    with _lake(home, as_json) as lake, lake.answer(sql, since, until, organization, timeout, cache) as (columns, rows):
        if as_json:
            for row in rows:
                print(json.dumps(dict(zip(columns, row, strict=True)), default=_plain))
        elif as_csv:
            writer = csv.writer(sys.stdout)
            writer.writerow(columns)
            writer.writerows([_plain(value) if value is not None else "" for value in row] for row in rows)
        else:
            _print_rows(columns, rows)


def compact(table: TableOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Make few big files of many small ones; queries and writers go on meanwhile."""
    with _lake(home, as_json) as lake:
        _print_results(lake.compact(table or []), as_json)


def expire(
    older_than: AgeOption = "7d",
    days_before: Annotated[
        DayOption,
        typer.Option("--drop-before", help="Remove the events before this day, too (UTC): for good.", show_default=False),
    ] = None,
    table: TableOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget old snapshots, and remove the files that nothing names any more. Rows stay, unless --drop-before says otherwise."""
    before = datetime.now(UTC) - _age(older_than, as_json)
    with _lake(home, as_json) as lake:
        _print_results(lake.expire(table or [], before, days_before), as_json)


def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Look for what is wrong: files that are missing, events that are there twice, files that nothing names. Ends with 1 if something is."""
    with _lake(home, as_json) as lake:
        found = lake.doctor()
    _print_results(found, as_json)
    if any(each["missing_files"] or each["repeated_events"] for each in found):
        raise typer.Exit(FAILED)


def forget(
    organization: Annotated[str, typer.Argument(help="Whose learner it is.")],
    learner: Annotated[str, typer.Argument(help="The learner's id.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drop the secret that ties a learner to rows of the lake: the rows stay, and nobody can say whose they are."""
    with _lake(home, as_json) as lake:
        known = lake.forget(organization, learner.removeprefix("learners/"))
    if not known:
        _fail(f"the lake knows no learner {learner} of {organization}", as_json)
    _print_json({"forgotten": learner}) if as_json else print("forgotten")


@contextmanager
def _lake(home: Path | None, as_json: bool) -> Iterator[LakeTools]:
    try:
        yield lake_tools(home)
    except (LakeAway, WrongAnswer) as error:
        _fail(str(error), as_json, WRONG if isinstance(error, WrongAnswer) else FAILED)


def _age(text: str, as_json: bool) -> timedelta:
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or unit not in _UNITS or len(number) > 6:
        _fail(f"--older-than {text!r}: write a whole number and m, h, d or w, such as 7d", as_json, WRONG)
    age = timedelta(**{_UNITS[unit]: int(number)})
    if not timedelta(hours=1) <= age <= _LONGEST:
        # Younger files may be those of a commit that is under way.
        _fail(f"--older-than {text!r}: from 1h to {_LONGEST.days}d", as_json, WRONG)
    return age


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return (
        value
        if isinstance(value, int | float | str)
        else json.dumps(value, default=_plain)
        if isinstance(value, list | dict)
        else str(value)
    )


def _print_rows(columns: list[str], rows: Iterator[tuple[Any, ...]], most: int = 1_000) -> None:
    table = Table(*columns)
    for row in islice(rows, most):
        table.add_row(*("" if value is None else str(_plain(value)) for value in row))
    Console().print(table)
    if next(rows, None) is not None:
        print(f"only the first {most:,} rows: use --json or --csv for all", file=sys.stderr)


def _print_results(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        _print_json({"tables": found})
    elif found:
        _print_table(tuple(found[0]), found)
    else:
        print("the lake has no tables yet: it gets them from the first events")


def _print_table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    table = Table(*columns)
    for row in rows:
        table.add_row(
            *(f"{value:,}" if isinstance(value, int) else str(value or "") for value in (row[each] for each in columns))
        )
    Console().print(table)


def _print_json(what: dict[str, Any]) -> None:
    print(json.dumps(what, indent=2, default=_plain))


def _fail(text: str, as_json: bool, code: int = FAILED) -> NoReturn:
    if as_json:
        _print_json({"error": text})
    else:
        print(text, file=sys.stderr)
    raise typer.Exit(code)
