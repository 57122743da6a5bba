from typing import Any

import pytest
from grpc import StatusCode
from paideia.identity.v1 import credentials_pb2 as pb

from tests.rpc.identity.conftest import OTHER_PASSWORD, PASSWORD
from tests.rpc.identity.people import North
from tests.rpc.identity.test_second_factors import reason_of
from tests.rpc.identity.test_users import creation, field_of, refused

NEW_PASSWORD = "seven purple kettles sang"


async def ask(north: North, login: str = "bob", organization: str = "north") -> Any:
    request = pb.RequestPasswordResetRequest(organization=f"organizations/{organization}", login=login)
    return await north.stub.RequestPasswordReset(request)


async def reset(north: North, token: str, password: str = NEW_PASSWORD) -> Any:
    return await north.stub.ResetPassword(pb.ResetPasswordRequest(token=token, new_password=password))


async def verify(north: North, token: str) -> Any:
    return await north.stub.VerifyEmail(pb.VerifyEmailRequest(token=token))


async def test_a_mailed_link_resets_the_password_once_and_ends_every_session(north: North) -> None:
    bob = await north.signs_in()
    await ask(north, "BOB@example.org")
    (mail,) = north.mails("reset_password")
    assert mail.to == "bob@example.org"
    assert mail.fields["token"].encode() not in repr(north.memory.tenants["north"].credentials.links).encode()
    await reset(north, mail.fields["token"])
    assert (await refused(bob.refreshes())).code() is StatusCode.UNAUTHENTICATED
    bob = await north.signs_in(password=NEW_PASSWORD)
    assert (await bob.call("GetCredentials")).email_verified
    assert [each.to for each in north.mails("password_changed")] == ["bob@example.org"]
    again = await refused(reset(north, mail.fields["token"], OTHER_PASSWORD))
    assert (again.code(), reason_of(again)) == (StatusCode.FAILED_PRECONDITION, "LINK_REFUSED")
    assert north.notices() == ["PASSWORD_RESET", "RESET_LINK_REUSED"]


async def test_the_first_link_used_ends_the_others(north: North) -> None:
    await ask(north)
    await ask(north)
    first, second = (mail.fields["token"] for mail in north.mails("reset_password"))
    await reset(north, second)
    assert reason_of(await refused(reset(north, first))) == "LINK_REFUSED"


async def test_a_link_is_good_for_an_hour(north: North) -> None:
    await ask(north)
    north.time.passes(hours=1)
    assert reason_of(await refused(reset(north, north.mails("reset_password")[0].fields["token"]))) == "LINK_REFUSED"


async def test_resetting_the_password_does_not_take_the_second_factor_away(north: North) -> None:
    await (await north.signs_in()).sets_up_totp()
    await ask(north)
    await reset(north, north.mails("reset_password")[0].fields["token"])
    assert (await north.challenge(password=NEW_PASSWORD)).ways


@pytest.mark.parametrize(
    ("login", "organization"), [("nobody", "north"), ("nobody@example.org", "north"), ("managed", "north"), ("bob", "nowhere")]
)
async def test_asking_for_a_link_tells_nobody_which_accounts_there_are(north: North, login: str, organization: str) -> None:
    ada = await north.signs_in("ada", PASSWORD)
    await north.stub.CreateUser(creation("managed", email="managed@example.org"), metadata=ada.metadata)
    unknown = await ask(north, login, organization)
    assert unknown == await ask(north)
    assert len(north.mails("reset_password")) == 1


@pytest.mark.parametrize("login", ["bob", "nobody"])
async def test_asking_again_and_again_is_throttled_whether_or_not_there_is_an_account(north: North, login: str) -> None:
    for _ in range(10):
        await ask(north, login)
    assert (await refused(ask(north, login))).code() is StatusCode.RESOURCE_EXHAUSTED


async def test_a_weak_password_is_refused_and_the_link_stays_good(north: North) -> None:
    await ask(north)
    token = north.mails("reset_password")[0].fields["token"]
    for weak in ("short", "password12345", "bob@example.org rocks", "monkeydragon12", "jessica19871987", "x" * 257):
        assert field_of(await refused(reset(north, token, weak))) == "new_password", weak
    await reset(north, token)


