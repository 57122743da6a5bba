"""A browser at the platform's pages, as far as an attack needs one: it keeps a cookie and finds the token of a form."""

import re
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from cli.api import Refused
from cli.security.world import Answer, World

_FORM_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


async def pages_of(world: World) -> str:
    """Returns the origin at which the platform serves pages, which may be another of its names than the API is asked at; empty if none."""
    answer, origin = await world.send("GET", "/sign-in"), ""
    if answer.status == 307:
        there = urlsplit(answer.headers.get("location", ""))
        origin = f"{there.scheme}://{there.netloc}"
        answer = await world.send("GET", "/sign-in", origin=origin)
    return (origin or world.api.access.url) if answer.status == 200 and "<form" in answer.text else ""


@dataclass
class Browser:
    world: World
    origin: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def open(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return await self._send("GET", path, headers or {}, None)

    async def submit(self, path: str, form: dict[str, str], headers: dict[str, str] | None = None) -> Answer:
        """Sends a form, by default as one of the platform's own pages does."""
        return await self._send("POST", path, {"origin": self.origin} if headers is None else headers, form)

    async def form_token(self) -> str:
        """The token that forms of this browser carry."""
        for path in ("/account", f"/sign-in?organization={self.world.organization}"):
            if found := _FORM_TOKEN.search((await self.open(path)).text):
                return found[1]
        return ""

    async def sign_in(self, user: str, **more: str) -> Answer:
        """Raises Refused if that does not lead on to a page."""
        form = {"csrf": await self.form_token(), "organization": self.world.organization, "login": user}
        answer = await self.submit("/sign-in", form | {"password": self.world.passwords[self.world.organization, user]} | more)
        if answer.status != 303:
            raise Refused(answer.status, {"message": f"signing in at {self.origin}/sign-in"})
        return answer

    async def is_signed_in(self) -> bool:
        return (await self.open("/account")).status == 200

    def leads_away(self, path: str, answer: Answer) -> bool:
        """Whether the answer sends a browser to another site; a backslash is a slash to browsers."""
        where = answer.headers.get("location", "").replace("\\", "/")
        return bool(where) and urlsplit(urljoin(self.origin + path, where))[:2] != urlsplit(self.origin)[:2]

    async def _send(self, method: str, path: str, headers: dict[str, str], form: dict[str, str] | None) -> Answer:
        if self.cookies:
            headers = headers | {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        answer = await self.world.send(method, path, headers=headers, form=form, origin=self.origin)
        self.cookies |= answer.cookies
        return answer
