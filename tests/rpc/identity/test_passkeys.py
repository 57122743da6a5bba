import json

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from paideia.identity.v1 import credentials_pb2 as pb
from webauthn.helpers import bytes_to_base64url

from services.shared.tokens import authentication_in
from tests.rpc.identity.conftest import PASSWORD
from tests.rpc.identity.people import North, SoftwareKey
from tests.rpc.identity.test_second_factors import reason_of
from tests.rpc.identity.test_users import field_of, refused


async def begun(north: North, organization: str = "north") -> pb.Challenge:
    return await north.stub.BeginPasskeySignIn(pb.BeginPasskeySignInRequest(organization=f"organizations/{organization}"))


async def test_a_passkey_signs_in_without_login_or_password(north: North) -> None:
    key = SoftwareKey()
    made = await (await north.signs_in()).sets_up_passkey(key)
    assert made.passkey.display_name == "laptop"
    assert len(made.recovery_codes) == 10
    challenge = await begun(north)
    assert list(challenge.ways) == [pb.CHALLENGE_WAY_PASSKEY]
    options = json.loads(challenge.passkey_options)
    assert (options["rpId"], options["allowCredentials"], options["userVerification"]) == ("learn.example.org", [], "required")
    bob = await north.completes(challenge, passkey=key.signs(challenge.passkey_options))
    found = authentication_in(bob.pair.access_token)
    assert found is not None
    assert found[1] == {"pop", "user", "mfa"}
    (shown,) = (await bob.call("GetCredentials")).passkeys
    assert shown.HasField("last_use_time")


async def test_a_passkey_is_the_second_step_after_the_password(north: North) -> None:
    key = SoftwareKey(verifies=False)
    await (await north.signs_in()).sets_up_passkey(key)
    challenge = await north.challenge()
    assert list(challenge.ways) == [pb.CHALLENGE_WAY_PASSKEY, pb.CHALLENGE_WAY_RECOVERY_CODE]
    allowed = json.loads(challenge.passkey_options)["allowCredentials"]
    assert [each["id"] for each in allowed] == [bytes_to_base64url(key.id)]
    bob = await north.completes(challenge, passkey=key.signs(challenge.passkey_options))
    found = authentication_in(bob.pair.access_token)
    assert found is not None
    assert found[1] == {"pwd", "pop", "mfa"}


async def test_a_key_that_did_not_verify_its_user_does_not_sign_in_alone(north: North) -> None:
    key = SoftwareKey(verifies=False)
    await (await north.signs_in()).sets_up_passkey(key)
    challenge = await begun(north)
    refusal = await refused(north.completes(challenge, passkey=key.signs(challenge.passkey_options)))
    assert refusal.code() is StatusCode.UNAUTHENTICATED


async def test_a_counter_that_goes_back_is_refused_and_noticed(north: North) -> None:
    key = SoftwareKey()
    await (await north.signs_in()).sets_up_passkey(key)
    for _ in range(2):
        challenge = await begun(north)
        await north.completes(challenge, passkey=key.signs(challenge.passkey_options))
    key.counter = 0
    challenge = await begun(north)
    refusal = await refused(north.completes(challenge, passkey=key.signs(challenge.passkey_options)))
    assert refusal.code() is StatusCode.UNAUTHENTICATED
    assert north.notices()[-1] == "PASSKEY_COPIED"


async def test_a_key_without_a_counter_signs_in_again_and_again(north: North) -> None:
    key = SoftwareKey(counts=False)
    await (await north.signs_in()).sets_up_passkey(key)
    for _ in range(2):
        challenge = await begun(north)
        await north.completes(challenge, passkey=key.signs(challenge.passkey_options))


async def test_signatures_by_or_for_anything_else_are_refused(north: North) -> None:
    key, unknown, elsewhere = SoftwareKey(), SoftwareKey(), SoftwareKey("https://learn.example.com")
    await (await north.signs_in()).sets_up_passkey(key)
    elsewhere.private, elsewhere.id = key.private, key.id
    forged = SoftwareKey()
    forged.id = key.id
    old = (await begun(north)).passkey_options
    challenge = await begun(north)
    south = await begun(north, "south")
    nowhere = await begun(north, "nowhere")
    for where, answer in (
        (challenge, unknown.signs(challenge.passkey_options)),
        (challenge, elsewhere.signs(challenge.passkey_options)),
        (challenge, forged.signs(challenge.passkey_options)),
        (challenge, key.signs(old)),
        (challenge, key.registers(challenge.passkey_options)),
        (south, key.signs(south.passkey_options)),
        (nowhere, key.signs(nowhere.passkey_options)),
        (challenge, "nonsense"),
        (challenge, "[" * 10_000),
        (challenge, "{}"),
        (challenge, '{"rawId": 7}'),
        (challenge, json.dumps({"id": "x", "rawId": "x", "type": "public-key", "response": None})),
    ):
        refusal = await refused(north.completes(where, passkey=answer))
        assert refusal.code() is StatusCode.UNAUTHENTICATED, answer
    await north.completes(challenge, passkey=key.signs(challenge.passkey_options))


