"""What attacks happen in: two organizations made for them, with somebody of every role, and plain requests through the front door."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import orjson

from cli.api import Api, CannotReach, Json, Refused
from cli.trust import tls_context

PEOPLE = ("LEARNER", "TEACHER", "AUTHOR", "ADMIN")
_MOST_WAITS = 60
_AT_A_TIME = 8
_LONGEST_WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is the JSON object, empty if it was none; `text` what was sent."""

    status: int
    body: Json
    text: str
    headers: dict[str, str]
    cookies: dict[str, str]

    @property
    def reason(self) -> str:
        return next((each["reason"] for each in self.body.get("details", []) if "reason" in each), "")

    @property
    def refused_by_rule(self) -> bool:
        """No token, a bad one, or none of the roles: whatever else is refused, the rule let through."""
        if self.status == 401:
            return self.reason in ("UNAUTHENTICATED", "INVALID_TOKEN", "")
        return self.status == 403 and self.reason in ("FORBIDDEN", "SCOPE_MISSING")


@dataclass
class World:
    """`tokens` by role, of people of the first organization; the operator is of that of whoever runs the command. `passwords` by
    organization and user. `mark` is in the names of all that was made."""

    api: Api
    requests: aiohttp.ClientSession
    home: Path
    document: Json
    mark: str
    organization: str
    other: str
    passwords: dict[tuple[str, str], str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    other_admin: str = ""

    @classmethod
    @asynccontextmanager
    async def made(cls, api: Api, home: Path) -> AsyncIterator[Self]:
        """Deactivates at the end whom it made. Raises Refused if whoever signs in may not found organizations, or if somebody stays active
        who need not."""
        mark = f"sc{secrets.token_hex(5)}"
        document = await api.request("GET", "/openapi.json", public=True)
        connector = aiohttp.TCPConnector(ssl=tls_context(api.access.authorities))
        # Attacks say themselves which cookies they send.
        jar, patience = aiohttp.DummyCookieJar(), aiohttp.ClientTimeout(total=60, connect=5)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=patience) as requests:
            world = cls(api, requests, home, document, mark, f"security-check-{mark}-a", f"security-check-{mark}-b")
            try:
                await world._people()
                await world._things()
                yield world
            finally:
                await world._leave()

    def user(self, role: str) -> str:
        return f"{self.mark}-{role.lower()}"

    async def _people(self) -> None:
        for organization in (self.organization, self.other):
            admin, password = self.user("ADMIN"), secrets.token_urlsafe(18)
            founding = {
                "requestId": str(uuid4()),
                "organizationId": organization,
                "organization": {"displayName": "Security check"},
                "adminUserId": admin,
                "adminPassword": password,
            }
            await self.api.post("/v1/organizations", founding)
            self.passwords[organization, admin] = password
        self.tokens["ADMIN"] = await self.signed_in(self.user("ADMIN"))
        self.other_admin = await self.signed_in(self.user("ADMIN"), self.other)
        for role in PEOPLE[:-1]:
            await self.make_user(self.user(role), role)
            self.tokens[role] = await self.signed_in(self.user(role))
        await self._make_operator()
        self.tokens["OPERATOR"] = await self.signed_in(self.user("OPERATOR"), self.api.access.organization)

    async def _make_operator(self) -> None:
        """An operator who is nothing else, made by the one who runs the command, in that one's organization."""
        user, password = self.user("OPERATOR"), secrets.token_urlsafe(18)
        body = {
            "requestId": str(uuid4()),
            "userId": user,
            "user": {"displayName": "Security check", "roles": ["ROLE_OPERATOR"]},
            "password": password,
        }
        await self.api.post("/v1/users", body)
        self.passwords[self.api.access.organization, user] = password

    async def make_user(self, user: str, role: str) -> None:
        password = secrets.token_urlsafe(18)
        body = {
            "requestId": str(uuid4()),
            "userId": user,
            "user": {"displayName": user, "roles": [f"ROLE_{role}"]},
            "password": password,
        }
        await self._done("/v1/users", body, self.tokens["ADMIN"])
        self.passwords[self.organization, user] = password

    async def _things(self) -> None:
        """One of each kind of thing that an administrator can make easily, all named by the mark."""
        for path, body in (
            ("/v1/skills", {"skillId": self.mark, "skill": {"title": self.mark}}),
            ("/v1/courses", {"courseId": self.mark, "course": {"title": self.mark}}),
            ("/v1/classes", {"classId": self.mark, "schoolClass": {"displayName": self.mark}}),
        ):
            await self.send("POST", path, {"requestId": str(uuid4()), **body}, self.tokens["ADMIN"])

    async def signed_in(self, user: str, organization: str = "") -> str:
        return str((await self.session(user, organization))["accessToken"])

    async def session(self, user: str, organization: str = "") -> Json:
        """A new session's tokens."""
        where = organization or self.organization
        return await self._done("/v1/sessions:signIn", credentials(where, user, self.passwords[where, user]))

    async def _leave(self) -> None:
        left = [self._leave_organization(each) for each in sorted({organization for organization, _ in self.passwords})]
        for outcome in await asyncio.gather(*left, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _leave_organization(self, organization: str) -> None:
        """Deactivates everybody but the administrator of an organization made here: the last one there has to stay, and is signed out
        everywhere. Nobody knows that password."""
        if organization == self.api.access.organization:
            await self.api.post(f"/v1/users/{self.user('OPERATOR')}:deactivate", {"requestId": str(uuid4())})
            return
        admin = await self.signed_in(self.user("ADMIN"), organization)
        for name in await self._active(admin):
            if name != f"users/{self.user('ADMIN')}":
                await self._done(f"/v1/{name}:deactivate", {"requestId": str(uuid4())}, admin)
        await self._done("/v1/me:signOutEverywhere", {"requestId": str(uuid4())}, admin)

    async def _active(self, admin: str) -> list[str]:
        """Names of the active users of an organization, among them those that a check or strange request has made."""
        found, page = [], ""
        while True:
            answer = await self.send("GET", f"/v1/users?pageSize=1000&pageToken={quote(page)}", token=admin)
            if answer.status != 200:
                raise Refused(answer.status, answer.body)
            found += [each["name"] for each in answer.body["users"] if not each.get("deactivateTime")]
            if not (page := answer.body.get("nextPageToken", "")):
                return found

    async def _done(self, path: str, body: Json, token: str = "") -> Json:
        answer = await self.send("POST", path, body, token)
        if answer.status != 200:
            raise Refused(answer.status, answer.body)
        return answer.body

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str = "",
        headers: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        origin: str = "",
    ) -> Answer:
        """One request and whatever the answer is; only when the edge asks to wait is it sent again. `origin` is the platform's under another
        of its names. Raises CannotReach."""
        address = (origin or self.api.access.url) + path
        sent = dict(headers or {}) | ({"authorization": f"Bearer {token}"} if token else {})
        data: Any = form
        if body is not None:
            sent["content-type"] = "application/json"
            data = orjson.dumps(body)
        for _ in range(_MOST_WAITS):
            try:
                async with self.requests.request(method, address, data=data, headers=sent, allow_redirects=False) as answer:
                    text = (await answer.read()).decode(errors="replace")
                    got = {name.lower(): value for name, value in answer.headers.items()}
                    cookies = {name: each.value for name, each in answer.cookies.items()}
                    if answer.status not in (429, 503):
                        return Answer(answer.status, _object(text), text, got, cookies)
                    wait = float(got.get("retry-after", "1"))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise CannotReach(f"{address} did not take {method}: {error}") from error
            await asyncio.sleep(min(wait, _LONGEST_WAIT))
        raise CannotReach(f"{address} asks to wait again and again")


async def side_by_side(tries: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Makes all the tries, a few at a time."""
    room = asyncio.Semaphore(_AT_A_TIME)

    async def one(attempt: Coroutine[Any, Any, None]) -> None:
        async with room:
            await attempt

    await asyncio.gather(*map(one, tries))


def credentials(organization: str, user: str, password: str) -> Json:
    return {"organization": f"organizations/{organization}", "login": user, "password": password}


def _object(text: str) -> Json:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
