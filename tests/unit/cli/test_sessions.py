"""What commands leave behind at the platform: one session an account, or none."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web

from cli.api import Access, Api, CannotReach, Refused, find_access
from cli.kept_session import kept_in, session_of, signed_in

PASSWORD = "a lantern above seven rivers"


@dataclass
class Front:
    """Speaks as the platform does of sessions: `live` are the refresh tokens that are good, by session."""

    url: str = ""
    live: dict[int, str] = field(default_factory=dict)
    opened: int = 0
    agents: set[str] = field(default_factory=set)
    asks_for_proof: bool = False

    async def sign_in(self, request: web.Request) -> web.Response:
        self.agents.add(request.headers["user-agent"])
        if (await request.json())["password"] != PASSWORD:
            return _refused(401, "SIGN_IN_REFUSED")
        self.opened += 1
        return self._pair(self.opened)

    async def refresh(self, request: web.Request) -> web.Response:
        session = self._session_of((await request.json())["refreshToken"])
        return self._pair(session) if session else _refused(401, "SESSION_ENDED")

    async def sign_out(self, request: web.Request) -> web.Response:
        self.live.pop(self._session_of((await request.json())["refreshToken"]), None)
        return web.json_response({})

    async def work(self, request: web.Request) -> web.Response:
        session = int(request.headers["authorization"].removeprefix("Bearer ").partition(".")[0])
        if session not in self.live:
            return _refused(401, "INVALID_TOKEN")
        if self.asks_for_proof and session == 1:
            return _refused(400, "STEP_UP_REQUIRED")
        return web.json_response({"session": session})

    def _pair(self, session: int) -> web.Response:
        self.live[session] = f"{session}.{self.opened}.{len(self.live[session]) if session in self.live else 0}x"
        pair = {"accessToken": f"{session}.{self.live[session]}", "expiresIn": "600s", "refreshToken": self.live[session]}
        return web.json_response(pair)

    def _session_of(self, token: str) -> int:
        return next((each for each, known in self.live.items() if known == token), 0)


def _refused(status: int, reason: str) -> web.Response:
    return web.json_response({"message": reason, "details": [{"reason": reason}]}, status=status)


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    front = Front()
    app = web.Application()
    for path, handler in (
        ("/v1/sessions:signIn", front.sign_in),
        ("/v1/sessions:refresh", front.refresh),
        ("/v1/sessions:signOut", front.sign_out),
        ("/v1/work", front.work),
    ):
        app.router.add_post(path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield front
    await runner.cleanup()


@pytest.fixture
def home(tmp_path: Path, front: Front, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That of a stack, with the password of its administrator."""
    for name in ("PAIDEIA_URL", "PAIDEIA_ORGANIZATION", "PAIDEIA_LOGIN", "PAIDEIA_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "stack.json").write_text(json.dumps({"url": front.url}))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "admin_password").write_text(PASSWORD + "\n")
    return tmp_path


async def command(home: Path) -> int:
    """Does what a command does, and returns the session that it did it in."""
    async with Api(find_access(home), patience=1.0) as api:
        return int((await api.post("/v1/work", {}))["session"])


async def test_commands_share_one_session_that_is_for_its_owner_only(front: Front, home: Path) -> None:
    assert [await command(home) for _ in range(3)] == [1, 1, 1]
    assert await asyncio.gather(*(command(home) for _ in range(4))) == [1] * 4
    assert (front.opened, list(front.live), front.agents) == (1, [1], {"paideia"})
    files = await asyncio.to_thread(lambda: [each.stat().st_mode & 0o077 for each in (home / "sessions").glob("*.json")])
    assert files == [0]
    assert PASSWORD not in await asyncio.to_thread(lambda: "".join(each.read_text() for each in (home / "sessions").iterdir()))


async def test_a_session_that_is_old_is_refreshed_and_one_that_has_ended_is_followed_by_another(front: Front, home: Path) -> None:
    await command(home)
    file = session_of(home, "demo", "admin")
    kept = file.read()
    assert kept is not None
    file.write(replace(kept, good_until=0.0))
    assert (await command(home), front.opened) == (1, 1)
    assert file.read() != kept
    front.live.clear()
    assert (await command(home), front.opened, list(front.live)) == (2, 2, [2])


async def test_a_session_of_another_platform_at_another_address_is_not_used(front: Front, home: Path) -> None:
    await command(home)
    file = session_of(home, "demo", "admin")
    kept = file.read()
    assert kept is not None
    file.write(replace(kept, url="http://127.0.0.1:9"))
    assert (await command(home), front.opened) == (2, 2)


async def test_a_password_that_is_told_opens_a_session_that_ends_with_the_command(
    front: Front, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAIDEIA_PASSWORD", PASSWORD)
    assert [await command(home), await command(home)] == [1, 2]
    assert front.live == {}
    assert not await asyncio.to_thread((home / "sessions").exists)
    monkeypatch.setenv("PAIDEIA_PASSWORD", "another one")
    with pytest.raises(Refused):
        await command(home)


async def test_where_a_fresh_proof_is_wanted_the_session_is_followed_by_another(front: Front, home: Path) -> None:
    await command(home)
    front.asks_for_proof = True
    assert (await command(home), list(front.live)) == (2, [2])


async def test_a_session_that_somebody_signed_in_for_is_not_replaced(front: Front, home: Path) -> None:
    await command(home)
    kept = session_of(home, "demo", "admin").read()
    assert kept is not None
    signed_in(home).write(kept)
    front.asks_for_proof = True
    with pytest.raises(Refused, match="STEP_UP_REQUIRED"):
        await command(home)
    front.live.clear()
    with pytest.raises(CannotReach, match="sign in again"):
        await command(home)
    assert signed_in(home).read() is None
    assert len(kept_in(home)) == 2


async def test_a_platform_that_went_away_keeps_no_command_from_ending(front: Front, home: Path) -> None:
    access = Access(front.url, "demo", "admin", PASSWORD)
    async with Api(access, patience=1.0) as api:
        await api.post("/v1/work", {})
        api.access = Access("http://127.0.0.1:9", "demo", "admin", PASSWORD)
    assert list(front.live) == [1]
