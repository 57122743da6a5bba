"""`paideia audit list | verify | export | head | keys | rotate-key`: what was done, and whether the record of it is whole."""

import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from cli.api import Api, Json
from cli.audit_export import exported
from cli.session import WRONG, HomeOption, JsonOption, fail, print_json, with_platform
from stack.audit_key import rotate_audit_key
from stack.home import find_home
from stack.secret_files import SecretFiles

_PAGE = 1000
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
SinceOption = Annotated[
    str, typer.Option("--since", help="Only what was recorded since: 30m, 12h, 7d, or a time such as 2026-06-12T08:30:00Z.")
]
PlatformOption = Annotated[
    bool, typer.Option("--platform", help="The platform's own chain: what belongs to no organization. For operators.")
]


def register(app: typer.Typer) -> None:
    audit = typer.Typer(no_args_is_help=True, help="The audit log: what was done, by whom, and whether its record is whole.")
    audit.command("list")(list_acts)
    audit.command("verify")(verify)
    audit.command("export")(export)
    audit.command("head")(head)
    audit.command("keys")(keys)
    audit.command("rotate-key")(rotate_key)
    app.add_typer(audit, name="audit", rich_help_panel="Security")


def list_acts(
    since: SinceOption = "1d",
    actor: Annotated[str, typer.Option("--actor", help="Only what this user did, such as users/eve.")] = "",
    act: Annotated[str, typer.Option("--act", help="Only this act, such as identity.SignedIn.")] = "",
    platform: PlatformOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List acts, oldest first."""
    asked = _asked(since, platform) | {"actor": actor, "act": act}

    async def listed(api: Api) -> list[Json]:
        return [each async for each in _acts(api, asked)]

    acts = with_platform(home, listed)
    if as_json:
        print_json({"acts": acts})
        return
    if not acts:
        print("no acts")
        return
    table = Table("number", "time", "who", "what", "to", "outcome", "from", "times", box=None, header_style="bold")
    for each in acts:
        outcome = each["outcome"].removeprefix("OUTCOME_").lower()
        table.add_row(
            str(each["sequence"]),
            each["occurTime"][:19].replace("T", " "),
            *(Text(each.get(name, "")) for name in ("actor", "act", "target")),
            Text(f"{outcome} ({each['reason']})" if each.get("reason") else outcome, "red" if outcome == "refused" else ""),
            each.get("address", ""),
            str(each.get("count", "")),
        )
    Console(soft_wrap=True).print(table)


def verify(
    known_head: Annotated[str, typer.Option("--head", help="A head kept elsewhere, as `paideia audit head` printed it.")] = "",
    platform: PlatformOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the whole chain anew and compare it with what was signed. Exit code 1 if anything was changed, removed or cut off.

    The head that was verified is remembered in the stack's folder: next time, the chain must still lead there.
    """
    kept = find_home(home).path / "audit_heads.json"
    heads: Json = json.loads(kept.read_text()) if kept.exists() else {}

    async def verified(api: Api) -> Json:
        where = f"{api.access.url} {'-' if platform else api.access.organization}"
        known = known_head or heads.get(where, "")
        found = await _verified(api, known, platform, show=not as_json)
        if not found["faults"] and found["acts"]:
            heads[where] = (await api.get("/v1/auditHead", **_flag(platform)))["signature"]
        return found | {"comparedWithKnownHead": bool(known)}

    found = with_platform(home, verified, patience=60)
    if kept.parent.is_dir() and not found["faults"]:
        kept.write_text(json.dumps(heads, indent=1) + "\n")
    if as_json:
        print_json(found)
    elif found["faults"]:
        for each in found["faults"]:
            Console(soft_wrap=True).print(Text(f"act {each.get('sequence', 0)}: {each['message']}", "red"))
    else:
        ending = ", and lead to the head that was known" if found["comparedWithKnownHead"] else ""
        print(f"whole: {found['acts']:,} acts follow from each other, {found['heads']:,} signatures are good{ending}")
    if found["faults"]:
        raise typer.Exit(1)


def export(
    since: SinceOption = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file instead of standard output.")] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Acts as the API returns them, hashes included, instead of OCSF fields.")
    ] = False,
    platform: PlatformOption = False,
    home: HomeOption = None,
) -> None:
    """Export acts as JSON lines for a SIEM: one act a line, in fields of the Open Cybersecurity Schema Framework."""
    asked = _asked(since, platform)

    async def write(api: Api) -> int:
        count = 0
        file = out.open("w", encoding="utf-8") if out else sys.stdout
        try:
            async for each in _acts(api, asked):
                line = each if raw else exported(each, "-" if platform else api.access.organization)
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                count += 1
        finally:
            if out:
                file.close()
        return count

    count = with_platform(home, write)
    Console(stderr=True).print(f"{count:,} acts")


