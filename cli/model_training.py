"""`paideia model train` and `paideia model compare`. The laboratory is imported by the commands that use it."""

import sys
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

from cli.fit_sharing import ResponsesOption, end, fail, read, told
from cli.stack_commands import JsonOption

if TYPE_CHECKING:
    from lab.response_models.study import Comparison

MODEL, REPORT, DOCUMENT = "model.paideia", "report.html", "report.json"


class Kind(StrEnum):
    LOGISTIC = "logistic"
    BOOSTING = "boosting"
    DKT = "dkt"


def train(
    responses: ResponsesOption,
    out: Annotated[Path, typer.Option("--out", help="Directory for the model and its report.")],
    kind: Annotated[Kind, typer.Option(help="Logistic regression, boosted trees, or deep knowledge tracing.")] = Kind.BOOSTING,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Chooses the learners to judge on, and all chance.")] = 1,
    unseen: Annotated[float, typer.Option(min=0.05, max=0.5, help="The share of learners to judge on.")] = 0.2,
    as_json: JsonOption = False,
) -> None:
    """Train a model that predicts right answers, and judge it on learners whom it was not trained on, beside the platform's own predictor.

    Writes model.paideia (what `paideia model register` takes), report.html and report.json. The same file, kind and seed give the same model
    on the same machine; of dkt this holds as far as torch does.

    Exit code 0: trained. 2: it could not be done. 3: trained, but the file has bad rows, which were left out.
    """
    from lab.fitting.artifact import source_of, text_of
    from lab.response_models.report import training_report
    from lab.response_models.study import train

    log = read(responses)
    with told(), _steps(f"training {kind}") as on_step:
        study = train(log, kind, seed, unseen, on_step)
        artifact = study.trained.packed()
    document = study.document(artifact, source_of(responses))
    version = document["version"]
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / MODEL).write_bytes(artifact)
        (out / REPORT).write_text(training_report(study, version), encoding="utf-8")
        (out / DOCUMENT).write_text(text_of(document), encoding="utf-8")
    except OSError as problem:
        fail(f"{out}: {problem.strerror}")
    if as_json:
        sys.stdout.write(text_of(document))
    else:
        console = Console(highlight=False)
        console.print(f"version {version}, {len(artifact):,} bytes in {escape(str(out / MODEL))}")
        _show(study.comparison, console)
    end(log)


def compare(
    models: Annotated[list[Path], typer.Argument(help="Models that `train` wrote: files, or the directories they are in.")],
    responses: ResponsesOption,
    out: Annotated[Path | None, typer.Option("--out", help="Directory for report.html.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare trained models on the learners whom none of them was trained on, beside the platform's own predictor.

    Exit code 0: compared. 2: it could not be done. 3: compared, but the file has bad rows, which were left out.
    """
    from lab.fitting.artifact import text_of
    from lab.response_models.comparing import compare_artifacts
    from lab.response_models.report import comparison_report

    log = read(responses)
    with told(), _steps("comparing"):
        comparison, versions = compare_artifacts({str(each): _artifact(each) for each in models}, log)
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / REPORT).write_text(comparison_report(comparison, versions, responses.name), encoding="utf-8")
        except OSError as problem:
            fail(f"{out}: {problem.strerror}")
    if as_json:
        judged = {each.name: each.quality.document() for each in comparison.judged}
        sys.stdout.write(text_of({"learners": comparison.learners, "versions": versions, "predictors": judged}))
    else:
        _show(comparison, Console(highlight=False))
    end(log)


def _artifact(path: Path) -> bytes:
    file = path / MODEL if path.is_dir() else path
    try:
        return file.read_bytes()
    except OSError as problem:
        fail(f"{file}: {problem.strerror}")


@contextmanager
def _steps(what: str) -> Iterator[Callable[[str], None]]:
    """Shows what is being done; nobody knows beforehand how many steps there will be."""
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True), transient=True
    )
    with bar:
        place = bar.add_task(what, total=None)
        yield lambda step: bar.update(place, description=f"{what}: {step}")


def _show(comparison: "Comparison", console: Console) -> None:
    from lab.response_models.report import gap_of

    console.print(f"{len(comparison.correct):,} answers of {comparison.learners:,} learners who were not trained on")
    table = Table("predictions", box=SIMPLE, pad_edge=False)
    for column in ("AUC", "log-loss", "calibration", "AUC above the platform's"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in comparison.judged:
        values = (each.quality.auc, each.quality.log_loss, each.quality.calibration_error)
        table.add_row(escape(each.name), *(f"{value:.4f}" for value in values), gap_of(comparison, each))
    console.print(table)
