"""`paideia program create | list | update | rotate | disable`: partners' software that calls the platform by itself."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, NoReturn
from uuid import uuid4

import typer
from rich.console import Console
from rich.table import Table

from cli.api import Api, CannotReach, Json, Refused, find_access
from stack.home import find_home

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The stack's directory (PAIDEIA_HOME; else .paideia).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
IdArgument = Annotated[str, typer.Argument(help="The program's id, as `paideia program list` shows it.")]
RoleOption = Annotated[
    list[str] | None, typer.Option("--role", help="TEACHER, AUTHOR or ADMIN; may be given several times.", show_default=False)
]
ScopeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scope", help="Such as catalog.read, ingestion.write or scim; may be given several times.", show_default=False
    ),
]
NameOption = Annotated[str | None, typer.Option("--name", help="What people call it.", show_default=False)]
KeyOption = Annotated[
    Path | None,
    typer.Option(
        "--public-key", exists=True, dir_okay=False, help="A JSON Web Key to use instead of a secret.", show_default=False
    ),
]

FAILED = 1
_DAY = 24 * 3600
Question = Callable[[Api], Awaitable[Json]]


def register(app: typer.Typer) -> None:
    program = typer.Typer(no_args_is_help=True, help="Partners' programs: OAuth 2.0 clients with roles and scopes of their own.")
    program.command("create")(create)
    program.command("list")(list_programs)
    program.command("update")(update)
    program.command("rotate")(rotate)
    program.command("disable")(disable)
    app.add_typer(program, name="program", rich_help_panel="The organization")


def create(
    program_id: Annotated[str, typer.Argument(help="Letters, digits, '.', '_', '~' and '-'; the client id ends with it.")],
    roles: RoleOption = None,
    scopes: ScopeOption = None,
    name: NameOption = None,
    public_key: KeyOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a program. Its secret is shown this once."""
    program: Json = {"displayName": name or program_id, "roles": _roles(roles, as_json), "scopes": scopes or []}
    body: Json = {"programId": program_id, "program": program, "publicKey": _key(public_key)}
    _show_secret(_ask(lambda api: api.post("/v1/programs", body), home, as_json), as_json)


def list_programs(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List programs, with who answers for them and when they last got a token."""
    programs = _ask(_every_program, home, as_json)["programs"]
    if as_json:
        print(json.dumps({"programs": programs}, ensure_ascii=False))
        return
    if not programs:
        print("no programs")
        return
    table = Table("program", "name", "roles", "scopes", "sponsor", "credentials", "last used", box=None, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    table.columns[0].no_wrap = True
    for each in programs:
        table.add_row(
            each["name"].removeprefix("programs/"),
            each["displayName"],
            ", ".join(role.removeprefix("ROLE_").lower() for role in each["roles"]),
            ", ".join(each["scopes"]),
            each["sponsor"].removeprefix("users/"),
            "disabled" if "disableTime" in each else str(len(each.get("credentials", []))),
            each.get("lastUseTime", "never"),
        )
    Console(soft_wrap=True).print(table)


def update(
    program_id: IdArgument,
    roles: RoleOption = None,
    scopes: ScopeOption = None,
    name: NameOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a program's name, roles or scopes. You answer for it from now on."""
    changes: Json = {}
    if name is not None:
        changes["displayName"] = name
    if roles:
        changes["roles"] = _roles(roles, as_json)
    if scopes:
        changes["scopes"] = scopes
    if not changes:
        _fail("say what to change: --name, --role or --scope", as_json)
    body: Json = {"requestId": str(uuid4()), "program": changes, "updateMask": ",".join(changes)}
    changed = _ask(lambda api: api.patch(f"/v1/programs/{program_id}", body), home, as_json)
    print(
        json.dumps(changed) if as_json else f"{program_id} is changed; {changed['sponsor'].removeprefix('users/')} answers for it"
    )


def rotate(
    program_id: IdArgument,
    overlap: Annotated[float, typer.Option("--overlap", min=0, max=90, help="Days that the secret before stays good.")] = 7.0,
    public_key: KeyOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new secret beside the one before, which ends after the overlap; 0 ends it at once, with its tokens."""
    body: Json = {"overlap": f"{overlap * _DAY:.3f}s", "publicKey": _key(public_key)}
    _show_secret(_ask(lambda api: api.post(f"/v1/programs/{program_id}:rotateSecret", body), home, as_json), as_json)


def disable(program_id: IdArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """End a program for good, with its secrets and tokens."""
    body: Json = {"requestId": str(uuid4())}
    ended = _ask(lambda api: api.post(f"/v1/programs/{program_id}:disable", body), home, as_json)
    print(json.dumps(ended) if as_json else f"{program_id} is disabled; its tokens are refused")


async def _every_program(api: Api) -> Json:
    programs: list[Json] = []
    token = ""
    while True:
        page = await api.get("/v1/programs", pageSize=1000, pageToken=token)
        programs += page.get("programs", [])
        token = page.get("nextPageToken", "")
        if not token:
            return {"programs": programs}


def _show_secret(made: Json, as_json: bool) -> None:
    if as_json:
        print(json.dumps(made, ensure_ascii=False))
        return
    print(f"client id: {made['program']['clientId']}")
    if secret := made.get("clientSecret"):
        print(f"client secret: {secret}\nKeep it now: it is not shown again.")


def _roles(names: list[str] | None, as_json: bool) -> list[str]:
    if not names:
        _fail("say what the program acts as: --role TEACHER, AUTHOR or ADMIN", as_json)
    return [f"ROLE_{each.upper()}" for each in names]


def _key(file: Path | None) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file is not None else ""


def _ask(question: Question, home: Path | None, as_json: bool) -> Json:
    async def ask() -> Json:
        async with Api(find_access(find_home(home).path), patience=30.0) as api:
            return await question(api)

    try:
        return asyncio.run(ask())
    except (CannotReach, Refused) as error:
        _fail(str(error), as_json)


def _fail(text: str, as_json: bool) -> NoReturn:
    print(json.dumps({"error": text}) if as_json else text, file=sys.stdout if as_json else sys.stderr)
    raise typer.Exit(FAILED)