def head(platform: PlatformOption = False, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the newest signed head, to be kept where nobody who runs the platform can change it."""
    found = with_platform(home, lambda api: api.get("/v1/auditHead", **_flag(platform)))
    if as_json:
        print_json(found)
    else:
        print(found["signature"])


def keys(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the public keys that verify heads: of the key that signs now, then the earlier ones. With --json as a JSON Web Key Set."""
    found = with_platform(home, lambda api: api.get("/v1/auditHeadKeys"))["publicKeys"]
    if as_json:
        print_json({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "x": each} for each in found]})
    else:
        print("\n".join(found))


def rotate_key(home: HomeOption = None) -> None:
    """Replace the key that signs heads in the stack's folder. The public key of the one before stays, the key itself goes.

    The stack goes on with the key that it has, and takes the new one when it starts the next time.
    """
    place = find_home(home)
    if not place.secrets.is_dir():
        fail(f"{place.path} has no secrets: start the stack once", WRONG)
    made = rotate_audit_key(SecretFiles(place.secrets))
    print(f"heads will be signed by {made} after the next start: paideia down, paideia up")


async def _acts(api: Api, asked: dict[str, str]) -> AsyncIterator[Json]:
    token = ""
    while True:
        page = await api.get("/v1/auditActs", pageSize=_PAGE, pageToken=token, **asked)
        for each in page.get("acts", []):
            yield each
        if not (token := page.get("nextPageToken", "")):
            return


async def _verified(api: Api, known: str, platform: bool, show: bool) -> Json:
    found: Json = {"acts": 0, "heads": 0, "faults": []}
    after: dict[str, Any] = {}
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=Console(stderr=True), disable=not show) as progress:
        task = progress.add_task("verifying")
        while True:
            part = await api.get("/v1/auditActs:verify", knownHead=known, **after, **_flag(platform))
            found["acts"] += int(part.get("actCount", 0))
            found["heads"] += int(part.get("headCount", 0))
            found["faults"] += part.get("faults", [])
            progress.update(task, description=f"verifying: {found['acts']:,} acts")
            if part.get("done"):
                return found
            after = {"afterSequence": part["lastSequence"], "afterHash": part["lastHash"]}


def _asked(since: str, platform: bool) -> dict[str, str]:
    return ({"startTime": _moment(since)} if since else {}) | _flag(platform)


def _flag(platform: bool) -> dict[str, str]:
    return {"platform": "true"} if platform else {}


def _moment(since: str) -> str:
    """A time as the API reads it. Ends the command with a sentence if it is none."""
    try:
        if since[-1:] in _UNITS and since[:-1].isdigit():
            moment = datetime.now(UTC) - timedelta(**{_UNITS[since[-1]]: int(since[:-1])})
        else:
            moment = datetime.fromisoformat(since)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        fail(f"--since must be 30m, 12h, 7d or a time such as 2026-06-12T08:30:00Z, not {since!r}", WRONG)
