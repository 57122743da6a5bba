"""`paideia backup create | list | verify | prune | drill` and `paideia restore`: what was lost comes back."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from stack.backup.creation import create as create_backup
from stack.backup.drill import DrillReport, free_ports
from stack.backup.drill import drill as run_drill
from stack.backup.repository import BackupFailed, Manifest, Repository, to_prune
from stack.backup.repository import Progress as Told
from stack.backup.restoring import plan
from stack.backup.restoring import restore as restore_backup
from stack.home import Home, find_home
from stack.part import PartFailed
from stack.secret_files import SecretFiles
from stack.settings import StackSettings, WrongSetting
from stack.supervisor import StackFailed

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The stack's directory (PAIDEIA_HOME; else .paideia).", show_default=False),
]
RepositoryOption = Annotated[
    Path | None,
    typer.Option(
        "--repository",
        envvar="PAIDEIA_BACKUPS",
        help="The folder of backups; best on another disk. [default: backups in the stack's directory]",
        show_default=False,
    ),
]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="The file with the passphrase that seals secrets. [default: secrets/backup_passphrase of the stack, made at the first backup]",
        show_default=False,
    ),
]
FullOption = Annotated[
    bool, typer.Option("--full", help="Copy the whole database, also where its log since the last backup would do.")
]
PortOption = Annotated[
    int | None, typer.Option(help="The restored stack's public port; the 99 after it are used, too.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
PASSPHRASE = "backup_passphrase"  # noqa: S105  # the name of its file
FAILED, WRONG = 1, 2


def register(app: typer.Typer) -> None:
    backup = typer.Typer(no_args_is_help=True, help="Backups of the stack on this machine, made while it serves.")
    backup.command()(create)
    backup.command("list")(list_backups)
    for command in (verify, prune, drill):
        backup.command()(command)
    app.add_typer(backup, name="backup", rich_help_panel="The stack on this machine")
    app.command(rich_help_panel="The stack on this machine")(restore)


def create(
    full: FullOption = False,
    home: HomeOption = None,
    repository: RepositoryOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back up the running stack: database, topics, lake, files of reports, secrets, settings.

    After the first, only what is new is copied. Any moment between two backups can be restored.
    """
    place = find_home(home)
    with _answering(as_json), _told(as_json) as progress:
        passphrase = _passphrase(place, passphrase_file, make=True)
        made = asyncio.run(create_backup(place, _repository(place, repository), passphrase, full, progress))
    if as_json:
        _print_json(_described(made))
        return
    print(f"backup {made.id} ({made.kind}), of {made.point:%Y-%m-%d %H:%M:%S} UTC, in {made.seconds:.1f} s")
    if passphrase_file is None:
        print(f"keep a copy of {place.secrets / PASSPHRASE} elsewhere: without it the backup's secrets cannot be opened")


def list_backups(home: HomeOption = None, repository: RepositoryOption = None, as_json: JsonOption = False) -> None:
    """List the backups, and from when to when any moment can be restored."""
    with _answering(as_json):
        found = _repository(find_home(home), repository).manifests()
    if as_json:
        _print_json({"backups": [_described(each) for each in found]})
        return
    table = Table("id", "kind", "of (UTC)", "seconds", "contents", "bytes")
    for each in found:
        entries = len(list(each.entries))
        table.add_row(
            each.id, each.kind, f"{each.point:%Y-%m-%d %H:%M:%S.%f}", f"{each.seconds:.1f}", f"{entries:,}", f"{each.size:,}"
        )
    Console(width=max(Console().width, 100)).print(table) if found else print("no backup yet: `paideia backup create`")


def verify(home: HomeOption = None, repository: RepositoryOption = None, as_json: JsonOption = False) -> None:
    """Read every content of every backup and compare it with its checksum. Exit code 1 when one is damaged or missing."""
    with _answering(as_json), _told(as_json) as progress:
        where = _repository(find_home(home), repository)
        found = where.verify(where.manifests(), progress)
    if as_json:
        _print_json(asdict(found) | {"good": not found.damages})
    else:
        print(f"{found.contents:,} contents, {found.bytes:,} bytes: {len(found.damages)} damaged")
        for each in found.damages:
            print(f"  {each.backup} {each.path}: {each.what}")
    if found.damages:
        raise typer.Exit(FAILED)


