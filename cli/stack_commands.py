"""`paideia up | down | status | logs | reset | doctor`: the one-machine stack."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from cli import stack_display as display
from stack import control
from stack.home import Home, find_home
from stack.part import PartFailed
from stack.record import StackRecord, read_record
from stack.settings import StackSettings, WrongSetting
from stack.supervisor import StackFailed

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Where the stack keeps everything (PAIDEIA_HOME; else .paideia).", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

FAILED, WRONG = 1, 2


def register(app: typer.Typer) -> None:
    for command in (up, down, status, logs, reset, doctor):
        app.command(rich_help_panel="The stack on this machine")(command)


def up(
    home: HomeOption = None,
    port_base: Annotated[
        int | None, typer.Option(help="The public port; the 99 after it are used, too. [default: 8080]", show_default=False)
    ] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay here until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Start everything and return when it is ready: database, cache, objects, broker, platform, public door.

    Running it again is harmless. What was chosen is kept for the next start.
    """
    place = find_home(home)
    try:
        if control.running(place) is None:
            place.create()
            StackSettings.read(place, port_base=port_base).write(place)
        elif port_base is not None and port_base != StackSettings.read(place).port_base:
            _fail("the stack runs on other ports: `paideia down` first", as_json)
        if foreground:
            from stack.__main__ import supervise

            port = StackSettings.read(place).port_base
            print(f"starting at http://127.0.0.1:{port}; `paideia status` shows how far it is, Ctrl-C stops it", file=sys.stderr)
            return supervise(place)
        record, started = _start(place, as_json)
    except (StackFailed, PartFailed, WrongSetting, OSError) as error:
        _fail(str(error), as_json)
    if as_json:
        _print_json(_described(record) | {"started": started})
    else:
        display.welcome(record, started)
    return None


def down(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Stop everything cleanly. The data stays."""
    place = find_home(home)
    if as_json:
        _print_json({"stopped": control.down(place)})
        return
    console = Console()
    with console.status("stopping") as spinner:
        stopped = control.down(place, lambda record: spinner.update(f"stopping: {display.still_running(record)}"))
    console.print("stopped" if stopped else "nothing was running")


def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show each part: state, pid, uptime, restarts, memory. Exit code 1 unless everything is ready."""
    place = find_home(home)
    record = read_record(place.record)
    described = _described(record) if record else {"state": "stopped", "home": str(place.path), "parts": {}}
    if as_json:
        _print_json(described)
    elif not described["parts"]:
        print(f"no stack was started in {place.path}: `paideia up` starts one")
    else:
        display.show_status(described)
    if described["state"] != "ready":
        raise typer.Exit(FAILED)


def logs(
    part: Annotated[
        str | None, typer.Argument(help="A part or a context, as `paideia status` names it; all when absent.", show_default=False)
    ] = None,
    home: HomeOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on showing what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many to begin with, of each log.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="The lines as they are: one JSON object each.")] = False,
) -> None:
    """Show what the parts have written."""
    place = find_home(home)
    files = sorted(place.logs.glob("*.log")) if place.logs.exists() else []
    if part is not None:
        known = sorted(file.stem for file in files)
        files = [file for file in files if part == file.stem or part in file.stem.split(".")[0].split("+")]
        if not files:
            _fail(f"no part {part!r} has a log; there are: {', '.join(known) or 'none yet'}", as_json, WRONG)
    with_name = len(files) > 1
    for file, line in _lines(files, lines, follow):
        print(line if as_json else display.log_line(file.stem if with_name else "", line), flush=follow)


def reset(
    home: HomeOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete all data, secrets and logs of the stack, which must be down. There is no way back."""
    place = find_home(home)
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Delete everything in {place.path}?")):
        _fail("nothing was deleted: say --yes", as_json, WRONG)
    try:
        control.reset(place)
    except StackFailed as error:
        _fail(str(error), as_json)
    _print_json({"reset": True}) if as_json else print("deleted; `paideia up` begins anew")


def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check the installation and the stack, and say how to fix what is wrong. Exit code 1 when something is."""
    from stack.doctor import Finding, examine

    async def all_findings() -> list[Finding]:
        findings = []
        async for finding in examine(find_home(home)):
            findings.append(finding)
            if not as_json:
                display.show_finding(finding)
        return findings

    findings = asyncio.run(all_findings())
    wrong = [each for each in findings if not each.good]
    if as_json:
        _print_json({"good": not wrong, "findings": [asdict(each) for each in findings]})
    else:
        print(
            f"\n{len(wrong)} of {len(findings)} checks found something wrong"
            if wrong
            else f"\nall {len(findings)} checks are good"
        )
    if wrong:
        raise typer.Exit(FAILED)


def _start(place: Home, as_json: bool) -> tuple[StackRecord, bool]:
    if as_json:
        return control.up(place)
    console = Console(stderr=True)
    if not console.is_terminal:
        said: dict[str, str] = {}
        return control.up(place, lambda record: display.show_changes(record, said))
    with Live(Table(), console=console, refresh_per_second=8, transient=True) as live:
        return control.up(place, lambda record: live.update(display.progress(record)))


def _described(record: StackRecord) -> dict[str, Any]:
    """The record with what changes by itself: uptime, memory, and whether the supervisor still lives."""
    alive = record.supervisor.alive
    described = asdict(record)
    if not alive and record.state not in ("stopped", "failed"):
        described["state"], described["error"] = "stopped", "the supervisor is gone: `paideia up` heals that"
    total = record.supervisor.memory(children=False)
    for name, part in record.parts.items():
        lives = part.process is not None and part.process.alive
        entry = described["parts"][name]
        if not alive and not lives and part.state != "done":
            entry["state"] = "stopped"
        entry["ready"] = (lives and part.state == "ready") or part.state == "done"
        entry["uptime_seconds"] = round(time.time() - part.started_at) if lives else 0
        entry["memory_bytes"] = part.process.memory() if part.process and lives else 0
        total += entry["memory_bytes"]
    return described | {"memory_bytes": total}


def _lines(files: list[Path], count: int, follow: bool) -> Iterator[tuple[Path, str]]:
    """The last `count` lines of each file, then, when following, what is added to any, also after a log was begun anew."""
    places: dict[Path, int] = {}
    for file in files:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - 1024 * max(count, 1)))
            tail = log.read()
            places[file] = log.tell()
        yield from ((file, line.decode(errors="replace")) for line in tail.splitlines()[-count:] if count)
    while follow:
        time.sleep(0.2)
        for file, place in places.items():
            size = file.stat().st_size if file.exists() else 0
            if size == place:
                continue
            with file.open("rb") as log:
                log.seek(place if size > place else 0)
                chunk = log.read()
                whole = chunk.rfind(b"\n") + 1
                places[file] = log.tell() - (len(chunk) - whole)
            yield from ((file, line.decode(errors="replace")) for line in chunk[:whole].splitlines())


def _print_json(what: dict[str, Any]) -> None:
    print(json.dumps(what, indent=2))


def _fail(text: str, as_json: bool, code: int = FAILED) -> NoReturn:
    if as_json:
        _print_json({"error": text})
    else:
        print(text, file=sys.stderr)
    raise typer.Exit(code)
