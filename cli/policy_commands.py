"""`paideia policy list | show | create | stage | rollback | compare`: which policy decides for whom."""

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.api import Api, Json
from cli.policy_evaluation import evaluate
from cli.session import WRONG, HomeOption, JsonOption, bare, fail, print_json, with_platform

PolicyArgument = Annotated[str, typer.Argument(help="The policy's id.")]


class Stage(StrEnum):
    SHADOW = "shadow"
    CANARY = "canary"
    LIVE = "live"
    RETIRED = "retired"


def register(app: typer.Typer) -> None:
    policy = typer.Typer(no_args_is_help=True, help="Policies: what decides the next item, and how a new one is rolled out.")
    policy.command("list")(list_policies)
    for command in (show, create, stage, rollback, compare):
        policy.command()(command)
    policy.command()(evaluate)
    app.add_typer(policy, name="policy", rich_help_panel="Courses and practice")


def list_policies(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the policies with their stages."""

    async def work(api: Api) -> list[Json]:
        found: list[Json] = []
        token = ""
        while True:
            page = await api.get("/v1/policies", page_size=200, page_token=token)
            found += page.get("policies", [])
            if not (token := page.get("nextPageToken", "")):
                return found

    policies = with_platform(home, work)
    if as_json:
        print_json({"policies": policies})
        return
    table = Table("policy", "course", "stage", "share", "replaced", "description", box=None, header_style="dim")
    for each in policies:
        table.add_row(*map(escape, (bare(each["name"]), *_scope_and_stage(each), bare(each.get("replaced", "")), _about(each))))
    Console(highlight=False).print(table)


def show(
    policy: PolicyArgument,
    definition: Annotated[bool, typer.Option("--definition", help="Print the definition alone, as `create` reads it.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a policy: its stage, its numbers, and who staged it when."""
    found = with_platform(home, lambda api: _policy(api, policy))
    if definition:
        print_json(_sorted({name: value for name, value in found["definition"].items() if name != "version"}))
        return
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False)
    course, standing, share = _scope_and_stage(found)
    console.print(f"[bold]{escape(policy)}[/bold]: {standing}{f' for {share} of the learners' if share else ''} in {course}.")
    for text in (_about(found), f"SHA-256 {found['digest']}"):
        console.print(escape(text), style="dim", soft_wrap=True)
    table = Table("number", "value", box=None, header_style="dim")
    for name, value in flat(found["definition"]):
        table.add_row(escape(name), escape(_text(value)))
    console.print(table)
    for each in found.get("changes", []):
        share = f" {float(each['share']):.0%}" if each.get("share") else ""
        console.print(f"{each['changeTime']}  {_stage_of(each)}{share}  by {escape(bare(each.get('user', '')))}", style="dim")


def create(
    policy: Annotated[str, typer.Argument(help="The id; records of decisions name it.")],
    file: Annotated[Path, typer.Option("--from", help="The definition, a JSON file such as `show --definition` prints.")],
    course: Annotated[str, typer.Option(help="The course it may decide in; every course if left out.")] = "",
    description: Annotated[str, typer.Option(help="What people should know of it.")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a policy as a draft, which decides nothing yet. Its numbers can never be changed."""
    body: Json = {
        "requestId": str(uuid4()),
        "policyId": policy,
        "policy": {"definition": _read(file), "description": description, "course": f"courses/{course}" if course else ""},
    }
    made = with_platform(home, lambda api: api.post("/v1/policies", body))
    _told(made, as_json, f"{policy} is a draft. Next: paideia policy stage {policy} shadow")


def stage(
    policy: PolicyArgument,
    to: Annotated[Stage, typer.Argument(help="Where it goes; its own stage changes the share.")],
    share: Annotated[float, typer.Option(help="The share of learners, for shadow (0.1 if left out) and canary.")] = 0.0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a policy on: draft, shadow, canary, live; or retire it."""

    async def work(api: Api) -> Json:
        # Somebody else may have staged it since it was looked at: then nothing is done.
        etag = (await _policy(api, policy)).get("etag", "")
        body = {"requestId": str(uuid4()), "stage": f"POLICY_STAGE_{to.name}", "share": share, "etag": etag}
        return await api.post(f"/v1/policies/{policy}:stage", body)

    staged = with_platform(home, work)
    _, standing, shown = _scope_and_stage(staged)
    _told(staged, as_json, f"{policy} is {standing}{f' for {shown} of the learners' if shown else ''} now.")


def rollback(policy: PolicyArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Take a live policy back: what it had replaced is live again."""
    done = with_platform(home, lambda api: api.post(f"/v1/policies/{policy}:rollBack", {"requestId": str(uuid4())}))
    live = bare(done.get("live", {}).get("name", ""))
    _told(done, as_json, f"{policy} is retired; {f'{live} is live again' if live else 'nothing had been live before it'}.")


def compare(
    one: Annotated[str, typer.Argument(help="A policy's id.")],
    other: Annotated[str, typer.Argument(help="Another's.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show in which numbers two policies differ."""

    async def work(api: Api) -> tuple[Json, Json]:
        return await _policy(api, one), await _policy(api, other)

    found = differences(*(each["definition"] for each in with_platform(home, work)))
    if as_json:
        print_json({"differences": [{"number": name, one: left, other: right} for name, left, right in found]})
    elif not found:
        print(f"{one} and {other} do not differ")
    else:
        table = Table("number", escape(one), escape(other), box=None, header_style="dim")
        for name, left, right in found:
            table.add_row(escape(name), escape(_text(left)), escape(_text(right)))
        Console(highlight=False).print(table)


def differences(one: Json, other: Json) -> list[tuple[str, Any, Any]]:
    """Returns the numbers, by their path, that two definitions do not share, with both values; None for one that is not there."""
    left, right = dict(flat(one)), dict(flat(other))
    paths = sorted({*left, *right})
    return [(each, left.get(each), right.get(each)) for each in paths if each != "version" and left.get(each) != right.get(each)]


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the values within a definition by their path, such as `arms[0].weights.review`; a list of numbers is one value."""
    if isinstance(value, dict):
        for name, each in sorted(value.items()):  # the fields of an answer come in any order
            yield from flat(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for number, each in enumerate(value):
            yield from flat(each, f"{path}[{number}]")
    else:
        yield path, value


async def _policy(api: Api, policy: str) -> Json:
    return await api.get(f"/v1/policies/{policy}")


def _read(file: Path) -> Json:
    try:
        definition = json.loads(file.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        fail(f"{file}: {error}", WRONG)
    if not isinstance(definition, dict):
        fail(f"{file}: must be a JSON object", WRONG)
    return definition


def _sorted(value: Any) -> Any:
    return json.loads(json.dumps(value, sort_keys=True))


def _scope_and_stage(policy: Json) -> tuple[str, str, str]:
    share = float(policy.get("share", 0.0))
    return bare(policy.get("course", "")) or "every course", _stage_of(policy), f"{share:.1%}" if share else ""


def _stage_of(each: Json) -> str:
    return str(each.get("stage", "")).removeprefix("POLICY_STAGE_").lower()


def _about(policy: Json) -> str:
    return str(policy.get("description", ""))


def _text(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


def _told(answer: Json, as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(answer)
    else:
        print(sentence)
