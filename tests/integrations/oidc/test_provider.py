"""Signing in with the npm package `oidc-provider`, a certified implementation that is not ours."""

import asyncio
import contextlib
import time
from types import SimpleNamespace

import pytest
from paideia.identity.v1 import federation_pb2 as pb

from domain.identity.events import SessionRevoked
from tests.integrations.oidc.conftest import Federated
from tests.rpc.identity.people import OTHER_PASSWORD


async def test_somebody_unknown_becomes_a_user_with_the_roles_that_the_claims_say(federated: Federated) -> None:
    async with federated.world.browser() as eve:
        page = await federated.signs_in(eve, "eve")
        assert (page.path, page.title) == ("/account", "Your account")
        assert "eve@example.org: confirmed" in page.text
        assert "Eve Example" in page.text
    tenant = federated.world.north.memory.tenants["north"]
    (made,) = [user for user in tenant.users.values() if user.email == "eve@example.org"]
    assert made.roles == {"TEACHER"}
    assert made.id.startswith("u-")
    (session,) = [each for each in tenant.sessions.values() if each.user == made.id]
    assert session.authentication.methods == {"fed"}


async def test_the_second_time_it_is_the_same_user(federated: Federated) -> None:
    for _ in range(2):
        async with federated.world.browser() as eve:
            await federated.signs_in(eve, "eve")
    users = federated.world.north.memory.tenants["north"].users
    assert len(users) == 3


async def test_an_address_that_the_provider_did_not_verify_is_nobodys(federated: Federated) -> None:
    """The provider says that mallory has bob's address, and that it has not looked."""
    async with federated.world.browser() as mallory:
        page = await federated.signs_in(mallory, "mallory")
        assert page.path == "/account"
        assert "bob@example.org" not in page.text
        assert "No address is on record" in page.text


async def test_a_user_with_the_same_address_is_connected_only_by_a_proof(federated: Federated) -> None:
    async with federated.world.browser() as bob:
        page = await federated.signs_in(bob, "bob")
        assert page.path == "/sign-in"
        assert "Sign in as before" in page.alert
        page = await bob.sends("/sign-in", login="bob", password=OTHER_PASSWORD)
        assert page.path == "/account/connect"
        page = await bob.sends("/account/connect", answer="yes")
        assert (page.path, page.alert) == ("/account", "You can sign in with the school now.")
    async with federated.world.browser() as again:
        page = await federated.signs_in(again, "bob")
        assert "<strong>bob</strong>" in page.text
    assert "IDENTITY_LINKED" in federated.world.north.notices()
    assert [mail.to for mail in federated.world.north.mails("second_factor_changed")] == ["bob@example.org"]


async def test_an_administrator_can_trust_the_providers_addresses_and_the_user_is_told(federated: Federated) -> None:
    await federated.changes(linking=pb.LINKING_VERIFIED_EMAIL)
    async with federated.world.browser() as bob:
        page = await federated.signs_in(bob, "bob")
        assert page.path == "/account"
        assert "<strong>bob</strong>" in page.text
    assert [mail.to for mail in federated.world.north.mails("second_factor_changed")] == ["bob@example.org"]


async def test_an_account_with_a_second_factor_is_asked_for_it(federated: Federated) -> None:
    bob = await (await federated.world.north.signs_in()).sets_up_totp()
    await federated.changes(linking=pb.LINKING_VERIFIED_EMAIL)
    async with federated.world.browser() as browser:
        page = await federated.signs_in(browser, "bob")
        assert page.path == "/sign-in/second-step"
        page = await browser.sends("/sign-in/second-step", totp_code=bob.next_code())
        assert page.path == "/account"
    sessions = federated.world.north.memory.tenants["north"].sessions.values()
    assert {"fed", "otp", "mfa"} in [set(each.authentication.methods) for each in sessions]


