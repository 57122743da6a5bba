"""`paideia bank publish | list` and `paideia test create | take | status | report`: calibrated items, and tests made of them."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
import yaml
from rich.console import Console
from rich.markup import escape

from cli import test_display as display
from cli.api import Api, Json, Refused
from cli.bank_artifact import NotABank, bank_request
from cli.session import WRONG, HomeOption, JsonOption, bare, fail, print_json, with_platform
from cli.test_taking import OPEN, Left, Taking

PANEL = "Courses and practice"
LearnerOption = Annotated[str, typer.Option("--learner", help="The learner's id.")]


def register(app: typer.Typer) -> None:
    bank = typer.Typer(help="Item banks: items with calibrated parameters, in versions that never change.", no_args_is_help=True)
    bank.command("publish")(publish)
    bank.command("list")(list_banks)
    app.add_typer(bank, name="bank", rich_help_panel=PANEL)
    test = typer.Typer(help="Adaptive and fixed tests: make one, take it, see what came out.", no_args_is_help=True)
    for command in (create, take, status, report):
        test.command()(command)
    app.add_typer(test, name="test", rich_help_panel=PANEL)


def publish(
    file: Annotated[Path, typer.Argument(help="The irt.json that 'paideia fit irt --out DIR' wrote.")],
    bank: Annotated[str, typer.Option("--bank", help="The bank's id; without it, the name of the file's directory.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a calibration as a version of an item bank. The same file published again is the same version."""
    try:
        request = bank_request(file)
    except NotABank as problem:
        fail(str(problem), WRONG)
    name = bank or file.resolve().parent.name

    async def work(api: Api) -> Json:
        return await api.post(f"/v1/itemBanks/{name}/versions", {"requestId": str(uuid4()), **request})

    version = with_platform(home, work)
    if as_json:
        print_json({key: value for key, value in version.items() if key != "items"})
    else:
        Console(highlight=False).print(f"{version['itemCount']} items, published as [bold]{escape(version['name'])}[/bold]")


def list_banks(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the item banks with their newest versions."""
    banks = with_platform(home, lambda api: _all(api, "/v1/itemBanks", "itemBanks"))
    print_json({"itemBanks": banks}) if as_json else display.show_banks(Console(highlight=False), banks)


def create(
    file: Annotated[Path, typer.Argument(help="A blueprint in YAML or JSON; docs/tests.md shows one.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a test from a blueprint. `bank: NAME` in the file stands for the newest version of that bank."""
    blueprint = _read_blueprint(file)
    name, bank = str(blueprint.pop("id")), blueprint.pop("bank", None)

    async def work(api: Api) -> Json:
        if bank is not None:
            blueprint["bankVersion"] = (await api.get(f"/v1/itemBanks/{bank}"))["newestVersion"]
        body = {"requestId": str(uuid4()), "testBlueprintId": name, "testBlueprint": blueprint}
        return await api.post("/v1/testBlueprints", body)

    made = with_platform(home, work, patience=60)
    if as_json:
        print_json(made)
        return
    console = Console(highlight=False)
    console.print(f"[bold]{escape(made['name'])}[/bold]: {made.get('poolSize', 0)} items to choose from")
    for each in made.get("warnings", []):
        console.print(f"[yellow]{escape(each)}[/yellow]")
    console.print(f"Try it: [bold]paideia test take {escape(name)}[/bold]")


def take(
    test: Annotated[str, typer.Argument(help="The blueprint's id.")],
    learner: LearnerOption = "practice",
    home: HomeOption = None,
) -> None:
    """Take a test in the terminal, or go on with the one under way. It says nothing of right or wrong before the end."""
    console = Console(highlight=False)

    async def work(api: Api) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's own would not interrupt the wait for a line
        await _ensure_learner(api, learner)
        try:
            session = await Taking(api, console, await _begun(api, learner, test)).run()
        except (Left, EOFError, KeyboardInterrupt, asyncio.CancelledError):
            console.print(f"\nGo on with: [bold]paideia test take {escape(test)} --learner {escape(learner)}[/bold]")
            return
        console.print()
        display.show_result(console, session)
        console.print(f"[dim]paideia test report {bare(session['name'])} --learner {escape(learner)} shows it again.[/dim]")

    with_platform(home, work)


def status(learner: LearnerOption = "practice", home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List a learner's tests, newest first."""
    sessions = with_platform(home, lambda api: _all(api, f"/v1/learners/{learner}/testSessions", "testSessions"))
    print_json({"testSessions": sessions}) if as_json else display.show_sessions(Console(highlight=False), sessions)


def report(
    session: Annotated[str, typer.Argument(help="The session's id.")],
    learner: LearnerOption = "practice",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a test measured, by content area, and item by item how it was chosen."""
    found = with_platform(home, lambda api: api.get(f"/v1/learners/{learner}/testSessions/{bare(session)}"))
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False)
    display.show_result(console, found)
    display.show_steps(console, found)


def _read_blueprint(file: Path) -> Json:
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", WRONG)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fail(f"{file} is neither YAML nor JSON: {error}", WRONG)
    if not isinstance(read, dict) or "id" not in read:
        fail(f"{file} is no blueprint: it must be a table with an id; docs/tests.md shows one", WRONG)
    return read


async def _begun(api: Api, learner: str, test: str) -> Json:
    """The learner's session of the test that is under way, or a new one."""
    parent = f"/v1/learners/{learner}/testSessions"
    for each in (await api.get(parent)).get("testSessions", []):
        if each["state"] == OPEN and bare(each["blueprint"]) == test:
            return await api.get(f"/v1/{each['name']}")
    return await api.post(parent, {"requestId": str(uuid4()), "blueprint": f"testBlueprints/{test}"})


async def _all(api: Api, path: str, field: str) -> list[Json]:
    found: list[Json] = []
    token = ""
    while True:
        page = await api.get(path, page_size=200, page_token=token)
        found += page.get(field, [])
        if not (token := page.get("nextPageToken", "")):
            return found


async def _ensure_learner(api: Api, learner: str) -> None:
    try:
        await api.get(f"/v1/users/{learner}")
    except Refused as refusal:
        if refusal.status != 404:
            raise
        user = {"displayName": "Practice learner", "roles": ["ROLE_LEARNER"]}
        await api.post("/v1/users", {"requestId": str(uuid4()), "userId": learner, "user": user})
