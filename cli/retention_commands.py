"""`paideia retention plan | apply`: what is older than the deployment wants to keep."""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from cli.lake_connection import LakeAway, lake_tools
from stack.backup.repository import BackupFailed
from stack.backup.source import Source
from stack.home import Home, find_home
from stack.retention.database import Step, UnderHold, apply_database, holds, plan_database
from stack.retention.log import TopicPlan, apply_log, plan_log
from stack.retention.policy import Policy, WrongPolicy

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The stack's directory (PAIDEIA_HOME; else .paideia).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FAILED = 1
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Plan:
    policy: Policy
    held: list[str]
    steps: list[Step]
    log: list[TopicPlan]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True,
        help="Retention: `retention.yaml` in the stack's directory says how long what is kept; without it attempts stay for ever.",
    )
    for command in (plan, apply):
        group.command()(command)
    app.add_typer(group, name="retention", rich_help_panel="The stack on this machine")


def plan(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what `apply` would do now. Changes nothing."""
    found = _run(find_home(home), False, as_json)
    _show(found, "would be", as_json)


def apply(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Make months of attempts ahead; retire, drop and forget what is old; remove batches of the log that every reader has passed.

    May run while the stack serves, and as often as one likes: best daily.
    """
    found = _run(find_home(home), True, as_json)
    _show(found, "were", as_json)


def _run(place: Home, really: bool, as_json: bool) -> Plan:
    try:
        policy = Policy.read(place.path / "retention.yaml")
        lake = lake_tools(place.path).passed() if policy.topic_days else {}

        async def work() -> Plan:
            async with Source.running(place).connection() as connection:
                found = await _plan(connection, place, policy, lake)
                if really:
                    await apply_database(connection, found.steps, policy)
                    if not found.held:
                        apply_log(place.objects, found.log)
                return found

        return asyncio.run(work())
    except (BackupFailed, UnderHold, WrongPolicy, LakeAway) as error:
        _fail(str(error), as_json)
    except asyncpg.PostgresError as error:
        _fail(f"the database refused: {error}; what was done before stays done, run it again", as_json)


async def _plan(connection: asyncpg.Connection, place: Home, policy: Policy, lake: dict[tuple[str, int], int]) -> Plan:
    steps = await plan_database(connection, policy, datetime.now(UTC))
    log = plan_log(place.objects, time.time() - policy.topic_days * _DAY, lake) if policy.topic_days else []
    return Plan(policy, await holds(connection), steps, log)


def _show(found: Plan, verb: str, as_json: bool) -> None:
    if as_json:
        log = [{name: value for name, value in asdict(each).items() if name != "paths"} for each in found.log]
        steps = [asdict(each) for each in found.steps]
        print(json.dumps({"policy": asdict(found.policy), "held": found.held, "database": steps, "log": log}, indent=2))
        return
    table = Table("what", "where", "how much", "bytes", "held back by")
    for step in found.steps:
        table.add_row(
            step.what, step.name, f"{step.rows:,} rows" if step.rows else "", f"{step.bytes:,}" if step.bytes else "", ""
        )
    for each in found.log:
        if each.batches or each.because:
            table.add_row(
                "remove", f"{each.topic}/{each.partition}", f"{each.batches:,} batches", f"{each.bytes:,}", each.because
            )
    Console().print(table) if table.row_count else print("nothing is old enough")
    if found.held:
        print(f"a legal hold is open ({', '.join(found.held)}): no attempts and no batches {verb} removed")


def _fail(text: str, as_json: bool) -> NoReturn:
    print(json.dumps({"error": text}, indent=2)) if as_json else print(text, file=sys.stderr)
    raise typer.Exit(FAILED)
