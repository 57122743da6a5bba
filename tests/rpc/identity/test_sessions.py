from uuid import uuid4

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status import rpc_status
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import identity_service_pb2 as pb

from domain.identity.events import SessionRevoked
from domain.shared.caller import Caller, Role
from domain.shared.clock import system_clock
from services.shared.keys import identity_keys
from services.shared.tokens import TokenVerifier
from tests.rpc.identity.conftest import OTHER_PASSWORD, PASSWORD, Served
from tests.rpc.identity.test_users import creation, field_of, refused
from tests.rpc.serving import ISSUER


def sign_in(**fields: str) -> pb.SignInRequest:
    return pb.SignInRequest(**{"organization": "organizations/north", "login": "ada", "password": PASSWORD} | fields)


async def test_an_access_token_verifies_with_the_listed_keys(identity: Served) -> None:
    pair = await identity.stub.SignIn(sign_in())
    verifier = TokenVerifier(identity_keys(identity.stub.GetJwks), b"m" * 32, system_clock, issuer=ISSUER)
    assert await verifier.verify(pair.access_token) == Caller("north", "ada", frozenset({Role.ADMIN}))
    assert pair.expires_in.seconds == 600
    assert pair.session_expire_time.ToDatetime() > system_clock().replace(tzinfo=None)


async def test_keys_are_listed_in_full_and_without_their_private_part(identity: Served) -> None:
    (key,) = (await identity.stub.GetJwks(pb.GetJwksRequest())).keys
    assert (key.kty, key.crv, key.use, key.alg) == ("EC", "P-256", "sig", "ES256")
    assert all((key.kid, key.x, key.y))
    assert set(pb.Jwk.DESCRIPTOR.fields_by_name) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


async def test_nobody_learns_which_accounts_there_are(identity: Served) -> None:
    await identity.stub.CreateUser(creation("managed"), metadata=identity.ada)
    await identity.stub.CreateUser(creation("gone", password=OTHER_PASSWORD), metadata=identity.ada)
    deactivation = pb.DeactivateUserRequest(request_id=str(uuid4()), name="users/gone")
    await identity.stub.DeactivateUser(deactivation, metadata=identity.ada)
    answers = set()
    for request in (
        sign_in(password="wrong"),
        sign_in(login="nobody"),
        sign_in(login="nobody@example.org"),
        sign_in(login="managed"),
        sign_in(login="gone", password=OTHER_PASSWORD),
        sign_in(organization="organizations/south"),
        sign_in(organization="organizations/South"),
        sign_in(login="users/ada"),
    ):
        refusal = await refused(identity.stub.SignIn(request))
        status = rpc_status.from_call(refusal)
        answers.add((refusal.code(), refusal.details(), status.SerializeToString() if status else b""))
    assert len(answers) == 1
    assert answers.pop()[0] is StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("login", ["ada", "nobody"])
async def test_guessing_is_told_when_to_come_back(identity: Served, login: str) -> None:
    for _ in range(10):
        refusal = await refused(identity.stub.SignIn(sign_in(login=login, password="wrong")))
        assert refusal.code() is StatusCode.UNAUTHENTICATED
    refusal = await refused(identity.stub.SignIn(sign_in(login=login)))
    assert refusal.code() is StatusCode.RESOURCE_EXHAUSTED
    assert 0 < _retry_seconds(refusal) <= 30


def _retry_seconds(refusal: AioRpcError) -> float:
    status = rpc_status.from_call(refusal)
    assert status is not None
    retry = error_details_pb2.RetryInfo()
    assert any(each.Unpack(retry) for each in status.details if each.Is(retry.DESCRIPTOR))
    seconds: float = retry.retry_delay.ToTimedelta().total_seconds()
    return seconds


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (sign_in(organization=""), "organization"),
        (sign_in(organization="north"), "organization"),
        (sign_in(organization="organizations/-"), "organization"),
        (sign_in(login=""), "login"),
        (sign_in(login="x" * 255), "login"),
        (sign_in(login="a\0b"), "login"),
        (sign_in(password=""), "password"),
        (sign_in(password="x" * 257), "password"),
    ],
)
async def test_signing_in_names_the_field_at_fault(identity: Served, request_: pb.SignInRequest, field: str) -> None:
    assert field_of(await refused(identity.stub.SignIn(request_))) == field


