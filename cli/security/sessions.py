"""Refresh tokens shown twice, and sessions that an intruder would like to choose."""

import asyncio
import base64
import json
from uuid import uuid4

from cli.security.browser import Browser, pages_of
from cli.security.findings import Finding
from cli.security.world import World, credentials

_WITHIN_SECONDS = 10


async def reuse(world: World) -> Finding:
    """A refresh token is good once; whoever shows it again ends the session for everybody who holds a token of it."""
    finding = Finding("refresh-reuse")
    for role in ("LEARNER", "TEACHER", "AUTHOR"):
        first = await world.session(world.user(role))
        renewed = await world.send("POST", "/v1/sessions:refresh", {"refreshToken": first["refreshToken"]})
        finding.expect(renewed.status == 200, f"the first use: {renewed.status}")
        again = await world.send("POST", "/v1/sessions:refresh", {"refreshToken": first["refreshToken"]})
        finding.expect(again.status == 401, f"the second use: {again.status}")
        newest = renewed.body.get("refreshToken", "")
        after = await world.send("POST", "/v1/sessions:refresh", {"refreshToken": newest})
        finding.expect(after.status == 401, f"the newest token after a reuse: {after.status}")
        finding.expect(await _dies(world, renewed.body.get("accessToken", "")), "the access token lived on after a reuse")
        for altered in (newest[:-1] + ("A" if newest[-1:] != "A" else "B"), newest + "x", ""):
            answer = await world.send("POST", "/v1/sessions:refresh", {"refreshToken": altered})
            finding.expect(answer.status in (400, 401), f"an altered refresh token: {answer.status}")
    return finding


async def fixation(world: World) -> Finding:
    """Signing in makes a session of its own, whatever session the client already shows."""
    finding = Finding("session-fixation")
    user = world.user("LEARNER")
    before = await world.session(user)
    chosen = _session_of(before["accessToken"])
    body = credentials(world.organization, user, world.passwords[world.organization, user])
    for headers in (
        {"authorization": f"Bearer {before['accessToken']}"},
        {"cookie": f"session={chosen}; sid={chosen}; __Host-session={chosen}"},
        {"x-session-id": chosen, "grpc-metadata-sid": chosen},
    ):
        answer = await world.send("POST", "/v1/sessions:signIn", body, headers=headers)
        taken = answer.status != 200 or _session_of(answer.body["accessToken"]) == chosen
        finding.expect(not taken, f"{', '.join(headers)}: {answer.status}")
    for extra in ({"session": chosen}, {"sessionId": chosen}, {"refreshToken": before["refreshToken"]}):
        answer = await world.send("POST", "/v1/sessions:signIn", body | extra)
        finding.expect(answer.status == 400, f"{', '.join(extra)} in the body: {answer.status}")
    if origin := await pages_of(world):
        await _planted(finding, world, origin)
    left = await world.send("POST", "/v1/me:signOutEverywhere", {"requestId": str(uuid4())}, token=before["accessToken"])
    finding.expect(left.status == 200, f"signing out everywhere: {left.status}")
    finding.expect(await _dies(world, before["accessToken"]), "an access token outlived signing out everywhere")
    world.tokens["LEARNER"] = await world.signed_in(user)
    return finding


async def _planted(finding: Finding, world: World, origin: str) -> None:
    """An intruder opens the pages and has somebody sign in under the cookie that they gave: it is worth nothing afterwards."""
    intruder = Browser(world, origin)
    await intruder.open("/sign-in")
    finding.expect(bool(intruder.cookies), "the pages gave no cookie")
    victim = Browser(world, origin, dict(intruder.cookies))
    await victim.sign_in(world.user("LEARNER"))
    finding.expect(await victim.is_signed_in(), "the cookie of a new session is not taken")
    finding.expect(victim.cookies != intruder.cookies, "signing in keeps the cookie that the browser had")
    finding.expect(not await intruder.is_signed_in(), "a planted cookie is signed in")


async def _dies(world: World, token: str) -> bool:
    """Whether the token is refused within the time that the platform promises and then some."""
    for _ in range(_WITHIN_SECONDS * 2):
        if (await world.send("GET", "/v1/me", token=token)).status == 401:
            return True
        await asyncio.sleep(0.5)
    return False


def _session_of(token: str) -> str:
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("sid", ""))
