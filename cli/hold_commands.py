"""`paideia hold place | list | release`: what must not be erased or retired while a court or an authority may ask for it."""

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import uuid4

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from stack.backup.repository import BackupFailed
from stack.backup.source import Source
from stack.home import find_home
from stack.retention import holds
from stack.retention.holds import Act, Hold, HoldRefused

T = TypeVar("T")
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The stack's directory (PAIDEIA_HOME; else .paideia).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FAILED, WRONG = 1, 2
_LONGEST_REASON = 500


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        no_args_is_help=True, help="Legal holds: nothing about whom they name is erased, and no attempts are retired."
    )
    for command in (place, release):
        group.command()(command)
    group.command("list")(list_holds)
    app.add_typer(group, name="hold", rich_help_panel="The stack on this machine")


def place(
    organization: Annotated[str, typer.Argument(help="Whose.")],
    reason: Annotated[str, typer.Option(help="Why, such as a case's number; no personal data.")],
    user: Annotated[str, typer.Option(help="Only this user. [default: the whole organization]", show_default=False)] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place a hold. Erasures that wait for their grace period to end are cancelled; later ones are refused until it is released."""
    if not 1 <= len(reason.strip()) <= _LONGEST_REASON:
        _fail(f"--reason: write 1 to {_LONGEST_REASON} characters", as_json, WRONG)
    hold = Hold(str(uuid4()), organization, user.removeprefix("users/"), reason.strip(), getpass.getuser(), datetime.now(UTC))
    placed, cancelled = _run(home, as_json, lambda connection: holds.place(connection, hold, _audit))
    if as_json:
        _print_json(_described(placed) | {"cancelled_erasures": cancelled})
    else:
        print(f"hold {placed.id} is in force since {placed.placed_at:%Y-%m-%d %H:%M} UTC; {cancelled} erasures were cancelled")


def list_holds(
    released: Annotated[bool, typer.Option("--released", help="Those that were released, too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the holds that are in force."""
    found = _run(home, as_json, lambda connection: holds.holds(connection, released))
    if as_json:
        _print_json({"holds": [_described(each) for each in found]})
        return
    table = Table("id", "organization", "user", "reason", "placed", "by", "released")
    for each in found:
        until = f"{each.released_at:%Y-%m-%d}" if each.released_at else ""
        table.add_row(
            each.id, each.organization, each.user or "all", each.reason, f"{each.placed_at:%Y-%m-%d}", each.placed_by, until
        )
    Console(width=max(Console().width, 130)).print(table) if found else print("no hold is in force")


def release(
    hold: Annotated[str, typer.Argument(help="Its id, as `paideia hold list` shows it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release a hold. It stays in the list of released ones."""
    now = datetime.now(UTC)
    found = _run(home, as_json, lambda connection: holds.release(connection, hold, getpass.getuser(), now, _audit))
    _print_json(_described(found)) if as_json else print(f"released at {found.released_at:%Y-%m-%d %H:%M} UTC")


def _audit(verb: str, hold: Hold) -> Act:
    from paideia.audit.v1.events_pb2 import ActRecorded

    act = ActRecorded(
        actor="",
        act=f"identity.{verb}",
        target=f"users/{hold.user}" if hold.user else f"organizations/{hold.organization}",
        outcome="SUCCEEDED",
        reason="BY_OPERATOR_AT_THE_MACHINE",
    )
    act.occur_time.FromDatetime(hold.released_at or hold.placed_at)
    return Act(ActRecorded.DESCRIPTOR.full_name, act.SerializeToString())


def _run(home: Path | None, as_json: bool, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    async def connected() -> T:
        async with Source.running(find_home(home)).connection() as connection:
            return await work(connection)

    try:
        return asyncio.run(connected())
    except (BackupFailed, HoldRefused) as error:
        _fail(str(error), as_json)


def _described(hold: Hold) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(hold).items()}


def _print_json(what: dict[str, Any]) -> None:
    print(json.dumps(what, indent=2))


def _fail(text: str, as_json: bool, code: int = FAILED) -> NoReturn:
    if as_json:
        _print_json({"error": text})
    else:
        print(text, file=sys.stderr)
    raise typer.Exit(code)