async def test_people_of_other_domains_and_unknown_ones_are_not_admitted(federated: Federated) -> None:
    await federated.changes(email_domains=["example.com"])
    async with federated.world.browser() as eve:
        page = await federated.signs_in(eve, "eve")
        assert page.status == 400
        assert "ask it for an invitation" in page.alert
    await federated.changes(email_domains=[], provisioning=pb.PROVISIONING_NONE)
    async with federated.world.browser() as eve:
        assert (await federated.signs_in(eve, "eve")).status == 400
    await federated.changes(disabled=True)
    async with federated.world.browser() as eve:
        assert (await eve.opens("/sign-in/with/north/school")).status == 404


async def test_roles_follow_the_claims_where_that_is_wanted_and_never_make_an_operator(federated: Federated) -> None:
    await federated.changes(roles_follow=True)
    users = federated.world.north.memory.tenants["north"].users
    async with federated.world.browser() as root:
        await federated.signs_in(root, "root")
    (made,) = [user for user in federated.world.north.memory.tenants["north"].users.values() if user.email == "root@example.org"]
    assert made.roles == {"ADMIN"}
    await federated.changes(role_rules=[])
    async with federated.world.browser() as root:
        await federated.signs_in(root, "root")
    assert federated.world.north.memory.tenants["north"].users[made.id].roles == {"LEARNER"}
    assert len(users) == 2


async def test_the_answer_is_good_once_and_only_in_the_browser_that_began(federated: Federated) -> None:
    async with federated.world.browser() as eve, federated.world.browser() as thief:
        eve.client.follow_redirects = False
        page = await eve.opens("/sign-in/with/north/school")
        assert page.status == 302
        eve.client.follow_redirects = True
        await eve.opens(page.headers["location"])
        callback: list[str] = []

        async def note(request: object) -> None:
            url = str(request.url)  # type: ignore[attr-defined]
            if "/sign-in/callback" in url:
                callback.append(url)
                raise _Stop

        eve.client.event_hooks["request"] = [note]
        with contextlib.suppress(_Stop):
            await federated.goes_on(eve, eve.page, "eve")
        eve.client.event_hooks["request"] = []
        stolen = await thief.opens(callback[0])
        assert (stolen.status, stolen.title) == (401, "That did not work")
        assert (await eve.opens(callback[0])).status == 401, "the state was spent by the thief's attempt"


class _Stop(Exception):
    pass


async def test_the_provider_can_end_the_sessions_that_began_with_it(federated: Federated) -> None:
    north = federated.world.north
    async with federated.world.browser() as eve, federated.world.browser() as elsewhere:
        await federated.signs_in(eve, "eve")
        await federated.signs_in(elsewhere, "eve")
        assert len(north.memory.tenants["north"].federation.sessions) == 2
        # Signing out at the provider, in one of the browsers, which has that browser's session there only.
        page = await eve.opens(f"{federated.issuer}/session/end")
        action = page.text.partition('action="')[2].partition('"')[0]
        await eve.sends(action, logout="yes")
        for _ in range(100):
            if len(north.memory.tenants["north"].federation.sessions) == 1:
                break
            await asyncio.sleep(0.05)
        left = north.memory.tenants["north"].federation.sessions
        assert len(left) == 1
        revoked = [event for event in north.memory.events("north") if isinstance(event, SessionRevoked)]
        assert len(revoked) == 1
        assert revoked[0].session not in left
        north.revoked.add(revoked[0].session, north.time.now)
        assert (await eve.opens("/account")).path == "/sign-in"
        assert (await elsewhere.opens("/account")).path == "/account"


async def test_a_user_who_has_only_the_provider_proves_themselves_there_and_cannot_lock_themselves_out(
    federated: Federated, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with federated.world.browser() as eve:
        await federated.signs_in(eve, "eve")
        page = await eve.sends("/account/identities/unlink", provider="school")
        assert "Nothing would be left to sign in with" in page.alert
        federated.world.north.time.passes(minutes=11)
        later = SimpleNamespace(time=lambda: time.time() + 11 * 60, monotonic=time.monotonic)
        monkeypatch.setattr("integrations.shared.handling.time", later)
        await eve.opens("/account")
        page = await eve.sends("/account/totp")
        assert page.path == "/account/prove"
        assert "Sign in with the school again" in page.text
