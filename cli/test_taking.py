"""Takes a test in the terminal: shows the current item, reads an answer, says nothing of right or wrong before the end."""

import time
from uuid import uuid4

from rich.console import Console
from rich.markup import escape

from cli import practice_display as display
from cli.api import Api, Json, Refused
from cli.practice_answers import NotAnAnswer, answer_from, how_to_answer
from cli.session import bare

OPEN = "TEST_STATE_OPEN"


class Left(Exception):
    """The learner goes away; the session stays as it is."""


class Finished(Exception):
    """The learner has had enough."""


class Taking:
    """One session, from wherever it stands to its end."""

    def __init__(self, api: Api, console: Console, session: Json) -> None:
        self._api = api
        self._console = console
        self._session = session

    async def run(self) -> Json:
        """Returns the session at its end. Raises Left."""
        try:
            while self._session["state"] == OPEN:
                await self._answer_one()
        except Finished:
            self._session = await self._api.post(f"/v1/{self._session['name']}:finish", {"requestId": str(uuid4())})
        return self._session

    async def _answer_one(self) -> None:
        view, number = self._session["item"], self._session.get("answeredCount", 0) + 1
        most = self._session["maxLength"]
        display.show_item(self._console, view["body"], f"{self._session['title']}: item {number}, at most {most}", "")
        started, request_id = time.monotonic(), str(uuid4())
        while True:  # until the platform can read the answer
            body = {
                "requestId": request_id,
                "item": f"items/{bare(view['name'])}",
                "answer": self._ask(view["body"]),
                "responseTime": f"{time.monotonic() - started:.3f}s",
            }
            try:
                self._session = await self._api.post(f"/v1/{self._session['name']}:answer", body)
                return
            except Refused as refusal:
                if refusal.status != 400:
                    raise
                self._console.print(f"[yellow]{escape(str(refusal))}[/yellow]")
                if refusal.reason != "INVALID_INPUT":  # the time is over, or the item was answered elsewhere
                    self._session = await self._api.get(f"/v1/{self._session['name']}")
                    return

    def _ask(self, body: Json) -> Json:
        if "cloze" not in body:
            return self._ask_until_understood(body, "")
        gaps = {}
        for gap in body["cloze"]["gaps"]:
            display.show_gap(self._console, gap)
            gaps[gap["id"]] = self._ask_until_understood(gap, f"[{gap['id']}] ")
        return {"cloze": {"gaps": gaps}}

    def _ask_until_understood(self, body: Json, label: str) -> Json:
        while True:
            self._console.print(
                f"{escape(label)}[dim]{escape(how_to_answer(body))}   (/quit to go on later, /finish to end)[/dim]"
            )
            typed = self._console.input("[bold]> [/bold]").strip()
            match typed[:2]:
                case "/q":
                    raise Left
                case "/f":
                    raise Finished
            try:
                return answer_from(typed, body)
            except NotAnAnswer as problem:
                self._console.print(f"[yellow]{problem}[/yellow]")
