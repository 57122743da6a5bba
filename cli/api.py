"""The platform's REST door for commands: sign-in, token refresh, retries that honour Retry-After."""

import asyncio
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

Json = dict[str, Any]


class CannotReach(Exception):
    """The platform did not answer within the time allowed; the message says where it was looked for."""


class Refused(Exception):
    """The platform refused a request for good. `status` is the HTTP status, `reason` the ErrorInfo's."""

    def __init__(self, status: int, body: Json) -> None:
        details = body.get("details", [])
        self.status = status
        self.reason = next((each["reason"] for each in details if "reason" in each), "")
        super().__init__(body.get("message") or f"HTTP {status}")


@dataclass(frozen=True, slots=True)
class Access:
    """Where the platform is and who signs in. `organization` is a bare id."""

    url: str
    organization: str
    login: str
    password: str


def find_access(home: Path) -> Access:
    """Returns the access that PAIDEIA_URL, PAIDEIA_ORGANIZATION, PAIDEIA_LOGIN and PAIDEIA_PASSWORD name; what is not set is that of
    the stack whose data is in `home`. Raises CannotReach when neither says it."""
    stack: Json = {}
    if (record := home / "stack.json").exists():
        stack = json.loads(record.read_text())
    password_file = home / "secrets" / "admin_password"
    found = Access(
        url=os.environ.get("PAIDEIA_URL") or stack.get("url", ""),
        organization=os.environ.get("PAIDEIA_ORGANIZATION", "demo"),
        login=os.environ.get("PAIDEIA_LOGIN", "admin"),
        password=os.environ.get("PAIDEIA_PASSWORD") or (password_file.read_text().strip() if password_file.exists() else ""),
    )
    if not found.url or not found.password:
        raise CannotReach(f"no platform runs from {home}: start it with 'paideia up', or set PAIDEIA_URL and PAIDEIA_PASSWORD")
    return found


class Api:
    """An asynchronous context manager. Requests are repeated while the platform is away or asks to wait, for `patience` seconds: safe,
    because every mutation carries its request id."""

    def __init__(self, access: Access, patience: float = 180.0, connections: int = 64) -> None:
        self.access = access
        self._patience = patience
        self._connections = connections
        self._token = ""
        self._token_until = 0.0
        self._signing_in = asyncio.Lock()
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections),
            timeout=aiohttp.ClientTimeout(total=60, connect=5),
            json_serialize=lambda value: orjson.dumps(value).decode(),
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._session.close()

    async def get(self, path: str, **params: str | int) -> Json:
        return await self.request("GET", path, params=params)

    async def post(self, path: str, body: Json) -> Json:
        return await self.request("POST", path, body=body)

    async def patch(self, path: str, body: Json) -> Json:
        return await self.request("PATCH", path, body=body)

    async def request(
        self, method: str, path: str, body: Json | None = None, params: dict[str, str | int] | None = None, public: bool = False
    ) -> Json:
        """Returns the answer's JSON. Raises Refused, or CannotReach when patience ends."""
        give_up = time.monotonic() + self._patience
        pause = 0.05
        while True:
            headers = {} if public else {"authorization": f"Bearer {await self.token()}"}
            wait = pause * random.uniform(0.5, 1.5)  # noqa: S311  # jitter, not a secret
            try:
                async with self._session.request(
                    method,
                    self.access.url + path,
                    params=params,
                    headers={**headers, "content-type": "application/json"},
                    data=None if body is None else orjson.dumps(body),
                ) as answer:
                    data = await answer.read()
                    if answer.status < 300:
                        found: Json = orjson.loads(data)
                        return found
                    if answer.status == 401 and not public:
                        self._token_until = 0.0
                    elif answer.status not in (408, 409, 429, 502, 503, 504):
                        raise Refused(answer.status, _json(data))
                    elif answer.status == 409 and (refusal := Refused(409, _json(data))).reason != "CONFLICT":
                        raise refusal
                    problem = f"HTTP {answer.status}: {_json(data).get('message', '')}"
                    if after := answer.headers.get("retry-after", ""):
                        wait = max(wait, float(after))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                problem = str(error) or type(error).__name__
            if time.monotonic() + wait > give_up:
                raise CannotReach(f"{self.access.url} did not take {method} {path}: {problem}")
            await asyncio.sleep(wait)
            pause = min(pause * 2, 2.0)

    async def token(self) -> str:
        """Returns an access token that is good for another minute at least."""
        if time.monotonic() > self._token_until:
            async with self._signing_in:
                if time.monotonic() > self._token_until:
                    pair = await self.request(
                        "POST",
                        "/v1/sessions:signIn",
                        {
                            "organization": f"organizations/{self.access.organization}",
                            "login": self.access.login,
                            "password": self.access.password,
                        },
                        public=True,
                    )
                    if not pair.get("accessToken"):
                        raise CannotReach(
                            f"{self.access.login} has a second factor, which commands cannot answer: sign in as an account without one"
                        )
                    self._token = pair["accessToken"]
                    self._token_until = time.monotonic() + float(pair["expiresIn"].rstrip("s")) - 60
        return self._token


def _json(data: bytes) -> Json:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {"message": data[:200].decode(errors="replace")}
    return value if isinstance(value, dict) else {}


Advance = Callable[[int], None]
"""Moves a progress bar on by so many."""
