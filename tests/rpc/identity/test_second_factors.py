from datetime import timedelta

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status import rpc_status
from paideia.identity.v1 import credentials_pb2 as pb

from services.shared.tokens import authentication_in
from tests.rpc.identity.conftest import OTHER_PASSWORD, PASSWORD
from tests.rpc.identity.people import North
from tests.rpc.identity.test_users import field_of, refused


def reason_of(error: AioRpcError) -> str:
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert any(each.Unpack(info) for each in status.details if each.Is(info.DESCRIPTOR))
    return str(info.reason)


async def test_with_an_app_in_use_the_password_is_answered_with_a_challenge(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    assert len(set(bob.codes)) == 10
    challenge = await north.challenge()
    assert list(challenge.ways) == [pb.CHALLENGE_WAY_TOTP, pb.CHALLENGE_WAY_RECOVERY_CODE]
    assert challenge.passkey_options == ""
    again = await north.completes(challenge, totp_code=bob.next_code())
    found = authentication_in(again.pair.access_token)
    assert found == (int(north.time.now.timestamp()), {"pwd", "otp", "mfa"})
    shown = await again.call("GetCredentials")
    assert (shown.has_password, shown.totp_enabled, shown.recovery_codes_left) == (True, True, 10)
    assert north.notices() == ["TOTP_ENABLED"]
    assert [mail.to for mail in north.mails("second_factor_changed")] == ["bob@example.org"]


async def test_an_enrolled_app_counts_for_nothing_until_it_is_confirmed(north: North) -> None:
    bob = await north.signs_in()
    await bob.call("EnrolTotp")
    assert field_of(await refused(bob.call("ConfirmTotp", code="000000"))) == "code"
    await north.signs_in()
    assert not (await bob.call("GetCredentials")).totp_enabled


async def test_a_code_is_never_accepted_twice_and_its_second_use_is_noticed(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    refusal = await refused(north.completes(await north.challenge(), totp_code=bob.code()))
    assert refusal.code() is StatusCode.UNAUTHENTICATED
    code = bob.next_code()
    await north.completes(await north.challenge(), totp_code=code)
    replayed = await refused(north.completes(await north.challenge(), totp_code=code))
    assert (replayed.code(), replayed.details()) == (refusal.code(), refusal.details())
    assert north.notices() == ["TOTP_ENABLED", "TOTP_REPLAYED", "TOTP_REPLAYED"]


async def test_clocks_may_differ_by_one_step_and_no_more(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    assert bob.app is not None
    north.time.passes(minutes=5)
    for steps in (-2, 2):
        code = bob.app.at(north.time.now + timedelta(seconds=30 * steps))
        assert (await refused(north.completes(await north.challenge(), totp_code=code))).code() is StatusCode.UNAUTHENTICATED
    for steps in (-1, 0, 1):
        code = bob.app.at(north.time.now + timedelta(seconds=30 * steps))
        await north.completes(await north.challenge(), totp_code=code)


async def test_a_recovery_code_is_good_once_and_its_reuse_is_noticed(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    code = bob.codes[3].upper().replace("-", " ")
    again = await north.completes(await north.challenge(), recovery_code=code)
    assert (await again.call("GetCredentials")).recovery_codes_left == 9
    refusal = await refused(north.completes(await north.challenge(), recovery_code=bob.codes[3]))
    assert refusal.code() is StatusCode.UNAUTHENTICATED
    assert north.notices()[1:] == ["RECOVERY_CODE_USED", "RECOVERY_CODE_REUSED"]
    assert [mail.fields["left"] for mail in north.mails("recovery_code_used")] == ["9"]


async def test_a_wrong_answer_leaves_the_challenge_open_and_a_right_one_ends_it(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    challenge = await north.challenge()
    await refused(north.completes(challenge, totp_code="000000"))
    await north.completes(challenge, totp_code=bob.next_code())
    spent = await refused(north.completes(challenge, recovery_code=bob.codes[0]))
    assert spent.code() is StatusCode.UNAUTHENTICATED
    assert (await bob.call("GetCredentials")).recovery_codes_left == 10


async def test_a_challenge_ends_after_five_minutes(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    challenge = await north.challenge()
    north.time.passes(minutes=5)
    assert (await refused(north.completes(challenge, totp_code=bob.code()))).code() is StatusCode.UNAUTHENTICATED


async def test_guessing_codes_is_throttled_over_challenges_and_the_password_does_not_forgive_it(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    north.time.passes(minutes=1)
    for _ in range(10):
        refusal = await refused(north.completes(await north.challenge(), totp_code="000000"))
        assert refusal.code() is StatusCode.UNAUTHENTICATED
    challenge = await north.challenge()
    refusal = await refused(north.completes(challenge, totp_code=bob.code()))
    assert refusal.code() is StatusCode.RESOURCE_EXHAUSTED
    north.time.passes(seconds=30)
    await north.completes(challenge, totp_code=bob.code())


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({}, "answer"),
        ({"totp_code": ""}, "answer.totp_code"),
        ({"totp_code": "12345"}, "answer.totp_code"),
        ({"totp_code": "1234567"}, "answer.totp_code"),
        ({"totp_code": "١٢٣٤٥٦"}, "answer.totp_code"),
        ({"totp_code": " " * 1000 + "123456"}, "answer.totp_code"),
        ({"recovery_code": "abcd"}, "answer.recovery_code"),
        ({"recovery_code": "u" * 12}, "answer.recovery_code"),
        ({"passkey": ""}, "answer.passkey"),
        ({"passkey": "x" * 20_000}, "answer.passkey"),
        ({"password": OTHER_PASSWORD}, "answer.password"),
    ],
)
async def test_an_answer_that_cannot_be_one_is_a_bad_argument(north: North, answer: dict[str, str], field: str) -> None:
    await (await north.signs_in()).sets_up_totp()
    assert field_of(await refused(north.completes(await north.challenge(), **answer))) == field


@pytest.mark.parametrize("token", ["nonsense", "north.b.c", "north.8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e.guess"])
async def test_a_challenge_that_is_not_ours_is_refused(north: North, token: str) -> None:
    refusal = await refused(north.completes(pb.Challenge(challenge=token), totp_code="123456"))
    assert refusal.code() is StatusCode.UNAUTHENTICATED
    assert field_of(await refused(north.completes(pb.Challenge(), totp_code="123456"))) == "challenge"


async def test_a_stale_or_weaker_proof_is_told_to_step_up(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    for rpc in ("DisableTotp", "RenewRecoveryCodes", "SignOutEverywhere", "BeginPasskeyRegistration"):
        refusal = await refused(bob.call(rpc))  # signed in with the password alone, before there was an app
        assert (refusal.code(), reason_of(refusal)) == (StatusCode.FAILED_PRECONDITION, "STEP_UP_REQUIRED")
    await bob.steps_up(totp_code=bob.next_code())
    assert len((await bob.call("RenewRecoveryCodes")).recovery_codes) == 10
    north.time.passes(minutes=9, seconds=59)
    await bob.refreshes()
    await bob.call("RenewRecoveryCodes")
    north.time.passes(seconds=1)
    assert reason_of(await refused(bob.call("RenewRecoveryCodes"))) == "STEP_UP_REQUIRED"


async def test_an_account_without_a_second_factor_steps_up_by_its_password(north: North) -> None:
    bob = await north.signs_in()
    north.time.passes(minutes=10)
    await bob.refreshes()
    assert reason_of(await refused(bob.call("EnrolTotp"))) == "STEP_UP_REQUIRED"
    begun = await bob.call("BeginStepUp")
    assert list(begun.ways) == [pb.CHALLENGE_WAY_PASSWORD]
    assert (await refused(bob.steps_up(password="wrong"))).code() is StatusCode.UNAUTHENTICATED
    await bob.steps_up(password=OTHER_PASSWORD)
    await bob.call("EnrolTotp")


async def test_the_password_does_not_step_up_an_account_with_a_second_factor(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    assert (await refused(bob.steps_up(password=OTHER_PASSWORD))).code() is StatusCode.UNAUTHENTICATED


async def test_a_step_up_of_another_session_or_person_is_refused(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    there = await north.completes(await north.challenge(), totp_code=bob.next_code())
    ada = await north.signs_in("ada", PASSWORD)
    carl = await north.signs_in("carl", organization="south")
    begun = await bob.call("BeginStepUp")
    code = bob.next_code()
    for other in (there, ada, carl):
        answer = pb.ChallengeAnswer(totp_code=code)
        refusal = await refused(other.call("CompleteStepUp", challenge=begun.challenge, answer=answer))
        assert refusal.code() is StatusCode.UNAUTHENTICATED
    sign_in = await refused(north.completes(begun, totp_code=code))
    assert sign_in.code() is StatusCode.UNAUTHENTICATED
    await bob.call("CompleteStepUp", challenge=begun.challenge, answer=pb.ChallengeAnswer(totp_code=code))


async def test_changing_the_password_takes_the_second_factor_too(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    change = {"current_password": OTHER_PASSWORD, "new_password": "seven purple kettles sang"}
    assert reason_of(await refused(bob.call("ChangePassword", **change))) == "STEP_UP_REQUIRED"
    await bob.steps_up(totp_code=bob.next_code())
    await bob.call("ChangePassword", **change)
    assert len(north.mails("password_changed")) == 1


async def test_recovery_codes_go_with_the_last_second_factor(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    await bob.steps_up(recovery_code=bob.codes[0])
    await bob.call("DisableTotp")
    shown = await bob.call("GetCredentials")
    assert (shown.totp_enabled, shown.recovery_codes_left) == (False, 0)
    await north.signs_in()
    assert reason_of(await refused(bob.call("DisableTotp"))) == "TOTP_NOT_ENABLED"
    assert reason_of(await refused(bob.call("RenewRecoveryCodes"))) == "NO_SECOND_FACTOR"


async def test_an_app_in_use_is_not_replaced_by_the_way(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    await bob.steps_up(totp_code=bob.next_code())
    assert reason_of(await refused(bob.call("EnrolTotp"))) == "TOTP_ALREADY_ENABLED"


async def test_an_administrator_resets_what_was_lost_and_only_in_their_organization(north: North) -> None:
    bob = await (await north.signs_in()).sets_up_totp()
    ada, stranger = await north.signs_in("ada", PASSWORD), await north.signs_in("ada", PASSWORD, "south")
    assert (await refused(bob.call("ResetSecondFactors", name="users/ada"))).code() is StatusCode.PERMISSION_DENIED
    assert (await refused(stranger.call("ResetSecondFactors", name="users/bob"))).code() is StatusCode.NOT_FOUND
    await ada.call("ResetSecondFactors", name="users/bob")
    assert (await refused(bob.refreshes())).code() is StatusCode.UNAUTHENTICATED
    await north.signs_in()
    assert north.notices()[-1] == "SECOND_FACTORS_RESET"