async def refresh(identity: Served, token: str) -> pb.TokenPair:
    return await identity.stub.RefreshSession(pb.RefreshSessionRequest(refresh_token=token))


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_session(identity: Served) -> None:
    first = await identity.stub.SignIn(sign_in())
    second = await refresh(identity, first.refresh_token)
    assert second.refresh_token != first.refresh_token
    for token in (first.refresh_token, second.refresh_token):
        assert (await refused(refresh(identity, token))).code() is StatusCode.UNAUTHENTICATED
    assert [each.user for each in identity.memory.events("north") if isinstance(each, SessionRevoked)] == ["ada"]


async def test_signing_out_ends_the_session_however_often(identity: Served) -> None:
    pair = await identity.stub.SignIn(sign_in())
    for token in (pair.refresh_token, pair.refresh_token, "nonsense"):
        await identity.stub.SignOut(pb.SignOutRequest(refresh_token=token))
    assert (await refused(refresh(identity, pair.refresh_token))).code() is StatusCode.UNAUTHENTICATED


async def test_deactivation_ends_sessions(identity: Served) -> None:
    await identity.stub.CreateUser(creation(password=OTHER_PASSWORD, roles=[auth.ROLE_LEARNER]), metadata=identity.ada)
    pair = await identity.stub.SignIn(sign_in(login="bob", password=OTHER_PASSWORD))
    deactivation = pb.DeactivateUserRequest(request_id=str(uuid4()), name="users/bob")
    await identity.stub.DeactivateUser(deactivation, metadata=identity.ada)
    assert (await refused(refresh(identity, pair.refresh_token))).code() is StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("token", ["", "x" * 257])
async def test_a_refresh_token_that_cannot_be_one_is_a_bad_argument(identity: Served, token: str) -> None:
    assert field_of(await refused(refresh(identity, token))) == "refresh_token"
    assert field_of(await refused(identity.stub.SignOut(pb.SignOutRequest(refresh_token=token)))) == "refresh_token"


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "a.b.c",
        "north.00000000-0000-4000-8000-000000000000.secret",
        "nowhere.00000000-0000-4000-8000-000000000000.secret",
    ],
)
async def test_a_foreign_refresh_token_is_refused(identity: Served, token: str) -> None:
    assert (await refused(refresh(identity, token))).code() is StatusCode.UNAUTHENTICATED


def change(**fields: str) -> pb.ChangePasswordRequest:
    usual = {"request_id": str(uuid4()), "current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    return pb.ChangePasswordRequest(**usual | fields)


async def test_a_changed_password_is_the_one_that_counts(identity: Served) -> None:
    pair = await identity.stub.SignIn(sign_in())
    await identity.stub.ChangePassword(change(), metadata=identity.ada)
    assert (await refused(identity.stub.SignIn(sign_in()))).code() is StatusCode.UNAUTHENTICATED
    assert (await refused(refresh(identity, pair.refresh_token))).code() is StatusCode.UNAUTHENTICATED
    await identity.stub.SignIn(sign_in(password=OTHER_PASSWORD))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (change(current_password=""), "current_password"),
        (change(current_password="wrong"), "current_password"),
        (change(new_password="short"), "new_password"),
        (change(new_password="x" * 257), "new_password"),
        (change(new_password="password12345"), "new_password"),
        (change(new_password="the north remembers"), "new_password"),
    ],
)
async def test_changing_a_password_names_the_field_at_fault(
    identity: Served, request_: pb.ChangePasswordRequest, field: str
) -> None:
    assert field_of(await refused(identity.stub.ChangePassword(request_, metadata=identity.ada))) == field
