"""`paideia path ...`: plan a learner's way to a goal, see it, and decide about its steps."""

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.api import Api, Json
from cli.practice_display import interval_bar
from cli.session import WRONG, HomeOption, JsonOption, bare, fail, print_json, with_platform

Learner = Annotated[str, typer.Argument(help="The learner's id.")]
PathId = Annotated[str, typer.Argument(help="The path's id.")]
Due = Annotated[str, typer.Option("--due", help="The day to reach it by, such as 2026-12-01.", show_default=False)]
Minutes = Annotated[int | None, typer.Option("--minutes", help="Minutes of practice a day.")]

_STATUS = {
    "STEP_STATUS_OPEN": ("▶", "bold cyan"),
    "STEP_STATUS_LOCKED": ("·", "dim"),
    "STEP_STATUS_DONE": ("✓", "green"),
    "STEP_STATUS_SKIPPED": ("-", "dim"),
}
_VERDICT = {"VERDICT_ON_TRACK": "green", "VERDICT_TIGHT": "yellow", "VERDICT_LATE": "red"}


class Kind(StrEnum):
    PIN = "pin"
    SKIP = "skip"
    ADD = "add"
    ORDER = "order"

    @property
    def named(self) -> str:
        """As the contract calls it."""
        names = {Kind.PIN: "PIN_FIRST", Kind.SKIP: "SKIP", Kind.ADD: "ADD", Kind.ORDER: "LOCK_ORDER"}
        return f"OVERRIDE_KIND_{names[self]}"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Plan a learner's way to a goal by a date, and decide about its steps.", no_args_is_help=True)
    for name, command in (
        ("create", create),
        ("show", show),
        ("list", list_paths),
        ("update", update),
        ("override", override),
        ("history", history),
        ("archive", archive),
    ):
        group.command(name)(command)
    app.add_typer(group, name="path", rich_help_panel="Courses and practice")


