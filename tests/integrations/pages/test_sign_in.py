"""Signing in and out on the pages, as a browser without a screen does it."""

import asyncio
import re
from datetime import timedelta

import pyotp
import pytest

from domain.identity.events import Notice, SecurityNoticed
from domain.identity.sessions import Session
from domain.identity.use_cases import sign_in, start_session
from domain.shared.network import current_forwarded_for, current_network
from integrations.shared import handling
from tests.integrations.world import World
from tests.rpc.identity.people import SoftwareKey


async def test_a_password_signs_in_and_the_account_is_shown(world: World) -> None:
    async with world.browser() as bob:
        page = await bob.signs_in()
        assert (page.status, page.path, page.title) == (200, "/account", "Your account")
        assert "bob@example.org" in page.text
        assert "Chrome on Linux" in page.text


async def test_a_wrong_password_and_an_unknown_account_get_the_same_page(world: World) -> None:
    async with world.browser() as somebody:
        wrong = await somebody.signs_in("bob", "not the password")
        alert = wrong.alert
        assert (wrong.status, wrong.path) == (401, "/sign-in")
        unknown = await somebody.signs_in("nobody", "not the password")
        assert (unknown.status, unknown.alert) == (401, alert)
        elsewhere = await somebody.signs_in("bob", "not the password", "nowhere")
        assert (elsewhere.status, elsewhere.alert) == (401, alert)


async def test_the_audit_log_hears_of_the_network_that_a_browser_is_in_and_not_of_its_address(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []

    def noticed(session: Session) -> SecurityNoticed:
        told.append((current_forwarded_for.get(), current_network()))
        return SecurityNoticed(session.user, session.started_at, Notice.SIGNED_IN)

    for way in (sign_in, start_session):
        monkeypatch.setattr(way, "signed_in", noticed)
    for address, network in (("10.0.0.1, 192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2::3", "2001:db8:1::/48"), ("nonsense", "")):
        async with world.browser(**{"x-forwarded-for": address}) as bob:
            await bob.signs_in("bob", "not the password")
            assert (world.acts[-1].act, world.acts[-1].address) == ("identity.SignIn", network)
            await bob.signs_in()
        assert told[-1] == (network.partition("/")[0], network)


async def test_signing_in_changes_the_cookie_and_the_old_one_is_worth_nothing(world: World) -> None:
    async with world.browser() as bob, world.browser() as attacker:
        await attacker.opens("/sign-in")
        planted = attacker.cookie
        bob.client.cookies.set("paideia", planted, domain="localhost.local", path="/")
        await bob.signs_in()
        assert bob.cookie != planted
        assert (await attacker.opens("/account")).path == "/sign-in"


async def test_no_token_leaves_the_server_and_the_store_holds_none_in_the_clear(world: World) -> None:
    async with world.browser() as bob:
        await bob.signs_in()
        seen = bob.page.text + str(bob.page.headers) + bob.cookie
        assert "eyJ" not in seen
        assert "north." not in bob.cookie
        stored = [await world.redis.get(key) for key in await world.redis.keys("pages:*")]
        assert stored
        assert not [each for each in stored if b"eyJ" in each or b"north." in each or b"token" in each]
        assert bob.cookie.encode() not in b"".join(await world.redis.keys("pages:*"))


async def test_signing_out_ends_the_session_and_the_cookie(world: World) -> None:
    async with world.browser() as bob:
        await bob.signs_in()
        before = bob.cookie
        page = await bob.sends("/sign-out")
        assert (page.path, page.alert) == ("/sign-in", "You are signed out.")
        assert world.north.memory.tenants["north"].sessions == {}
        bob.client.cookies.set("paideia", before, domain="localhost.local", path="/")
        assert (await bob.opens("/account")).path == "/sign-in"


@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ({"origin": "https://evil.example"}, None),
        ({"origin": "null"}, None),
        ({"origin": ""}, None),
        ({}, ""),
        ({}, "made up"),
    ],
    ids=["another origin", "no page's", "none", "no form token", "a made-up form token"],
)
async def test_a_form_that_was_not_sent_from_its_page_does_nothing(
    world: World, headers: dict[str, str], csrf: str | None
) -> None:
    async with world.browser() as bob:
        await bob.signs_in()
        page = await bob.sends("/account/profile", headers, display_name="Mallory", **({} if csrf is None else {"csrf": csrf}))
        assert page.status == 403
        assert world.north.memory.tenants["north"].users["bob"].display_name == "Bob"


async def test_a_form_token_of_another_browser_is_worth_nothing(world: World) -> None:
    async with world.browser() as bob, world.browser() as mallory:
        await mallory.opens("/sign-in?organization=north")
        theirs = mallory.page.form("/sign-in")["csrf"]
        await bob.opens("/sign-in?organization=north")
        assert (await bob.sends("/sign-in", csrf=theirs, login="bob", password="x")).status == 403


