"""`paideia fit irt`. The laboratory is imported when it is used, as no other command should wait for it."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.fit_sharing import OutOption, ResponsesOption, end, fail, give, read, told
from cli.stack_commands import JsonOption

if TYPE_CHECKING:
    from lab.fitting.artifact import Document
    from lab.responses import ResponseLog


class ModelOption(StrEnum):
    ONE = "1pl"
    TWO = "2pl"
    THREE = "3pl"


def fit_irt(
    responses: ResponsesOption,
    model: Annotated[ModelOption, typer.Option(help="Parameters an item: difficulty; and slope; and guess.")] = ModelOption.TWO,
    group: Annotated[
        str,
        typer.Option(
            help="For differential item functioning: a column of the file, or a CSV file with the columns learner and group.",
            show_default=False,
        ),
    ] = "",
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Calibrate an item bank: slope, difficulty and guess of every item with standard errors, and how well they fit.

    A learner's first answer to an item counts. Items that everybody answered alike cannot be calibrated and are named. With --out, writes
    irt.json (the versioned bank and the statistics) and irt.html (the report).

    Exit code 0: fitted. 2: it could not be done. 3: fitted, but the file has bad rows, which were left out.
    """
    from lab.fitting.artifact import source_of
    from lab.fitting.irt import MODELS, study_irt
    from lab.fitting.irt_report import irt_report

    log = read(responses, _columns(group))
    with told(), _steps(model) as on_step:
        groups = _groups(group, log) if group else None
        study = study_irt(log, MODELS[model], groups, on_step)
    document = study.document(source_of(responses))
    give("irt", document, lambda: irt_report(study, document["version"]), out, as_json)
    if not as_json:
        _show(document, Console())
    end(log)


def _columns(group: str) -> tuple[str, ...]:
    return (group,) if group and not Path(group).is_file() else ()


def _groups(group: str, log: "ResponseLog") -> dict[str, str]:
    """Returns the group of each learner: what is said first counts."""
    groups: dict[str, str] = {}
    if not Path(group).is_file():
        for learner, name in zip(log.learner.tolist(), log.kept[group], strict=True):
            groups.setdefault(log.learners[learner], name)
        return groups
    try:
        with Path(group).open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"learner", "group"} <= set(rows.fieldnames or ()):
                fail(f"{group}: line 1: must name the columns learner and group")
            for row in rows:
                groups.setdefault((row["learner"] or "").strip(), (row["group"] or "").strip())
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        fail(f"{group}: {problem}")
    return groups


@contextmanager
def _steps(model: ModelOption) -> Iterator[Callable[[int, float], None]]:
    """Shows the steps of the fit; nobody knows beforehand how many there will be."""
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True), transient=True
    )
    with bar:
        place = bar.add_task(f"fitting {model}", total=None)
        yield lambda step, log_likelihood: bar.update(
            place, description=f"fitting {model}: step {step}, log-likelihood {log_likelihood:,.3f}"
        )


def _show(document: "Document", console: Console) -> None:
    statistics = document["statistics"]
    console.print(f"version {document['version']}", highlight=False)
    console.print(
        f"{statistics['learners']:,} learners, {statistics['answers']:,} answers, log-likelihood {statistics['log_likelihood']:,.2f}, "
        f"AIC {statistics['aic']:,.1f}, BIC {statistics['bic']:,.1f}, reliability {statistics['reliability']}",
        highlight=False,
    )
    for note in statistics["notes"]:
        console.print(f"[yellow]note[/yellow] {escape(note)}", highlight=False)
    groups = list(dict.fromkeys(name for each in statistics["items"].values() for name in each["dif"]))
    items = statistics["items"].values()
    names = [name for name in ("slope", "difficulty", "guess") if any(each["estimates"][name] for each in items)]
    table = Table(box=SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column("item", overflow="fold", min_width=8)
    for column in ("right", *(part for name in names for part in (name, "±")), "p"):
        table.add_column(column, justify="right", no_wrap=True)
    table.caption = "right: share of right answers; p: of S-X², low where an item does not behave as the model says"
    for column in (*(f"DIF {escape(each)}" for each in groups), "note"):
        table.add_column(column, overflow="fold")
    for item, each in statistics["items"].items():
        estimates = [_stated(each[kind][name]) for name in names for kind in ("estimates", "standard_errors")]
        classes = [found["class"] if (found := each["dif"].get(group)) else "–" for group in groups]
        table.add_row(
            escape(item), _stated(each["share_right"]), *estimates, _stated(each["s_x2"]["p"]), *classes, each["note"] or ""
        )
    console.print(table)


def _stated(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
