"""How the stack looks on a terminal."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from stack.doctor import Finding
from stack.record import StackRecord

_MARKS = {
    "ready": "[green]●[/]",
    "done": "[green]✓[/]",
    "starting": "[yellow]◌[/]",
    "waiting": "[dim]·[/]",
    "failed": "[red]✗[/]",
    "not ready": "[yellow]●[/]",
    "stopping": "[yellow]◌[/]",
    "stopped": "[dim]·[/]",
}


def progress(record: StackRecord) -> Table:
    """One line a part while the stack starts."""
    table = Table.grid(padding=(0, 2))
    for name, part in record.parts.items():
        note = part.error if part.state == "failed" else ""
        table.add_row(_MARKS.get(part.state, "?"), name, part.state, f"[dim]{_plain(note)[:100]}[/]")
    return table


def show_changes(record: StackRecord, said: dict[str, str]) -> None:
    """The same where there is no terminal: a line when a part's state changes."""
    for name, part in record.parts.items():
        if part.state != said.get(name, "waiting"):
            said[name] = part.state
            print(f"{name}: {part.state}{f': {part.error}' if part.state == 'failed' else ''}", file=sys.stderr, flush=True)


def still_running(record: StackRecord) -> str:
    return (
        ", ".join(name for name, part in record.parts.items() if part.state not in ("stopped", "done", "waiting"))
        or "the supervisor"
    )


def welcome(record: StackRecord, started: bool) -> None:
    """Where to go, how to sign in, what to try."""
    console = Console(soft_wrap=True)
    console.print(f"[bold green]Paideia {'is ready' if started else 'runs already'}[/] at [bold]{record.url}[/]")
    lines = {
        "with TLS": record.secure_url,
        "documentation": f"{record.url}/docs",
        "organization": record.organization,
        "user": record.admin,
        "password": f"in the file {record.admin_password_file}",
    }
    for name, value in lines.items():
        if value:
            console.print(f"{name:<15}{value}", highlight=False)  # no table: it would cut what is to be copied
    console.print("\nnext: [bold]paideia load fractions[/], then [bold]paideia practice[/]; [bold]paideia down[/] stops it")


def show_status(described: dict[str, Any]) -> None:
    console = Console(soft_wrap=True)
    console.print(
        f"[bold]{described['state']}[/] {described['url']}  {_megabytes(described['memory_bytes'])} in use  {described['home']}"
    )
    if described["error"]:
        console.print(f"[red]{_plain(described['error'])}[/]")
    table = Table(box=None, padding=(0, 2))
    for title in ("", "part", "state", "pid", "uptime", "restarts", "memory", "address"):
        table.add_column(title, no_wrap=True, justify="right" if title in ("pid", "uptime", "restarts", "memory") else "left")
    for name, part in described["parts"].items():
        table.add_row(
            _MARKS.get(part["state"], "?"),
            name,
            part["state"],
            str(part["pid"] or ""),
            _duration(part["uptime_seconds"]),
            str(part["restarts"] or ""),
            _megabytes(part["memory_bytes"]) if part["memory_bytes"] else "",
            part["address"],
        )
    Console(width=max(console.width, 120)).print(table)
    for name, part in described["parts"].items():
        if part["error"]:
            console.print(f"{name}: [red]{_plain(part['error'])}[/]")


def show_finding(finding: Finding) -> None:
    console = Console(soft_wrap=True)
    console.print(f"{'[green]✓[/]' if finding.good else '[red]✗[/]'} {finding.check}: {_plain(finding.detail)}")
    if not finding.good and finding.fix:
        console.print(f"  [yellow]→ {_plain(finding.fix)}[/]")


def log_line(name: str, line: str) -> str:
    """A JSON line for people: time, level, message, then the other fields."""
    try:
        entry = json.loads(line)
        assert isinstance(entry, dict)  # noqa: S101
    except (ValueError, AssertionError):
        return f"{name} {line}".strip()
    time = str(entry.pop("time", None) or entry.pop("timestamp", "") or "")[11:23]
    level = str(entry.pop("level", "")).upper()
    message = entry.pop("message", None) or entry.pop("event", None) or ""
    entry.pop("part", None)
    rest = " ".join(f"{key}={value}" for key, value in entry.items() if value not in (None, "", {}))
    return " ".join(filter(None, (time, name, level if level not in ("INFO", "") else "", str(message), rest)))


def _plain(text: str) -> str:
    """Text in which brackets are no markup."""
    return text.replace("[", "\\[")


def _megabytes(count: int) -> str:
    return f"{count / (1 << 20):.0f} MB"


def _duration(seconds: int) -> str:
    if not seconds:
        return ""
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
