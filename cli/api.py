"""The platform's REST door for commands: sign-in, token refresh, retries that honour Retry-After."""

import asyncio
import json
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from cli.kept_session import KeptSession, SessionFile, SessionInMemory, Sessions, session_of, signed_in
from cli.trust import authorities_of, tls_context

Json = dict[str, Any]

_END_SECONDS = 5.0


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
    """Where the platform is and who signs in. `organization` is a bare id. The session is the one in `kept`; a password opens another where that
    has ended. Without `kept`, a session ends with the command that opened it."""

    url: str
    organization: str
    login: str
    password: str
    kept: SessionFile | None = None
    authorities: Path | None = None
    """A file of authorities to believe beside the world's, where `url` is https."""


def find_access(home: Path) -> Access:
    """Returns the access that PAIDEIA_URL, PAIDEIA_ORGANIZATION, PAIDEIA_LOGIN and PAIDEIA_PASSWORD name; what is not set is that of
    the session kept by `paideia sign-in`, unless an account is named, or else of the stack whose data is in `home`. Raises CannotReach
    when none of them says it."""
    file = signed_in(home)
    if not {"PAIDEIA_LOGIN", "PAIDEIA_PASSWORD"} & os.environ.keys() and (kept := file.read()):
        return Access(kept.url, kept.organization, kept.login, "", file, authorities_of(home))
    stack: Json = {}
    if (record := home / "stack.json").exists():
        stack = json.loads(record.read_text())
    password_file = home / "secrets" / "admin_password"
    organization, login = os.environ.get("PAIDEIA_ORGANIZATION", "demo"), os.environ.get("PAIDEIA_LOGIN", "admin")
    told = os.environ.get("PAIDEIA_PASSWORD", "")
    found = Access(
        url=os.environ.get("PAIDEIA_URL") or stack.get("url", ""),
        organization=organization,
        login=login,
        password=told or (password_file.read_text().strip() if password_file.exists() else ""),
        # Who may read the folder may sign in anyway. A password that was told for one command leaves nothing behind.
        kept=None if told else session_of(home, organization, login),
        authorities=authorities_of(home),
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
        self._sessions: Sessions = access.kept or SessionInMemory()
        self._token = ""
        self._token_until = 0.0
        self._not_taken = ""
        self._wants_proof = False
        self._signing_in = asyncio.Lock()
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections,
                ssl=tls_context(self.access.authorities) if self.access.url.startswith("https:") else True,
            ),
            timeout=aiohttp.ClientTimeout(total=60, connect=5),
            json_serialize=lambda value: orjson.dumps(value).decode(),
            headers={"user-agent": "paideia"},
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.access.kept is None and (own := self._sessions.read()):
            await self._end(own)
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
        pause, proved = 0.05, False
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
                        self._token_until, self._not_taken = 0.0, self._token
                    elif answer.status not in (408, 409, 429, 502, 503, 504):
                        refusal = Refused(answer.status, _json(data))
                        if refusal.reason != "STEP_UP_REQUIRED" or proved or not self.access.password:
                            raise refusal
                        proved = self._wants_proof = True
                        self._token_until = wait = 0.0
                    elif _is_final(refusal := Refused(answer.status, _json(data))):
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
                    kept = await self._renewed()
                    self._token = kept.access_token
                    self._token_until = time.monotonic() + kept.good_until - time.time() - 60
        return self._token

    async def _renewed(self) -> KeptSession:
        """Returns the session that is kept, refreshed once its token is about to end or was not taken, by one command for all; where there is
        none, or a fresh proof is wanted, the one that the password opens."""
        with self._sessions.locked():
            kept = before = self._sessions.read()
            if kept and kept.url != self.access.url:
                kept = None
            elif kept and self._wants_proof:
                await self._end(kept)
                kept = None
            elif kept and (kept.good_until - time.time() < 90 or kept.access_token == self._not_taken):
                kept = await self._refreshed(kept)
            self._wants_proof = False
            if not kept and self.access.password:
                kept = await self._sign_in()
            if not kept:
                self._sessions.delete()
                raise CannotReach(f"the session of {self.access.login} has ended: sign in again with 'paideia sign-in'")
            if kept != before:
                self._sessions.write(kept)
        return kept

    async def _sign_in(self) -> KeptSession:
        pair = await self.request("POST", "/v1/sessions:signIn", credentials(self.access), public=True)
        if not pair.get("accessToken"):
            raise CannotReach(
                f"{self.access.login} has a second factor: sign in with 'paideia sign-in --login {self.access.login}'"
            )
        return kept_session(self.access, pair)

    async def _refreshed(self, kept: KeptSession) -> KeptSession | None:
        """None if it has ended."""
        try:
            pair = await self.request("POST", "/v1/sessions:refresh", {"refreshToken": kept.refresh_token}, public=True)
        except Refused as refusal:
            if refusal.status != 401:
                raise
            return None
        return kept_session(self.access, pair)

    async def _end(self, kept: KeptSession) -> None:
        """As far as the platform is there; otherwise it ends when its time has come."""
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            url, body = f"{self.access.url}/v1/sessions:signOut", orjson.dumps({"refreshToken": kept.refresh_token})
            headers, most = {"content-type": "application/json"}, aiohttp.ClientTimeout(total=_END_SECONDS)
            async with self._session.post(url, data=body, headers=headers, timeout=most):
                pass


def _is_final(refusal: Refused) -> bool:
    """Whether asking again changes nothing, although others of its status pass."""
    return (refusal.status == 409 and refusal.reason != "CONFLICT") or (
        refusal.status == 429 and refusal.reason == "QUOTA_REACHED"
    )


def credentials(access: Access) -> Json:
    """The request of SignIn."""
    return {"organization": f"organizations/{access.organization}", "login": access.login, "password": access.password}


def seconds(pair: Json) -> float:
    """For how long a token pair's access token is good."""
    return float(pair["expiresIn"].rstrip("s"))


def kept_session(access: Access, pair: Json) -> KeptSession:
    return KeptSession(
        access.url, access.organization, access.login, pair["accessToken"], time.time() + seconds(pair), pair["refreshToken"]
    )


def _json(data: bytes) -> Json:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {"message": data[:200].decode(errors="replace")}
    return value if isinstance(value, dict) else {}


Advance = Callable[[int], None]
"""Moves a progress bar on by so many."""
