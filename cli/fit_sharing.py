"""What the commands `paideia fit ...` share: reading the file, showing progress, giving what was fitted, naming bad rows."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from lab.fitting.artifact import Document
    from lab.responses import ResponseLog

CANNOT, BAD_ROWS = 2, 3
_SHOWN_ROWS = 20

ResponsesOption = Annotated[
    Path,
    typer.Option(
        "--responses", help="CSV or Parquet: learner, position or occurred_at, item, skills (;-separated), correct [, rating]."
    ),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="Directory for the parameters (JSON) and the report (HTML).", show_default=False)
]


def read(path: Path, keep: Sequence[str] = ()) -> "ResponseLog":
    """Returns the log with the columns named in `keep`; ends the command if the file cannot be read."""
    from lab.responses import UnreadableLog, read_responses

    try:
        return read_responses(path, keep)
    except UnreadableLog as problem:
        fail(str(problem))


@contextmanager
def told() -> Iterator[None]:
    """Ends the command with the message of a ValueError, by which the laboratory says that something cannot be fitted."""
    try:
        yield
    except ValueError as problem:
        fail(str(problem))


def fail(problem: str) -> NoReturn:
    """Ends the command with exit code 2 and the problem on the standard error."""
    Console(stderr=True).print(f"[red]{escape(problem)}[/red]", highlight=False, soft_wrap=True)
    raise typer.Exit(CANNOT)


@contextmanager
def progress(task: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows a bar while something is done; what it gives is told how much is done."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        place = bar.add_task(task, total=total)
        yield lambda done: bar.update(place, completed=done)


def give(name: str, document: "Document", report: Callable[[], str], out: Path | None, as_json: bool) -> None:
    """Writes the files, if a directory was named, and the document to the standard output, if JSON was asked for."""
    from lab.fitting.artifact import text_of

    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{name}.json").write_text(text_of(document), encoding="utf-8")
            (out / f"{name}.html").write_text(report(), encoding="utf-8")
        except OSError as problem:
            fail(f"{out}: {problem.strerror}")
    if as_json:
        sys.stdout.write(text_of(document))


def end(log: "ResponseLog") -> None:
    """Names the bad rows; the exit code says that there were some."""
    console = Console(stderr=True)
    errors = log.errors
    for line, text in errors[:_SHOWN_ROWS]:
        console.print(f"[yellow]line {line}[/yellow] {escape(text)}", highlight=False, soft_wrap=True)
    if len(errors) > _SHOWN_ROWS:
        console.print(f"… and {len(errors) - _SHOWN_ROWS} more bad rows")
    if errors:
        raise typer.Exit(BAD_ROWS)
