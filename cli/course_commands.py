"""`paideia load COURSE`: a course from files into the catalog."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.api import Api
from cli.course_format import CourseFaults, CourseFiles, read_course
from cli.course_loading import Loaded, load_course
from cli.session import WRONG, HomeOption, JsonOption, fail, print_json, with_platform

COURSES = Path(__file__).resolve().parent.parent / "courses"
"""The courses that come with Paideia."""


def register(app: typer.Typer) -> None:
    app.command(rich_help_panel="Courses and practice")(load)


def load(
    course: Annotated[
        str, typer.Argument(help="A directory with course.yaml, or the name of a course that comes with Paideia: fractions.")
    ],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a course that is written in YAML files to the platform, and publish it.

    Running it again changes nothing; after an edit it changes what differs and publishes once more.
    docs/authoring.md describes the format. Exit code 2: the files have faults, each named with its line.
    """
    files = _read(course)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=Console(stderr=True), transient=True
    ) as progress:
        task = progress.add_task(f"loading {files.course.title}", total=len(files.skills) + len(files.items))

        async def work(api: Api) -> Loaded:
            return await load_course(api, files, lambda count: progress.advance(task, count))

        loaded = with_platform(home, work)
    if as_json:
        print_json({"course": files.course.name, "skills": len(files.skills), "items": len(files.items), **loaded.as_json()})
    else:
        _report(files, loaded)


def _read(course: str) -> CourseFiles:
    directory = Path(course)
    if not directory.is_dir() and (COURSES / course).is_dir():
        directory = COURSES / course
    if not directory.is_dir():
        known = ", ".join(sorted(each.name for each in COURSES.iterdir() if (each / "course.yaml").exists()))
        fail(f"there is no directory {course}, and no course of that name comes with Paideia (there is {known})", WRONG)
    try:
        return read_course(directory)
    except CourseFaults as found:
        fail("\n".join(f"{directory}/{each}" for each in found.faults), WRONG)


def _report(files: CourseFiles, loaded: Loaded) -> None:
    console = Console(highlight=False)
    what = f"{files.course.title}: {len(files.skills)} skills, {len(files.items)} items"
    if not loaded.created and not loaded.changed and not loaded.published:
        console.print(f"{what}. Nothing to do: publication {loaded.publication} is up to date.")
        return
    console.print(
        f"{what}. {len(loaded.created)} created, {len(loaded.changed)} changed, {loaded.unchanged} as before; "
        f"now publication {loaded.publication}."
    )
    console.print(f"Try it: [bold]paideia practice --course {files.id}[/bold]")
