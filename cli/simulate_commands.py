"""The command `paideia simulate`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.course_format import CourseFaults, read_course
from cli.fit_sharing import fail, progress
from cli.session import JsonOption

if TYPE_CHECKING:
    from lab.simulation.naming import Course

_SHOWN = {"exam": "mastery at the exam", "answers": "answers to 80 %", "reached": "reached it", "regret": "regret"}


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Studies")(simulate)


def simulate(
    policies: Annotated[
        str, typer.Option(help="With commas: live (the built-in policy), random, fixed (course order), and JSON files.")
    ] = "live,random,fixed",
    learners: Annotated[int, typer.Option(help="How many simulated learners.")] = 2_000,
    family: Annotated[str, typer.Option(help="How they learn: bkt, irt-growth, memory, or mixed.")] = "mixed",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    course: Annotated[
        str, typer.Option(help="synthetic, synthetic:ITEMSxSKILLS, a course's directory, or a JSON file.")
    ] = "synthetic",
    sessions: Annotated[int, typer.Option(help="Sessions of each learner.")] = 15,
    answers: Annotated[int, typer.Option(help="Answers a session.")] = 20,
    out: Annotated[
        Path | None, typer.Option(help="Directory for simulation.json and simulation.html.", show_default=False)
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="Also log the decisions of the first policy here, .parquet or .jsonl.", show_default=False),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes; 0 for one a processor. Their number does not change the result.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Compare policies on simulated learners, whose true knowledge is known.

    The production code decides and estimates mastery; learners practise, rest and forget. Nothing here is measured on people.
    """
    from lab.evaluation.logs import check_name, log_of, write_log
    from lab.simulation.cohort import Schedule
    from lab.simulation.html import report
    from lab.simulation.naming import CannotSimulate, choosers_named, refusals
    from lab.simulation.outcomes import outcomes
    from lab.simulation.study import Study, available_workers, run

    try:
        with refusals():
            if log is not None:
                check_name(log)
            study = Study(choosers_named(policies), family, learners, seed, _course(course), Schedule(sessions, answers))
        with progress("simulating answers", study.steps) as show:
            traces = run(study, workers or available_workers(), _adding(show))
        document = outcomes(study, traces)
        if log is not None:
            with refusals(), progress(f"logging {study.choosers[0].name}", study.learners * study.schedule.steps) as show:
                write_log(log, log_of(study, _adding(show)))
    except CannotSimulate as refusal:
        fail(str(refusal))
    text = json.dumps(document, indent=1) + "\n"
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / "simulation.json").write_text(text, encoding="utf-8")
            (out / "simulation.html").write_text(report(document, traces), encoding="utf-8")
        except OSError as problem:
            fail(f"{out}: {problem.strerror}")
    if as_json:
        typer.echo(text, nl=False)
    else:
        _show(document, out)


def _adding(show: Callable[[int], None]) -> Callable[[int], None]:
    """Returns what hears how much was done since last time, for a bar that hears how much is done."""
    total = 0

    def add(count: int) -> None:
        nonlocal total
        total += count
        show(total)

    return add


def _course(name: str) -> "Course":
    from lab.simulation.naming import CannotSimulate, course_described, course_named

    if not Path(name).is_dir():
        return course_named(name)
    try:
        files = read_course(Path(name))
    except (CourseFaults, OSError) as faults:
        raise CannotSimulate(str(faults)) from faults
    return course_described(
        {
            "id": files.id,
            "skills": [{"id": each.name, "prerequisites": list(each.prerequisites)} for each in files.skills],
            "items": [{"id": each.message.name, "skills": list(each.message.skills)} for each in files.items],
        }
    )


def _show(document: dict[str, Any], out: Path | None) -> None:
    console = Console(highlight=False)
    study = document["study"]
    console.print(
        f"Simulated: {study['learners']:,} learners ({study['family']}), {study['sessions']} sessions of {study['answers_a_session']} "
        f"answers, {study['items']} items, {study['skills']} skills, seed {study['seed']}."
    )
    table = Table("policy", *_SHOWN.values(), "interval coverage", box=None, header_style="dim")
    for name, of in document["policies"].items():
        shown = (_estimate(of["outcomes"]["all"][each]) for each in _SHOWN)
        table.add_row(name, *shown, f"{of['coverage']['all']['share']:.1%}")
    console.print(table)
    table = Table("ahead of", *_SHOWN.values(), box=None, header_style="dim")
    for pair, groups in document["ahead"].items():
        table.add_row(pair.partition(" - ")[2], *(_estimate(groups["all"][each], "+") for each in _SHOWN))
    console.print(table)
    if out is not None:
        console.print(f"Report: {out / 'simulation.html'}")


def _estimate(of: dict[str, float], sign: str = "") -> str:
    digits = 1 if max(abs(of["lower"]), abs(of["upper"])) >= 10 else 3
    return f"{of['mean']:{sign}.{digits}f} ({of['lower']:{sign}.{digits}f} to {of['upper']:{sign}.{digits}f})"
