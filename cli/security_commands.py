"""`paideia security check`: attacks the running platform as an intruder would, and counts what was tried and what was refused."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from cli.api import Api
from cli.security import CHECKS
from cli.security.findings import Finding
from cli.security.world import World
from cli.session import WRONG, HomeOption, JsonOption, fail, print_json, with_platform
from stack.home import find_home


def register(app: typer.Typer) -> None:
    security = typer.Typer(no_args_is_help=True, help="Whether what must be refused is refused.")
    security.callback()(lambda: None)
    security.command("check")(check)
    app.add_typer(security, name="security", rich_help_panel="Security")


def check(
    only: Annotated[list[str] | None, typer.Option("--only", help=f"One of {', '.join(CHECKS)}; may be repeated.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try what must not be possible against the running platform; exit code 1 if anything was.

    Makes two organizations of its own for it, called security-check-..., and an operator, and deactivates at the end whom it made. An operator
    signs in.
    """
    unknown = set(only or ()) - CHECKS.keys()
    if unknown:
        fail(f"--only must be one of {', '.join(CHECKS)}, not {', '.join(sorted(unknown))}", WRONG)
    place = find_home(home)

    async def run(api: Api) -> list[Finding]:
        console = Console(stderr=True)
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, disable=as_json) as progress:
            task = progress.add_task("making two organizations")
            async with World.made(api, Path(place.path)) as world:
                findings = []
                for name, attack in CHECKS.items():
                    if not only or name in only:
                        progress.update(task, description=name)
                        findings.append(await attack(world))
                return findings

    findings = with_platform(home, run, patience=120)
    passed = all(each.passed == each.tried for each in findings)
    if as_json:
        print_json({"passed": passed, "checks": [each.as_json() for each in findings]})
    else:
        _print(findings)
    if not passed:
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    table = Table("check", "tried", "passed", "", box=None, header_style="bold")
    for each in findings:
        good = each.passed == each.tried
        style = "yellow" if not each.tried else "green" if good else "red"
        table.add_row(each.name, f"{each.tried:,}", Text(f"{each.passed:,}", style), each.note)
    console = Console(soft_wrap=True)
    console.print(table)
    for each in findings:
        for failure in each.failures[:20]:
            console.print(Text(f"{each.name}: {failure}", "red"))
