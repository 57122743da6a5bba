"""`paideia practice | mastery | explain`: the platform from a learner's chair, for trying it by hand."""

import signal
import time
from enum import StrEnum
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape

from cli import practice_display as display
from cli.api import Api, Json, Refused
from cli.practice_answers import NotAnAnswer, answer_from, how_to_answer
from cli.session import HomeOption, JsonOption, bare, print_json, with_platform

PANEL = "Courses and practice"


class Audience(StrEnum):
    LEARNER = "learner"
    TEACHER = "teacher"
    AUDITOR = "auditor"


class _Leave(Exception):
    """The learner has had enough."""


def register(app: typer.Typer) -> None:
    for command in (practice, mastery, explain):
        app.command(rich_help_panel=PANEL)(command)


def practice(
    course: Annotated[str, typer.Option("--course", help="The course to practise.")] = "fractions",
    learner: Annotated[str, typer.Option("--learner", help="Who practises; created if not there.")] = "practice",
    items: Annotated[int, typer.Option("--items", min=1, help="Stop after so many.")] = 10_000,
    home: HomeOption = None,
) -> None:
    """Practise in the terminal: the platform chooses, you answer, it says what it learned about you.

    At every item: /hint shows a hint, /why says why this item, /quit ends (the first letter is enough).
    """
    console = Console(highlight=False)

    async def work(api: Api) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's own would not interrupt the wait for a line
        await _ensure_learner(api, learner)
        try:
            for number in range(1, items + 1):
                await Sitting(api, console, course, learner).practise_one(number)
        except (_Leave, EOFError, KeyboardInterrupt):
            console.print()
        display.show_mastery(console, await api.get(f"/v1/learners/{learner}/mastery"))
        console.print(f"Go on any time. [dim]paideia mastery {escape(learner)} shows this again.[/dim]")

    with_platform(home, work)


def mastery(
    learner: Annotated[str, typer.Argument(help="The learner's id.")] = "practice",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a learner has mastered, skill by skill, with the uncertainty."""

    async def work(api: Api) -> Json:
        return await api.get(f"/v1/learners/{learner}/mastery")

    found = with_platform(home, work)
    print_json(found) if as_json else display.show_mastery(Console(highlight=False), found)


def explain(
    decision: Annotated[str, typer.Argument(help="The decision's id, as NextItems returned it.")],
    audience: Annotated[Audience, typer.Option("--audience", help="For whom.")] = Audience.TEACHER,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a decision chose what it chose, with the terms that were weighed."""
    found = with_platform(home, lambda api: _explanation(api, decision, audience))
    print_json(found) if as_json else display.show_explanation(Console(highlight=False), found)


async def _explanation(api: Api, decision: str, audience: Audience) -> Json:
    return await api.get(f"/v1/decisions/{bare(decision)}:explain", audience=f"AUDIENCE_{audience.upper()}")


async def _ensure_learner(api: Api, learner: str) -> None:
    user = {"displayName": "Practice learner", "roles": ["ROLE_LEARNER"]}
    try:
        await api.get(f"/v1/users/{learner}")
    except Refused as refusal:
        if refusal.status != 404:
            raise
        await api.post("/v1/users", {"requestId": str(uuid4()), "userId": learner, "user": user})


class Sitting:
    """One item, from the decision to what the answer changed."""

    def __init__(self, api: Api, console: Console, course: str, learner: str) -> None:
        self._api = api
        self._console = console
        self._course = f"courses/{course}"
        self._learner = f"learners/{learner}"
        self._decision = ""
        self._item = ""

    async def practise_one(self, number: int) -> None:
        chosen = await self._next()
        self._item = chosen["item"]
        view = await self._api.get(f"/v1/{self._learner}/{self._item}", course=self._course)
        before = await self._mastery()
        titles = [(await self._api.get(f"/v1/{each}")).get("title", bare(each)) for each in chosen.get("skills", [])]
        heading = f"{number}. {', '.join(titles)}"
        display.show_item(self._console, view["body"], heading, chosen.get("reason", ""))
        started = time.monotonic()
        while True:  # until the platform can read the answer
            answer = await self._ask(view["body"])
            body = {
                "requestId": str(uuid4()),
                "course": self._course,
                "item": self._item,
                "answer": answer,
                "decision": self._decision,
                "responseTime": f"{time.monotonic() - started:.3f}s",
            }
            try:
                response = await self._api.post(f"/v1/{self._learner}/responses", body)
                break
            except Refused as refusal:
                if refusal.status != 400:
                    raise
                self._console.print(f"[yellow]{escape(str(refusal))}[/yellow]")
        display.show_grade(self._console, response)
        skills = [bare(each) for each in chosen.get("skills", [])]
        display.show_mastery_change(self._console, skills, before, await self._mastery())

    async def _next(self) -> Json:
        body = {"requestId": str(uuid4()), "course": self._course, "size": 1}
        answer = await self._api.post(f"/v1/{self._learner}:nextItems", body)
        self._decision = answer["decision"]
        if not answer.get("items"):
            self._console.print(escape(answer.get("emptyReason", "There is nothing to practise.")))
            raise _Leave
        chosen: Json = answer["items"][0]
        return chosen

    async def _mastery(self) -> dict[str, Json]:
        found = await self._api.get(f"/v1/{self._learner}/mastery")
        return {bare(each["name"]): each for each in found.get("skills", [])}

    async def _ask(self, body: Json) -> Json:
        if "cloze" not in body:
            return await self._ask_until_understood(body, "")
        gaps = {}
        for gap in body["cloze"]["gaps"]:
            display.show_gap(self._console, gap)
            gaps[gap["id"]] = await self._ask_until_understood(gap, f"[{gap['id']}] ")
        return {"cloze": {"gaps": gaps}}

    async def _ask_until_understood(self, body: Json, label: str) -> Json:
        while True:
            self._console.print(f"{escape(label)}[dim]{escape(how_to_answer(body))}   (/hint /why /quit)[/dim]")
            typed = self._console.input("[bold]> [/bold]").strip()
            match typed[:2]:
                case "/q":
                    raise _Leave
                case "/h":
                    await self._show_hint()
                case "/w":
                    display.show_explanation(self._console, await _explanation(self._api, self._decision, Audience.LEARNER))
                case _:
                    try:
                        return answer_from(typed, body)
                    except NotAnAnswer as problem:
                        self._console.print(f"[yellow]{problem}[/yellow]")

    async def _show_hint(self) -> None:
        try:
            hint = await self._api.post(
                f"/v1/{self._learner}/{self._item}:revealHint", {"requestId": str(uuid4()), "course": self._course}
            )
            self._console.print(f"[magenta]{escape(hint['text'])}[/magenta] [dim]({hint.get('remaining', 0)} more)[/dim]")
        except Refused as refusal:
            self._console.print(f"[yellow]{escape(str(refusal))}[/yellow]")