@pytest.mark.parametrize(
    "path",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "/%5cevil.example/..//", "javascript:alert(1)", "/ evil"],
)
async def test_nobody_is_sent_elsewhere_after_signing_in(world: World, path: str) -> None:
    async with world.browser() as bob:
        await bob.opens("/sign-in", params={"return_to": path, "organization": "north"})
        bob.client.follow_redirects = False
        page = await bob.sends("/sign-in", login="bob", password="quiet harbour 17 maple")
        assert page.status == 303
        target = page.headers["location"]
        assert target.startswith("/")
        assert not target.startswith(("//", "/\\"))


async def test_people_come_to_where_they_wanted_to_go(world: World) -> None:
    async with world.browser() as bob:
        page = await bob.opens("/account/prove")
        assert page.path == "/sign-in"
        await bob.opens("/sign-in?organization=north")
        assert (await bob.sends("/sign-in", login="bob", password="quiet harbour 17 maple")).path == "/account/prove"


async def test_an_app_is_set_up_and_asked_for(world: World) -> None:

    async with world.browser() as bob:
        await bob.signs_in()
        page = await bob.sends("/account/totp")
        assert page.title == "Set up an authenticator app"
        assert '<svg width="' in page.text or "<svg viewBox" in page.text
        found = re.search(r'<code id="totp_secret">([A-Z2-7]+)</code>', page.text)
        assert found is not None
        app = pyotp.TOTP(found[1])
        assert "has no" not in (await bob.sends("/account/totp/confirm", code="000000")).title
        page = await bob.sends("/account/totp/confirm", code=app.at(world.north.time.now))
        codes = re.findall(r"<li><code>(.*?)</code></li>", page.text)
        assert len(codes) == 10
        await bob.opens("/account")
        await bob.sends("/sign-out")
        page = await bob.signs_in()
        assert (page.path, page.title) == ("/sign-in/second-step", "One more step")
        wrong = await bob.sends("/sign-in/second-step", totp_code="000000")
        assert wrong.status == 401
        code = app.at(world.north.time.now + timedelta(seconds=30))
        assert (await bob.sends("/sign-in/second-step", totp_code=code)).path == "/account"
    async with world.browser() as again:
        await again.signs_in()
        assert (await again.sends("/sign-in/second-step", recovery_code=codes[0])).path == "/account"


async def test_a_passkey_is_added_and_signs_in_alone(world: World) -> None:
    key = SoftwareKey(world.url)
    async with world.browser() as bob:
        await bob.signs_in()
        page = await bob.sends("/account/passkeys/begin")
        made = key.registers(page.data("options"))
        page = await bob.sends("/account/passkeys", passkey=made, display_name="laptop")
        assert page.title == "Your recovery codes"
        assert "laptop" in (await bob.opens("/account")).text
    async with world.browser() as again:
        await again.opens("/sign-in?organization=north")
        page = await again.sends("/sign-in/passkey")
        assert page.path == "/sign-in/second-step"
        page = await again.sends("/sign-in/second-step", passkey=key.signs(page.data("options")))
        assert page.path == "/account"
        (passkey,) = re.findall(r'action="(/account/passkeys/[^"]*)/rename"', page.text)
        page = await again.sends(f"{passkey}/rename", display_name="old laptop")
        assert "old laptop" in page.text
        page = await again.sends(f"{passkey}/remove")
        assert page.alert == "The passkey is removed."


async def test_pages_allow_nothing_but_themselves(world: World) -> None:
    async with world.browser() as bob:
        page = await bob.opens("/sign-in")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?! src=)|<style| style=| on[a-z]+=", page.text)
        cookie = page.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie


async def test_another_name_of_this_host_leads_to_the_one_that_cookies_belong_to(world: World) -> None:
    async with world.browser() as bob:
        bob.client.follow_redirects = False
        page = await bob.opens("/sign-in?organization=north", headers={"host": "127.0.0.1:1"})
        assert (page.status, page.headers["location"]) == (307, f"{world.url}/sign-in?organization=north")


async def test_a_session_that_ended_elsewhere_is_signed_out_here(world: World) -> None:
    async with world.browser() as bob:
        await bob.signs_in()
        for session in list(world.north.memory.tenants["north"].sessions):
            world.north.revoked.add(session, world.north.time.now)
        page = await bob.opens("/account")
        assert (page.path, page.alert) == ("/sign-in", "You have been signed out. Sign in again.")


async def test_a_refresh_token_is_exchanged_once_by_many_pages_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handling, "ACCESS_SECONDS", 61)
    monkeypatch.setattr(handling, "_REFRESHED_BEFORE_SECONDS", 61)
    async with world.browser() as bob:
        await bob.signs_in()
        monkeypatch.setattr(handling, "ACCESS_SECONDS", 600)
        answers = await asyncio.gather(*(bob.client.get("/account") for _ in range(4)))
        assert [each.status_code for each in answers] == [200] * 4
        assert len(world.north.memory.tenants["north"].sessions) == 1
