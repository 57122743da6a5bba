"""`paideia organization usage | plan`: what an organization has and may have."""

from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table

from cli.api import Api, Json
from cli.session import HomeOption, JsonOption, bare, print_json, with_platform

OtherOption = Annotated[
    str | None,
    typer.Option("--organization", help="Another organization's id; operators only.", show_default=False),
]

_BAR = 30
_NEARLY = 0.9


def register(app: typer.Typer) -> None:
    organization = typer.Typer(no_args_is_help=True, help="The organization: its plan, and how much of it is used.")
    organization.command("usage")(usage)
    organization.command("plan")(plan)
    app.add_typer(organization, name="organization", rich_help_panel="The organization")


def usage(other: OtherOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show how much of each quota is used."""

    async def ask(api: Api) -> Json:
        return await api.get(f"/v1/organizations/{other or api.access.organization}/usage")

    found = with_platform(home, ask)
    if as_json:
        print_json(found)
        return
    print(f"{found['name'].split('/')[1]} has the plan {bare(found['plan'])}")
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
    changed = with_platform(home, lambda api: api.post(f"/v1/organizations/{organization}:setPlan", body))
    if as_json:
        print_json(changed)
        return
    print(
        f"{organization} has the plan {bare(changed['plan'])}: people, classes and programs are counted by it from now on, all else in ten "
        "minutes at most"
    )