def create(
    learner: Learner,
    course: Annotated[str, typer.Option("--course", help="The course.")] = "fractions",
    goal: Annotated[
        list[str] | None, typer.Option("--goal", help="A skill to master; repeat for more. Else the whole course.")
    ] = None,
    target: Annotated[float, typer.Option("--target", help="P(mastered) to reach.")] = 0.8,
    due: Due = "",
    days: Annotated[int, typer.Option("--days", help="How many days from today, if --due is not given.")] = 60,
    minutes: Annotated[int, typer.Option("--minutes", help="Minutes of practice a day.")] = 20,
    path_id: Annotated[str, typer.Option("--id", help="Its id; else the course's.", show_default=False)] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan a path from what the learner has mastered to the goal."""
    path: Json = {
        "course": f"courses/{course}",
        "targetMastery": target,
        "dueDate": due or _in_days(days),
        "minutesPerDay": minutes,
    }

    async def work(api: Api) -> Json:
        wanted = path | {"goalSkills": await _skill_names(api, course, goal)}
        body = {"requestId": str(uuid4()), "pathId": path_id or course, "path": wanted}
        return await api.post(f"/v1/learners/{learner}/paths", body)

    _show(with_platform(home, work), as_json)


def show(learner: Learner, path: PathId, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show the steps with their dates and reasons, and whether the goal fits its date."""
    _show(with_platform(home, lambda api: api.get(_of(learner, path))), as_json)


def list_paths(
    learner: Annotated[str, typer.Argument(help="The learner's id, or - for all.")] = "-",
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones too.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List paths."""

    async def work(api: Api) -> list[Json]:
        return await _every(api, f"/v1/learners/{learner}/paths", "paths", showArchived=str(archived).lower())

    found = with_platform(home, work)
    if as_json:
        print_json(found)
        return
    table = Table("learner", "path", "goal by", "minutes left", "state", box=None, header_style="dim")
    for each in found:
        feasible = each["feasibility"]
        left = f"{feasible.get('expectedMinutes', 0)} of {feasible.get('availableMinutes', 0)}"
        state = each["state"].removeprefix("PATH_STATE_").lower()
        style = _VERDICT[feasible["verdict"]] if state == "active" else "dim"
        table.add_row(
            escape(each["name"].split("/")[1]), escape(bare(each["name"])), each["dueDate"], f"[{style}]{left}[/]", state
        )
    Console(highlight=False).print(table if found else "No paths.")


def update(
    learner: Learner,
    path: PathId,
    due: Due = "",
    minutes: Minutes = None,
    target: Annotated[float | None, typer.Option("--target", help="P(mastered) to reach.")] = None,
    goal: Annotated[list[str] | None, typer.Option("--goal", help="A skill to master; repeat for more.")] = None,
    learner_may_skip: Annotated[bool | None, typer.Option(help="Whether the learner may leave steps out.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the goal, the date or the minutes; the path is planned anew."""
    given: Json = {
        "dueDate": due or None,
        "minutesPerDay": minutes,
        "targetMastery": target,
        "goalSkills": goal or None,
        "learnerMaySkip": learner_may_skip,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    if not fields:
        fail("say what to change: --due, --minutes, --target, --goal or --learner-may-skip", WRONG)

    async def work(api: Api) -> Json:
        if goal:
            fields["goalSkills"] = await _skill_names(api, await _course_of(api, learner, path), goal)
        body = {"requestId": str(uuid4()), "path": fields, "updateMask": ",".join(fields)}
        return await api.patch(_of(learner, path), body)

    _show(with_platform(home, work), as_json)


def override(
    learner: Learner,
    path: PathId,
    kind: Annotated[Kind, typer.Argument(help="What to decide.")],
    skills: Annotated[list[str] | None, typer.Argument(help="One skill; for an order, all of it.")] = None,
    note: Annotated[str, typer.Option("--note", help="Shown with the step.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take the decision back.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a step first, leave one out, add a skill, or set an order. It outlasts every adaptation."""

    async def work(api: Api) -> Json:
        named = await _skill_names(api, await _course_of(api, learner, path), skills)
        body = {"requestId": str(uuid4()), "kind": kind.named, "skills": named, "note": note, "withdraw": withdraw}
        return await api.post(f"{_of(learner, path)}:overrideStep", body)

    _show(with_platform(home, work), as_json)


def history(learner: Learner, path: PathId, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what changed and why, newest first."""

    async def work(api: Api) -> list[Json]:
        return await _every(api, f"{_of(learner, path)}/revisions", "revisions")

    found = with_platform(home, work)
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False)
    for each in found:
        console.print(f"[dim]{each['createTime'][:16].replace('T', ' ')}[/dim]  {escape(each['reason'])}")
        for change in each.get("changes", []):
            console.print(Text(f"                    {change}", style="dim"), soft_wrap=True)


def archive(learner: Learner, path: PathId, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """End a path; it is kept with its history."""
    body = {"requestId": str(uuid4())}
    _show(with_platform(home, lambda api: api.post(f"{_of(learner, path)}:archive", body)), as_json)


def _of(learner: str, path: str) -> str:
    return f"/v1/learners/{learner}/paths/{path}"


async def _course_of(api: Api, learner: str, path: str) -> str:
    return bare((await api.get(_of(learner, path)))["course"])


async def _skill_names(api: Api, course: str, given: list[str] | None) -> list[str]:
    """The names of skills that are given by their ids, or without the course's id before them."""
    if not given:
        return []
    known = (await api.get(f"/v1/courses/{course}")).get("skills", [])
    return [
        next((name for name in (f"skills/{each}", f"skills/{course}.{each}") if name in known), f"skills/{each}")
        for each in given
    ]


def _in_days(days: int) -> str:
    today = datetime.now(UTC).date()
    if not 0 <= days <= (date.max - today).days:
        fail("--days must be 0 or more", WRONG)
    return (today + timedelta(days=days)).isoformat()


async def _every(api: Api, path: str, field: str, **params: str | int) -> list[Json]:
    """Every element of a list, page by page."""
    found: list[Json] = []
    token = ""
    while True:
        page = await api.get(path, **params, **({"pageToken": token} if token else {}))
        found += page.get(field, [])
        token = page.get("nextPageToken", "")
        if not token:
            return found


def _show(path: Json, as_json: bool) -> None:
    if as_json:
        print_json(path)
        return
    console = Console(highlight=False)
    feasible = path["feasibility"]
    by = f"[dim]by {path['dueDate']}, {path['minutesPerDay']} minutes a day[/dim]"
    console.print(f"[bold]{escape(path.get('title') or bare(path['name']))}[/bold]  {by}")
    widest = max((len(each["title"]) for each in path.get("steps", [])), default=0)
    for each in path.get("steps", []):
        mark, style = _STATUS[each["status"]]
        line = Text(f"{mark} {each['title']:<{widest}}  ", style=style)
        line.append_text(interval_bar(each.get("mastery", 0), each.get("masteryLower", 0), each.get("masteryUpper", 0)))
        if "startDate" in each:
            line.append(f"  {each['expectedMinutes']:>3} min  {each['startDate'][5:]} to {each['endDate'][5:]}")
        console.print(line, soft_wrap=True)
        console.print(Padding(Text(each["reason"], style="dim"), (0, 0, 0, 2)))
    console.print(Text(path["summary"], style=_VERDICT[feasible["verdict"]]))
