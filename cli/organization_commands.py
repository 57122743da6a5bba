"""`paideia organization usage | plan`: what an organization has and may have."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn
from uuid import uuid4

import typer
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table

from cli.api import Api, CannotReach, Json, Refused, find_access
from stack.home import find_home

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The stack's directory (PAIDEIA_HOME; else .paideia).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OtherOption = Annotated[
    str | None,
    typer.Option("--organization", help="Another organization's id; operators only.", show_default=False),
]

FAILED = 1
_BAR = 30
_NEARLY = 0.9


def register(app: typer.Typer) -> None:
    organization = typer.Typer(no_args_is_help=True, help="The organization: its plan, and how much of it is used.")
    organization.command("usage")(usage)
    organization.command("plan")(plan)
    app.add_typer(organization, name="organization", rich_help_panel="The organization")


def usage(other: OtherOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show how much of each quota is used."""
    found = _ask(lambda api, own: api.get(f"/v1/organizations/{other or own}/usage"), home, as_json)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    print(f"{found['name'].split('/')[1]} has the plan {found['plan'].removeprefix('plans/')}")
    table = Table("quota", "used", "limit", "", box=None, header_style="bold")
    for column in table.columns[1:3]:
        column.justify = "right"
    for each in found["quotas"]:
        used, limit = int(each["used"]), int(each["limit"])
        full = "red" if used >= limit else "yellow" if used >= _NEARLY * limit else "green"
        bar = ProgressBar(max(limit, 1), min(used, limit), width=_BAR, complete_style=full, finished_style=full)
        table.add_row(each["quota"].replace("_", " "), f"{used:,}", f"{limit:,}", bar)
    Console().print(table)


def plan(
    organization: Annotated[str, typer.Argument(help="The organization's id.")],
    name: Annotated[str, typer.Argument(help="trial, standard or large.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an organization a plan. Operators only."""
    body: Json = {"requestId": str(uuid4()), "plan": f"plans/{name}"}
    changed = _ask(lambda api, own: api.post(f"/v1/organizations/{organization}:setPlan", body), home, as_json)
    print(
        json.dumps(changed, ensure_ascii=False)
        if as_json
        else f"{organization} has the plan {changed['plan'].removeprefix('plans/')}: people, classes and programs are counted by it "
        "from now on, all else in ten minutes at most"
    )


def _ask(question: Callable[[Api, str], Awaitable[Json]], home: Path | None, as_json: bool) -> Json:
    """Asks with the caller's own organization at hand."""

    async def ask() -> Json:
        access = find_access(find_home(home).path)
        async with Api(access, patience=30.0) as api:
            return await question(api, access.organization)

    try:
        return asyncio.run(ask())
    except (CannotReach, Refused) as error:
        _fail(str(error), as_json)


def _fail(text: str, as_json: bool) -> NoReturn:
    print(json.dumps({"error": text}) if as_json else text, file=sys.stdout if as_json else sys.stderr)
    raise typer.Exit(FAILED)
