"""`paideia mail list | show | queue | retry`: what was sent, and what could not be."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from typing import Annotated, NoReturn
from uuid import uuid4

import typer
from rich.console import Console
from rich.table import Table

from cli.api import Api, CannotReach, Json, Refused, find_access
from cli.mailbox import Mailbox, NoSuchMail
from stack.home import find_home

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The stack's directory (PAIDEIA_HOME; else .paideia).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

FAILED = 1
Question = Callable[[Api], Awaitable[Json]]
_STATES = ("WAITING", "SENT", "DEAD")


def register(app: typer.Typer) -> None:
    mail = typer.Typer(
        no_args_is_help=True,
        help="Mails. The stack's own mail server keeps them on this machine instead of sending them anywhere.",
    )
    mail.command("list")(list_mails)
    mail.command("show")(show_mail)
    mail.command("queue")(show_queue)
    mail.command("retry")(retry_mail)
    app.add_typer(mail, name="mail", rich_help_panel="The stack on this machine")


def list_mails(
    to: Annotated[str, typer.Option("--to", help="Only to addresses that contain this.")] = "",
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="At most so many, the newest first.")] = 20,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the mails that the stack's mail server took."""
    found = list(islice(Mailbox(find_home(home).mails).newest(to), lines))
    if as_json:
        print(json.dumps({"mails": [each.as_json() for each in found]}, ensure_ascii=False))
    elif not found:
        print("no mails" + (f" to {to}" if to else ""))
    else:
        times = [f"{each.sent_at:%Y-%m-%d %H:%M:%S}" if each.sent_at else "" for each in found]
        _print_table(("id", "time", "to", "subject"), [(m.id, at, m.to, m.subject) for m, at in zip(found, times, strict=True)])


def show_mail(
    mail_id: Annotated[str, typer.Argument(help="As `paideia mail list` shows it, or `last`.")] = "last",
    html: Annotated[bool, typer.Option("--html", help="Print the HTML part.")] = False,
    links: Annotated[bool, typer.Option("--links", help="Print its links only, one a line.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a mail that the stack's mail server took."""
    try:
        mail = Mailbox(find_home(home).mails).get(mail_id)
    except NoSuchMail as error:
        _fail(str(error), as_json)
    if as_json:
        print(json.dumps(mail.as_json() | {"html": mail.html}, ensure_ascii=False))
    elif links:
        print("\n".join(mail.links))
    elif html:
        print(mail.html)
    else:
        print(f"From: {mail.sender}\nTo: {mail.to}\nSubject: {mail.subject}\n\n{mail.text}", end="")


def show_queue(
    state: Annotated[str, typer.Option("--state", help="WAITING, SENT or DEAD; all if left out.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the organization's mails have come to, dead ones too: those that no mail server would take."""
    if state and state.upper() not in _STATES:
        _fail(f"--state must be one of {', '.join(_STATES)}, not {state!r}", as_json)
    params = {"state": f"MAIL_STATE_{state.upper()}"} if state else {}
    mails = _ask(lambda api: api.get("/v1/mails", pageSize=1000, **params), home, as_json).get("mails", [])
    if as_json:
        print(json.dumps({"mails": mails}, ensure_ascii=False))
    elif not mails:
        print("no mails")
    else:
        rows: list[tuple[str, ...]] = [
            (
                each["name"].removeprefix("mails/"),
                each["recipient"],
                each["template"],
                each["state"].removeprefix("MAIL_STATE_"),
                str(each.get("attempts", 0)),
                each.get("error", ""),
            )
            for each in mails
        ]
        _print_table(("mail", "to", "about", "state", "attempts", "error"), rows)


def retry_mail(
    mail_id: Annotated[str, typer.Argument(help="As `paideia mail queue` shows it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a dead mail delivered again, once what was wrong has been mended."""
    body: Json = {"requestId": str(uuid4())}
    mail = _ask(lambda api: api.post(f"/v1/mails/{mail_id.removeprefix('mails/')}:retry", body), home, as_json)
    print(json.dumps(mail) if as_json else f"{mail['name'].removeprefix('mails/')} waits to be delivered")


def _ask(question: Question, home: Path | None, as_json: bool) -> Json:
    async def ask() -> Json:
        async with Api(find_access(find_home(home).path), patience=30.0) as api:
            return await question(api)

    try:
        return asyncio.run(ask())
    except (CannotReach, Refused) as error:
        _fail(str(error), as_json)


def _print_table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(*heading, box=None, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console(soft_wrap=True).print(table)


def _fail(text: str, as_json: bool) -> NoReturn:
    print(json.dumps({"error": text}) if as_json else text, file=sys.stdout if as_json else sys.stderr)
    raise typer.Exit(FAILED)