@pytest.mark.parametrize("token", ["nonsense", "north.guess", "North.x", ".", "north.", "nowhere.x"])
async def test_a_link_that_is_not_ours_is_refused(north: North, token: str) -> None:
    for call in (reset(north, token), verify(north, token)):
        assert reason_of(await refused(call)) == "LINK_REFUSED"


@pytest.mark.parametrize("token", ["", "x" * 257])
async def test_a_token_that_cannot_be_one_is_a_bad_argument(north: North, token: str) -> None:
    for call in (reset(north, token), verify(north, token)):
        assert field_of(await refused(call)) == "token"


async def test_an_address_is_verified_by_its_link_once(north: North) -> None:
    bob = await north.signs_in()
    assert not (await bob.call("GetCredentials")).email_verified
    await bob.call("RequestEmailVerification")
    (mail,) = north.mails("verify_email")
    await verify(north, mail.fields["token"])
    assert (await bob.call("GetCredentials")).email_verified
    assert reason_of(await refused(verify(north, mail.fields["token"]))) == "LINK_REFUSED"
    assert north.notices() == ["EMAIL_VERIFIED"]


async def test_a_link_for_one_thing_does_not_do_another(north: North) -> None:
    bob = await north.signs_in()
    await bob.call("RequestEmailVerification")
    await ask(north)
    assert reason_of(await refused(reset(north, north.mails("verify_email")[0].fields["token"]))) == "LINK_REFUSED"
    assert reason_of(await refused(verify(north, north.mails("reset_password")[0].fields["token"]))) == "LINK_REFUSED"


async def test_an_address_changes_when_its_link_is_followed_and_the_old_one_is_told(north: North) -> None:
    bob = await north.signs_in()
    await ask(north)
    await bob.call("RequestEmailVerification", email="Robert@Example.org")
    assert (await bob.call("GetCredentials")).email == "bob@example.org"
    (mail,) = north.mails("verify_email")
    assert mail.to == "robert@example.org"
    await verify(north, mail.fields["token"])
    shown = await bob.call("GetCredentials")
    assert (shown.email, shown.email_verified) == ("robert@example.org", True)
    assert [each.to for each in north.mails("email_changed")] == ["bob@example.org"]
    old_link = north.mails("reset_password")[0].fields["token"]
    assert reason_of(await refused(reset(north, old_link))) == "LINK_REFUSED"


async def test_changing_the_address_needs_a_fresh_proof_and_verifying_it_does_not(north: North) -> None:
    bob = await north.signs_in()
    north.time.passes(minutes=10)
    await bob.refreshes()
    await bob.call("RequestEmailVerification")
    await bob.call("RequestEmailVerification", email="bob@example.org")
    refusal = await refused(bob.call("RequestEmailVerification", email="robert@example.org"))
    assert reason_of(refusal) == "STEP_UP_REQUIRED"


async def test_an_address_somebody_else_has_is_found_out_by_its_reader_only(north: North) -> None:
    ada = await north.signs_in("ada", PASSWORD)
    assert field_of(await refused(ada.call("RequestEmailVerification"))) == "email"
    assert field_of(await refused(ada.call("RequestEmailVerification", email="nonsense"))) == "email"
    await ada.call("RequestEmailVerification", email="bob@example.org")
    taken = await refused(verify(north, north.mails("verify_email")[0].fields["token"]))
    assert taken.code() is StatusCode.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"organization": ""}, "organization"),
        ({"organization": "north"}, "organization"),
        ({"login": ""}, "login"),
        ({"login": "x" * 255}, "login"),
        ({"login": "a\0b"}, "login"),
    ],
)
async def test_asking_for_a_link_names_the_field_at_fault(north: North, fields: dict[str, str], field: str) -> None:
    request = pb.RequestPasswordResetRequest(**{"organization": "organizations/north", "login": "bob"} | fields)
    assert field_of(await refused(north.stub.RequestPasswordReset(request))) == field
