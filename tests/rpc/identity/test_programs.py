"""Programs over a real channel, with real tokens."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from grpc.aio import AioRpcError
from joserfc import jwt
from joserfc.jwk import ECKey
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import identity_service_pb2 as identity
from paideia.identity.v1 import people_pb2, programs_pb2

from domain.identity.events import SessionRevoked
from domain.identity.programs import CONTEXTS
from services.host.host import CONTEXTS as SERVED
from services.shared.tokens import session_in
from tests.rpc.identity.people import ORIGIN, PASSWORD, North, Person

CLIENT = "north.lms"


async def administrator(north: North, organization: str = "north") -> Person:
    return await north.signs_in("ada", PASSWORD, organization)


def program(*scopes: str, roles: tuple[Any, ...] = (auth.ROLE_ADMIN,), name: str = "LMS") -> programs_pb2.Program:
    return programs_pb2.Program(display_name=name, roles=roles, scopes=scopes or ("identity.read",))


async def created(north: North, *scopes: str, **fields: Any) -> programs_pb2.ProgramSecret:
    return await (await administrator(north)).call("CreateProgram", program_id="lms", program=program(*scopes), **fields)


async def token(north: North, secret: str = "", client: str = CLIENT, **fields: Any) -> Any:
    request = programs_pb2.IssueProgramTokenRequest(client_id=client, client_secret=secret, **fields)
    return await north.stub.IssueProgramToken(request)


def bearing(access_token: str) -> Any:
    return (("authorization", f"Bearer {access_token}"),)


async def refusal(call: Any) -> AioRpcError:
    with pytest.raises(AioRpcError) as refused:
        await call
    return refused.value


def reason(refused: AioRpcError) -> str:
    details = dict(refused.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    return bytes(details).decode(errors="replace")


def assertion(north: North, key: ECKey, **changes: Any) -> str:
    now = int(north.time.now.timestamp())
    claims = {"iss": CLIENT, "sub": CLIENT, "aud": f"{ORIGIN}/oauth/token", "exp": now + 300, "iat": now, "jti": str(uuid4())}
    return jwt.encode({"alg": "ES256"}, claims | changes, key, algorithms=["ES256"])


def jwk(key: ECKey) -> str:
    return json.dumps(key.as_dict(private=False))


async def test_a_program_calls_within_its_role_and_its_scopes(north: North) -> None:
    made = await created(north, "identity.read")
    assert made.program.client_id == CLIENT
    issued = await token(north, made.client_secret)
    listed = await north.stub.ListUsers(identity.ListUsersRequest(), metadata=bearing(issued.access_token))
    assert {each.name for each in listed.users} == {"users/ada", "users/bob"}
    me = await north.stub.GetMe(identity.GetMeRequest(), metadata=bearing(issued.access_token))
    assert (me.user, me.organization, list(me.roles)) == ("users/program~lms", "organizations/north", [auth.ROLE_ADMIN])
    refused = await refusal(
        north.stub.CreateClass(people_pb2.CreateClassRequest(class_id="a"), metadata=bearing(issued.access_token))
    )
    assert refused.code() is StatusCode.PERMISSION_DENIED
    assert "SCOPE_MISSING" in reason(refused)
    assert "identity.write" in (refused.details() or "")


async def test_a_token_may_ask_for_less_and_not_for_more(north: North) -> None:
    made = await created(north, "identity.read", "scim")
    assert list((await token(north, made.client_secret)).scopes) == ["identity.read", "scim"]
    assert list((await token(north, made.client_secret, scopes=["scim"])).scopes) == ["scim"]
    refused = await refusal(token(north, made.client_secret, scopes=["catalog.write"]))
    assert refused.code() is StatusCode.INVALID_ARGUMENT
    assert "INVALID_SCOPE" in reason(refused)


async def test_every_wrong_proof_is_refused_alike(north: North) -> None:
    made = await created(north)
    unknown = ("north.none", "south.lms", "nowhere.lms", "lms", "north.lms\0")
    for client, secret in ((CLIENT, "wrong"), *((each, made.client_secret) for each in unknown)):
        refused = await refusal(token(north, secret, client))
        assert refused.code() is StatusCode.UNAUTHENTICATED
        assert "INVALID_CLIENT" in reason(refused)
        assert "wrong, expired or used before" in (refused.details() or "")


async def test_a_proof_is_one_of_two(north: North) -> None:
    made = await created(north)
    for fields in ({"secret": ""}, {"secret": made.client_secret, "client_assertion": "a.b.c"}, {"secret": "x" * 300}):
        assert (await refusal(token(north, **fields))).code() is StatusCode.INVALID_ARGUMENT


async def test_two_secrets_are_good_while_they_overlap(north: North) -> None:
    first = (await created(north)).client_secret
    ada = await administrator(north)
    second = (await ada.call("RotateProgramSecret", name="programs/lms", overlap=Duration(seconds=3600))).client_secret
    for secret in (first, second):
        await token(north, secret)
    north.time.passes(hours=1)
    assert (await refusal(token(north, first))).code() is StatusCode.UNAUTHENTICATED
    await token(north, second)


async def test_a_rotation_ends_the_oldest_of_three_with_its_tokens(north: North) -> None:
    first = (await created(north)).client_secret
    issued = await token(north, first)
    ada = await administrator(north)
    for _ in range(2):
        north.time.passes(seconds=1)
        last = await ada.call("RotateProgramSecret", name="programs/lms")
    assert len(last.program.credentials) == 2
    assert (await refusal(token(north, first))).code() is StatusCode.UNAUTHENTICATED
    revoked = [each.session for each in north.memory.events("north") if isinstance(each, SessionRevoked)]
    assert revoked == [session_in(issued.access_token)]


async def test_an_overlap_of_nothing_ends_the_secret_at_once(north: North) -> None:
    first = (await created(north)).client_secret
    await (await administrator(north)).call("RotateProgramSecret", name="programs/lms", overlap=Duration())
    assert (await refusal(token(north, first))).code() is StatusCode.UNAUTHENTICATED


async def test_a_disabled_program_gets_nothing_and_its_tokens_end(north: North) -> None:
    made = await created(north)
    issued = await token(north, made.client_secret)
    ada = await administrator(north)
    disabled = await ada.call("DisableProgram", name="programs/lms")
    assert disabled.HasField("disable_time")
    assert not disabled.credentials
    assert (await refusal(token(north, made.client_secret))).code() is StatusCode.UNAUTHENTICATED
    north.revoked.add(session_in(issued.access_token) or "", north.time.now)
    refused = await refusal(north.stub.GetMe(identity.GetMeRequest(), metadata=bearing(issued.access_token)))
    assert refused.code() is StatusCode.UNAUTHENTICATED
    for rpc in ("DisableProgram", "RotateProgramSecret"):
        assert (await refusal(ada.call(rpc, name="programs/lms"))).code() is StatusCode.FAILED_PRECONDITION


async def test_a_program_is_never_more_than_its_sponsor(north: North) -> None:
    ada = await administrator(north)
    teaching = program(roles=(auth.ROLE_TEACHER,))
    assert (await refusal(ada.call("CreateProgram", program_id="lms", program=teaching))).code() is StatusCode.PERMISSION_DENIED
    made = await created(north)
    bob = identity.User(name="users/bob", roles=[auth.ROLE_ADMIN])
    await ada.call("UpdateUser", user=bob, update_mask=FieldMask(paths=["roles"]))
    north.time.passes(minutes=11)
    await (await north.signs_in("bob")).call("DeactivateUser", name="users/ada")
    refused = await refusal(token(north, made.client_secret))
    assert refused.code() is StatusCode.PERMISSION_DENIED
    assert "SPONSOR_GONE" in reason(refused)
    changed = programs_pb2.Program(name="programs/lms", display_name="Ours now")
    after = await (await north.signs_in("bob")).call(
        "UpdateProgram", program=changed, update_mask=FieldMask(paths=["display_name"])
    )
    assert after.sponsor == "users/bob"
    await token(north, made.client_secret)


async def test_changing_programs_wants_a_fresh_proof_and_a_program_has_none(north: North) -> None:
    made = await created(north, "identity.read", "identity.write")
    ada = await administrator(north)
    north.time.passes(minutes=10)
    for rpc, fields in (
        ("CreateProgram", {"program_id": "other", "program": program()}),
        ("RotateProgramSecret", {"name": "programs/lms"}),
        ("UpdateProgram", {"program": program(name="x"), "update_mask": FieldMask(paths=["display_name"])}),
    ):
        if rpc == "UpdateProgram":
            fields["program"].name = "programs/lms"  # type: ignore[attr-defined]
        assert "STEP_UP_REQUIRED" in reason(await refusal(ada.call(rpc, **fields)))
    issued = await token(north, made.client_secret)
    request = programs_pb2.CreateProgramRequest(program_id="child", program=program())
    refused = await refusal(north.stub.CreateProgram(request, metadata=bearing(issued.access_token)))
    assert "STEP_UP_REQUIRED" in reason(refused)


async def test_a_program_signs_its_assertions(north: North) -> None:
    key = ECKey.generate_key("P-256")
    made = await created(north, public_key=jwk(key))
    assert made.client_secret == ""
    signed = assertion(north, key)
    issued = await token(north, client="", client_assertion=signed)
    assert issued.access_token
    assert (await refusal(token(north, client="", client_assertion=signed))).code() is StatusCode.UNAUTHENTICATED
    await token(north, client_assertion=assertion(north, key, aud=[ORIGIN, "https://elsewhere.example"]))


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"aud": "https://elsewhere.example"},
    {"iss": "north.other"},
    {"sub": "south.lms"},
    {"sub": 7},
    {"jti": ""},
    {"jti": None},
    {"exp": "soon"},
    {"exp": True},
    {"exp": 1e300},
]


async def test_an_assertion_that_is_not_right_is_refused(north: North) -> None:
    key = ECKey.generate_key("P-256")
    await created(north, public_key=jwk(key))
    now = int(north.time.now.timestamp())
    for changes in (*WRONG_CLAIMS, {"exp": now - 60}, {"exp": now + 3600}, {"nbf": now + 120}):
        signed = assertion(north, key, **changes)
        assert (await refusal(token(north, client_assertion=signed))).code() is StatusCode.UNAUTHENTICATED, changes


async def test_an_assertion_of_another_key_or_of_none_is_refused(north: North) -> None:
    key = ECKey.generate_key("P-256")
    await created(north, public_key=jwk(key))
    signed = assertion(north, key)
    header, claims, _ = signed.split(".")
    for wrong in (assertion(north, ECKey.generate_key("P-256")), f"{header}.{claims}.", "a.b.c", "ä", "x" * 8000):
        assert (await refusal(token(north, client_assertion=wrong))).code() is StatusCode.UNAUTHENTICATED


async def test_a_key_that_cannot_verify_is_refused(north: North) -> None:
    for key in ("{}", "[]", "not json", '{"kty":"oct","k":"c2VjcmV0"}', '{"kty":"EC","crv":"P-384"}', "x" * 5000):
        assert (await refusal(created(north, public_key=key))).code() is StatusCode.INVALID_ARGUMENT


async def test_a_private_key_is_refused(north: North) -> None:
    refused = await refusal(created(north, public_key=json.dumps(ECKey.generate_key("P-256").as_dict(private=True))))
    assert "private key" in (refused.details() or "")


async def test_a_program_that_cannot_be_is_refused(north: North) -> None:
    ada = await administrator(north)
    for wrong in (
        program("no.such"),
        program(name=""),
        program(roles=()),
        program(roles=(auth.ROLE_LEARNER,)),
        program(roles=(auth.ROLE_OPERATOR,)),
        program(roles=(auth.ROLE_SERVICE,)),
        programs_pb2.Program(display_name="x", roles=[auth.ROLE_ADMIN]),
    ):
        refused = await refusal(ada.call("CreateProgram", program_id="lms", program=wrong))
        assert refused.code() is StatusCode.INVALID_ARGUMENT, wrong


async def test_an_id_is_taken_once_and_is_of_one_organization(north: North) -> None:
    await created(north)
    assert (await refusal(created(north))).code() is StatusCode.ALREADY_EXISTS
    other = await administrator(north, "south")
    for rpc in ("GetProgram", "DisableProgram", "RotateProgramSecret"):
        assert (await refusal(other.call(rpc, name="programs/lms"))).code() is StatusCode.NOT_FOUND
    assert not (await other.call("ListPrograms")).programs


async def test_a_program_gets_a_hundred_tokens_a_minute(north: North) -> None:
    made = await created(north)
    programs = north.memory.tenants["north"].programs.programs
    programs["lms"] = replace(programs["lms"], window=north.time.now, issued=99)
    await token(north, made.client_secret)
    refused = await refusal(token(north, made.client_secret))
    assert refused.code() is StatusCode.RESOURCE_EXHAUSTED
    assert dict(refused.trailing_metadata() or ())["retry-after"] == "60"
    north.time.passes(minutes=1)
    await token(north, made.client_secret)


async def test_its_last_use_is_on_record(north: North) -> None:
    made = await created(north)
    ada = await administrator(north)
    assert not (await ada.call("GetProgram", name="programs/lms")).HasField("last_use_time")
    await token(north, made.client_secret)
    shown = (await ada.call("ListPrograms")).programs[0]
    assert shown.last_use_time.ToDatetime().timestamp() == north.time.now.replace(tzinfo=None).timestamp()
    assert shown.credentials[0].HasField("last_use_time")


async def test_nobody_but_a_program_is_named_like_one(north: North) -> None:
    ada = await administrator(north)
    user = identity.User(roles=[auth.ROLE_LEARNER])
    refused = await refusal(ada.call("CreateUser", user_id="program~lms", user=user))
    assert refused.code() is StatusCode.INVALID_ARGUMENT


def test_every_context_that_is_served_has_its_scopes() -> None:
    assert set(SERVED) <= set(CONTEXTS)
