"""The pages that mails lead to."""

import re
from typing import Any

import httpx

from tests.integrations.world import World
from tests.rpc.identity.people import PASSWORD


def token_of(mail: Any) -> str:
    return str(mail.fields["token"])


async def test_an_invitation_makes_a_user_who_can_sign_in(world: World) -> None:
    ada = await world.north.signs_in("ada", PASSWORD)
    await ada.call("CreateInvitation", invitation={"email": "cleo@example.org", "roles": ["ROLE_TEACHER"]})
    (mail,) = world.north.mails("invitation")
    async with world.browser() as cleo:
        await cleo.opens("/accept-invitation")
        page = await cleo.sends("/accept-invitation", token=token_of(mail), user_id="cleo", password="short")
        assert page.status == 400
        assert page.form("/accept-invitation")["user_id"] == "cleo"
        page = await cleo.sends("/accept-invitation", user_id="cleo", display_name="Cleo", password="orchid 99 lantern sky")
        assert (page.path, page.alert) == ("/sign-in", "Welcome, cleo. Sign in with your new password.")
        assert (await cleo.sends("/sign-in", login="cleo", password="orchid 99 lantern sky")).path == "/account"


async def test_a_forgotten_password_is_reset_by_the_link_and_a_second_use_is_refused(world: World) -> None:
    async with world.browser() as bob:
        await bob.opens("/reset-password/request?organization=north")
        page = await bob.sends("/reset-password/request", login="bob")
        assert "a mail is on its way" in page.alert
        (mail,) = world.north.mails("reset_password")
        await bob.opens("/reset-password")
        page = await bob.sends("/reset-password", token=token_of(mail), password="brand new 77 harbour")
        assert (page.path, page.alert) == ("/sign-in", "Your password is changed. Sign in with the new one.")
        assert (await bob.sends("/sign-in", login="bob", password="brand new 77 harbour")).path == "/account"
        await bob.opens("/reset-password")
        page = await bob.sends("/reset-password", token=token_of(mail), password="other new 88 harbour")
        assert page.status == 400


async def test_an_address_is_confirmed_by_the_link(world: World) -> None:
    async with world.browser() as bob:
        await bob.signs_in()
        page = await bob.sends("/account/email", email="")
        assert page.alert == "A mail is on its way. Open the link in it."
        (mail,) = world.north.mails("verify_email")
        await bob.opens("/verify-email")
        assert (await bob.sends("/verify-email", token=token_of(mail))).alert == "The address is confirmed."
        assert "bob@example.org: confirmed" in (await bob.opens("/account")).text


async def test_sign_up_says_the_same_for_known_and_unknown_addresses_and_tells_a_closed_organization(world: World) -> None:
    async with world.browser() as somebody:
        await somebody.opens("/sign-up?organization=north")
        assert (await somebody.sends("/sign-up", email="dan@example.org")).status == 400
        ada = await world.north.signs_in("ada", PASSWORD)
        await ada.call(
            "UpdateOrganization",
            organization={"name": "organizations/north", "sign_up_policy": "SIGN_UP_POLICY_OPEN"},
            update_mask={"paths": ["sign_up_policy"]},
        )
        answers = []
        for address in ("dan@example.org", "bob@example.org"):
            await somebody.opens("/sign-up?organization=north")
            answers.append((await somebody.sends("/sign-up", email=address)).alert)
        assert answers[0] == answers[1] == "A mail is on its way to this address. Open the link in it."


async def test_every_page_that_a_mail_leads_to_is_there(world: World) -> None:
    from adapters.identity.mail_words import PAGES

    async with httpx.AsyncClient(base_url=world.url) as client:
        for page in set(PAGES.values()):
            answer = await client.get(f"/{page}")
            assert answer.status_code == 200
            assert re.search(rf'action="/{page}"', answer.text)


async def test_what_is_no_form_or_too_large_is_refused(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.url, headers={"origin": world.url}) as client:
        form = {"content-type": "application/x-www-form-urlencoded"}
        for body, headers in (
            (b"{}", {"content-type": "application/json"}),
            (b"login=" + b"x" * 70_000, form),
            (b"login=%ff%fe", form),
            (b"&".join(b"a%d=1" % number for number in range(60)), form),
        ):
            assert (await client.post("/sign-in", content=body, headers=headers)).status_code == 400