def prune(
    keep: Annotated[int, typer.Option(min=1, help="How many full backups to keep, with all that follow them.")],
    home: HomeOption = None,
    repository: RepositoryOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove the oldest backups, and the contents that no other has."""
    with _answering(as_json):
        where = _repository(find_home(home), repository)
        old = to_prune(where.manifests(), keep)
        if old and not yes and not (sys.stdin.isatty() and typer.confirm(f"Remove {len(old)} backups?")):
            _fail(f"nothing was removed of {len(old)} backups: say --yes", as_json, WRONG)
        count, size = where.forget(old)
    removed = {"backups": [each.id for each in old], "contents": count, "bytes": size}
    _print_json({"removed": removed}) if as_json else print(f"removed {len(old)} backups, {count:,} contents, {size:,} bytes")


def restore(
    into: Annotated[
        Path | None, typer.Option(help="An empty folder. [default: the stack's directory]", show_default=False)
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            help="A moment, such as 2026-09-01T08:00:00.5Z; without a zone UTC. [default: that of the newest backup]",
            show_default=False,
        ),
    ] = "",
    port_base: PortOption = None,
    home: HomeOption = None,
    repository: RepositoryOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a stack's directory of a backup. `paideia up --home …` then starts it. Nothing that is there is written over."""
    place = find_home(home)
    target = Home(into.expanduser().resolve()) if into else place
    with _answering(as_json), _told(as_json) as progress:
        where = _repository(place, repository)
        wanted = plan(where.manifests(), _moment(to, as_json))
        passphrase = _passphrase(place, passphrase_file, make=False)
        asyncio.run(restore_backup(where, wanted, target, passphrase, port_base, progress))
    found = {
        "home": str(target.path),
        "backup": wanted.target.id,
        "to": datetime.fromtimestamp(wanted.at_ns / 1e9, UTC).isoformat(),
    }
    _print_json(found) if as_json else print(f"restored to {found['to']} in {target.path}: `paideia up --home {target.path}`")


def drill(
    full: FullOption = False,
    port_base: PortOption = None,
    home: HomeOption = None,
    repository: RepositoryOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove it: back up, restore beside the running stack, start that, compare tables, objects and answers, remove it again.

    Exit code 1 when something differs.
    """
    place = find_home(home)
    with _answering(as_json), _told(as_json) as progress:
        passphrase = _passphrase(place, passphrase_file, make=True)
        ports = port_base or free_ports(StackSettings.read(place))
        report = asyncio.run(run_drill(place, _repository(place, repository), passphrase, ports, full, progress))
    _print_json(asdict(report) | {"good": report.good}) if as_json else _show(report)
    if not report.good:
        raise typer.Exit(FAILED)


def _show(report: DrillReport) -> None:
    print(f"backup {report.backup}: " + ", ".join(f"{step} {seconds:.1f} s" for step, seconds in report.seconds.items()))
    table = Table("compared", "equal", "changed meanwhile", "different")
    for name, each in (("tables", report.tables), ("objects", report.objects), ("answers", report.answers)):
        table.add_row(name, f"{each.equal:,}", f"{len(each.changed_meanwhile):,}", f"{len(each.different):,}")
    Console().print(table)
    print(f"{report.tables.rows:,} rows are the same")
    for name in (*report.tables.different, *report.objects.different, *report.answers.different):
        print(f"  different: {name}")


def _repository(place: Home, chosen: Path | None) -> Repository:
    return Repository(chosen.expanduser().resolve() if chosen else place.backups)


def _passphrase(place: Home, file: Path | None, make: bool) -> str:
    """Raises BackupFailed."""
    if file is None and make:
        return SecretFiles(place.secrets).typed_password(PASSPHRASE)
    found = file or place.secrets / PASSPHRASE
    try:
        passphrase = found.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BackupFailed(f"the passphrase cannot be read from {found}: name its file by --passphrase-file") from error
    if len(passphrase) < 12:
        raise BackupFailed(f"the passphrase in {found} is too short: twelve characters at least")
    return passphrase


def _moment(text: str, as_json: bool) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _fail(f"--to {text!r}: write a moment such as 2026-09-01T08:00:00Z", as_json, WRONG)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _described(manifest: Manifest) -> dict[str, Any]:
    return {
        "id": manifest.id,
        "kind": manifest.kind,
        "point": manifest.point.isoformat(),
        "seconds": manifest.seconds,
        "contents": len(list(manifest.entries)),
        "bytes": manifest.size,
    }


@contextmanager
def _told(as_json: bool) -> Iterator[Told]:
    """A bar on a terminal, else nothing: a person who redirects wants the result."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as bars:
        bar = bars.add_task("beginning", total=None)
        yield lambda what, done, total: bars.update(bar, description=what, completed=done, total=total)


@contextmanager
def _answering(as_json: bool) -> Iterator[None]:
    try:
        yield
    except (BackupFailed, StackFailed, PartFailed, WrongSetting) as error:
        _fail(str(error), as_json)
    except OSError as error:
        _fail(f"{error.filename or 'the disk'}: {os.strerror(error.errno) if error.errno else error}", as_json)


def _print_json(what: dict[str, Any]) -> None:
    print(json.dumps(what, indent=2))


def _fail(text: str, as_json: bool, code: int = FAILED) -> NoReturn:
    if as_json:
        _print_json({"error": text})
    else:
        print(text, file=sys.stderr)
    raise typer.Exit(code)