async def test_registering_refuses_what_does_not_answer_its_challenge(north: North) -> None:
    bob, ada = await north.signs_in(), await north.signs_in("ada", PASSWORD)
    start, other = await bob.call("BeginPasskeyRegistration"), await bob.call("BeginPasskeyRegistration")
    good = SoftwareKey().registers(start.passkey_options)
    for fields, field in (
        ({"credential": SoftwareKey().registers(other.passkey_options)}, "credential"),
        ({"credential": SoftwareKey("https://evil.example").registers(start.passkey_options)}, "credential"),
        ({"credential": SoftwareKey().signs(start.passkey_options)}, "credential"),
        ({"credential": "{}"}, "credential"),
        ({"credential": ""}, "credential"),
        ({"display_name": " "}, "display_name"),
        ({"display_name": "x" * 201}, "display_name"),
    ):
        request = {"challenge": start.challenge, "credential": good, "display_name": "phone"} | fields
        assert field_of(await refused(bob.call("RegisterPasskey", **request))) == field
    request = {"challenge": start.challenge, "credential": good, "display_name": "phone"}
    assert (await refused(ada.call("RegisterPasskey", **request))).code() is StatusCode.UNAUTHENTICATED
    await bob.call("RegisterPasskey", **request)
    assert (await refused(ada.call("RegisterPasskey", **request))).code() is StatusCode.UNAUTHENTICATED


async def test_several_passkeys_are_named_renamed_and_revoked(north: North) -> None:
    bob, ada = await north.signs_in(), await north.signs_in("ada", PASSWORD)
    laptop, phone = SoftwareKey(), SoftwareKey()
    await bob.sets_up_passkey(laptop)
    challenge = await begun(north)
    bob = await north.completes(challenge, passkey=laptop.signs(challenge.passkey_options))
    second = await bob.sets_up_passkey(phone, "phone")
    assert list(second.recovery_codes) == []
    name = second.passkey.name
    mask = FieldMask(paths=["display_name"])
    renamed = await bob.call("UpdatePasskey", passkey=pb.Passkey(name=name, display_name="old phone"), update_mask=mask)
    assert renamed.display_name == "old phone"
    for rpc, fields in (
        ("RevokePasskey", {"name": name}),
        ("UpdatePasskey", {"passkey": pb.Passkey(name=name, display_name="mine"), "update_mask": mask}),
    ):
        assert (await refused(ada.call(rpc, **fields))).code() is StatusCode.NOT_FOUND
    await bob.call("RevokePasskey", name=name)
    challenge = await begun(north)
    await refused(north.completes(challenge, passkey=phone.signs(challenge.passkey_options)))
    assert [each.display_name for each in (await bob.call("GetCredentials")).passkeys] == ["laptop"]


async def test_one_passkey_is_registered_once_in_an_organization(north: North) -> None:
    key = SoftwareKey()
    await (await north.signs_in()).sets_up_passkey(key)
    ada = await north.signs_in("ada", PASSWORD)
    assert (await refused(ada.sets_up_passkey(key))).code() is StatusCode.ALREADY_EXISTS
    stranger = await north.signs_in("carl", organization="south")
    await stranger.sets_up_passkey(key)


async def test_a_passkey_steps_up(north: North) -> None:
    key = SoftwareKey()
    bob = await north.signs_in()
    await bob.sets_up_passkey(key)
    assert reason_of(await refused(bob.call("RenewRecoveryCodes"))) == "STEP_UP_REQUIRED"
    start = await bob.call("BeginStepUp")
    answer = pb.ChallengeAnswer(passkey=key.signs(start.passkey_options))
    bob.token = (await bob.call("CompleteStepUp", challenge=start.challenge, answer=answer)).access_token
    await bob.call("RenewRecoveryCodes")


@pytest.mark.parametrize("name", ["", "passkeys", "passkeys/", "users/bob", "passkeys/a b"])
async def test_a_name_that_is_no_passkeys_is_a_bad_argument(north: North, name: str) -> None:
    assert field_of(await refused((await north.signs_in()).call("RevokePasskey", name=name))) == "name"
