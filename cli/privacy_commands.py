"""`paideia privacy ...` and `paideia keys rotate`: people's data exported and erased, and the keys that seal it renewed."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from cli.api import Api, Json
from cli.session import HomeOption, JsonOption, bare, fail, print_json, with_platform

UserArgument = Annotated[str, typer.Argument(help="The user's id.")]
JobArgument = Annotated[str, typer.Argument(help="The job's id, as `paideia privacy jobs` shows it.")]
WaitOption = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait for the end; 0: do not wait.")]

_ENDED = frozenset({"SUCCEEDED", "CANCELLED", "EXPIRED"})
_LOOK_EVERY_SECONDS = 0.5


def register(app: typer.Typer) -> None:
    privacy = typer.Typer(no_args_is_help=True, help="Personal data: exports, erasures and what became of them.")
    privacy.command("export")(export)
    privacy.command("erase")(erase)
    privacy.command("cancel")(cancel)
    privacy.command("show")(show)
    privacy.command("jobs")(jobs)
    app.add_typer(privacy, name="privacy", rich_help_panel="The organization")
    keys = typer.Typer(no_args_is_help=True, help="The keys that names and addresses are sealed with.")
    keys.command("rotate")(rotate)
    app.add_typer(keys, name="keys", rich_help_panel="The stack on this machine")


def export(user: UserArgument, wait: WaitOption = 60.0, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Collect everything about a person into a ZIP of JSON files, and print where it can be fetched."""
    _order(f"/v1/users/{bare(user)}:export", wait, home, as_json)


def erase(user: UserArgument, wait: WaitOption = 0.0, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Erase a person after the organization's grace period. Statistics stay."""
    _order(f"/v1/users/{bare(user)}:erase", wait, home, as_json)


def cancel(job: JobArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Cancel an erasure within its grace period."""
    body: Json = {"requestId": str(uuid4())}
    cancelled = with_platform(home, lambda api: api.post(f"/v1/privacyJobs/{bare(job)}:cancel", body))
    _print_job(cancelled, as_json)


def show(job: JobArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show a job with what each context has done, and the link to an export's file."""
    _print_job(with_platform(home, lambda api: api.get(f"/v1/privacyJobs/{bare(job)}")), as_json)


def jobs(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List exports and erasures."""
    found = with_platform(home, lambda api: api.get("/v1/privacyJobs", pageSize=1000)).get("privacyJobs", [])
    if as_json:
        print_json({"privacyJobs": found})
        return
    table = Table("job", "kind", "user", "state", "due", "done", box=None, header_style="bold")
    for each in found:
        row = (bare(each["name"]), _word(each, "kind"), bare(each["user"]), _word(each, "state"), each["dueTime"])
        table.add_row(*row, f"{each.get('progress', 0.0):.0%}")
    Console(soft_wrap=True).print(table if found else "no jobs")


def rotate(
    reencrypt: Annotated[
        bool, typer.Option("--reencrypt", help="Also seal everything anew, under new keys of each person.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Renew the keys of every organization while the platform runs. Stopped in the middle, run it again."""

    async def steps(api: Api) -> tuple[int, int]:
        done, organizations, token = 0, set[str](), ""
        with _bar(shown=not as_json) as bar:
            task = bar.add_task("keys", total=None)
            while True:
                body: Json = {"requestId": str(uuid4()), "pageToken": token, "reencrypt": reencrypt}
                step = await api.post("/v1/keys:rotate", body)
                done += step.get("done", 0)
                organizations |= {step["organization"]} if step.get("organization") else set()
                left = int(step.get("remaining", 0))
                bar.update(task, description=bare(step.get("organization", "")), completed=done, total=done + left)
                if not (token := step.get("nextPageToken", "")):
                    return done, len(organizations)

    done, organizations = with_platform(home, steps)
    if as_json:
        print_json({"organizations": organizations, "rows": done})
    else:
        print(f"renewed the keys of {organizations} organizations, {done} rows sealed or wrapped anew")


def _order(path: str, wait: float, home: Any, as_json: bool) -> None:
    async def order(api: Api) -> Json:
        job = await api.post(path, {"requestId": str(uuid4())})
        until = time.monotonic() + wait
        with _bar(shown=not as_json and wait > 0) as bar:
            task = bar.add_task(_word(job, "kind").lower(), total=1.0)
            while time.monotonic() < until and _word(job, "state") not in _ENDED:
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
                job = await api.get(f"/v1/{job['name']}")
                bar.update(task, completed=job.get("progress", 0.0))
            return job

    job = with_platform(home, order)
    _print_job(job, as_json)
    if wait and _word(job, "state") not in _ENDED:
        fail(f"not done after {wait:g} s: paideia privacy show {bare(job['name'])}")


def _print_job(job: Json, as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    print(
        f"{bare(job['name'])}: {_word(job, 'kind').lower()} of {bare(job['user'])}, {_word(job, 'state')}, due {job['dueTime']}"
    )
    for receipt in job.get("receipts", []):
        told = ", ".join(f"{name} {count}" for name, count in sorted(receipt.get("records", {}).items()))
        print(f"  {receipt['context']}: {told or 'nothing'}")
    if job.get("downloadUri"):
        print(f"  sha256 {job['sha256']}, {job['byteCount']} bytes, for the next 15 minutes at\n  {job['downloadUri']}")


def _word(job: Json, field: str) -> str:
    return str(job[field]).removeprefix(f"PRIVACY_JOB_{field.upper()}_")


@contextmanager
def _bar(*, shown: bool) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as bar:
        yield bar
