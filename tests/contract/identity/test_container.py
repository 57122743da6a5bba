"""Identity as the host runs it: the container over a real PostgreSQL, the request ledger, the outbox, the first organization."""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import credentials_pb2, quotas_pb2
from paideia.identity.v1 import identity_service_pb2 as pb
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceStub

from adapters.shared.grpc import Channels
from adapters.shared.resources import MissingSecret, Resources, Settings
from domain.shared.caller import Caller, Role
from domain.shared.clock import system_clock
from services.identity.container import open_context
from services.shared.keys import identity_keys
from services.shared.tokens import TokenVerifier
from tests.rpc.serving import Calls, serving

PASSWORD = "lantern orbit 42 velvet"
OTHER_PASSWORD = "quiet harbour 17 maple"
MESH_KEY = b"m" * 32


@pytest.fixture
async def resources(postgres: Any, tmp_path: Path) -> AsyncIterator[Resources]:
    (tmp_path / "identity_encryption_key").write_text(base64.b64encode(b"k" * 32).decode() + "\n")
    (tmp_path / "admin_password").write_text(PASSWORD + "\n")
    (tmp_path / "mesh_key").write_text("m" * 32 + "\n")
    (tmp_path / "postgres_paideia_identity").write_text(postgres.password("paideia_identity"))
    dsn = postgres.dsn("paideia_identity")
    template = "postgresql://{role}@" + dsn.rpartition("@")[2]
    settings = Settings(
        postgres_dsn=template,
        secrets_dir=tmp_path,
        redis_url="redis://127.0.0.1:1",
        kafka_bootstrap="127.0.0.1:1",
        bootstrap_organization=f"b{uuid4().hex}",
        bootstrap_admin="root",
    )
    it = Resources(
        settings,
        Channels(
            {"catalog": "127.0.0.1:1", "analytics": "127.0.0.1:1", "ingestion": "127.0.0.1:1"}, MESH_KEY, "identity", system_clock
        ),
    )
    yield it
    await it.close()


class Running:
    """Identity served behind the interceptors with its own ledger."""

    def __init__(self, stub: Any, organization: str, dsn: str) -> None:
        self.stub = stub
        self.organization = organization
        self.dsn = dsn
        self.root = Calls.as_(organization, "root", "ADMIN", "OPERATOR")

    async def sign_in(self, login: str = "root", password: str = PASSWORD, organization: str = "") -> pb.TokenPair:
        pair: pb.TokenPair = await self.stub.SignIn(
            pb.SignInRequest(organization=f"organizations/{organization or self.organization}", login=login, password=password)
        )
        return pair


@pytest.fixture
async def running(resources: Resources, postgres: Any) -> AsyncIterator[Running]:
    context = await open_context(resources)
    await context.ready()
    async with serving(context.add_to_server, context.ledger) as calls:
        yield Running(
            IdentityServiceStub(calls.channel),
            resources.settings.bootstrap_organization,
            postgres.dsn("paideia_identity"),
        )
    await context.close()


def code(outcome: Any) -> StatusCode:
    assert isinstance(outcome, AioRpcError), outcome
    return outcome.code()


async def test_the_first_administrator_signs_in_with_every_role_it_needs(running: Running) -> None:
    pair = await running.sign_in()
    verifier = TokenVerifier(identity_keys(running.stub.GetJwks), MESH_KEY, system_clock, issuer="http://localhost:8080")
    roles = frozenset({Role.ADMIN, Role.AUTHOR, Role.TEACHER, Role.OPERATOR})
    assert await verifier.verify(pair.access_token) == Caller(running.organization, "root", roles)


async def test_processes_that_start_together_found_one_organization(resources: Resources, postgres: Any) -> None:
    contexts = await asyncio.gather(*(open_context(resources) for _ in range(4)))
    again = await open_context(resources)
    for context in (*contexts, again):
        await context.close()
    connection = await asyncpg.connect(postgres.dsn("paideia_identity"))
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT set_config('paideia.organization', $1, true)", resources.settings.bootstrap_organization
            )
            assert await connection.fetchval("SELECT count(*) FROM users") == 1
            assert await connection.fetchval("SELECT count(*) FROM outbox") == 1
        assert await connection.fetchval("SELECT count(*) FROM users") == 0, "without an organization nothing is seen"
    finally:
        await connection.close()


async def test_without_a_bootstrap_organization_none_is_founded(resources: Resources) -> None:
    bare = Resources(replace(resources.settings, bootstrap_organization=""), resources.channels)
    context = await open_context(bare)
    await context.ready()
    await context.close()
    await bare.close()


async def test_a_repeated_founding_gets_the_first_answer(running: Running) -> None:
    west = f"w{uuid4().hex}"
    request = pb.CreateOrganizationRequest(
        request_id=str(uuid4()),
        organization_id=west,
        organization=pb.Organization(display_name="West"),
        admin_user_id="wilma",
        admin_password=OTHER_PASSWORD,
    )
    first = await running.stub.CreateOrganization(request, metadata=running.root)
    assert first.name == f"organizations/{west}"
    assert await running.stub.CreateOrganization(request, metadata=running.root) == first
    await running.sign_in("wilma", OTHER_PASSWORD, west)


async def test_a_plan_is_given_once_to_another_organization_and_told_to_it(running: Running, postgres: Any) -> None:
    west = f"w{uuid4().hex}"
    founding = pb.CreateOrganizationRequest(
        request_id=str(uuid4()),
        organization_id=west,
        organization=pb.Organization(display_name="West"),
        admin_user_id="wilma",
        admin_password=OTHER_PASSWORD,
    )
    await running.stub.CreateOrganization(founding, metadata=running.root)
    giving = quotas_pb2.SetOrganizationPlanRequest(request_id=str(uuid4()), name=f"organizations/{west}", plan="plans/large")
    first = await running.stub.SetOrganizationPlan(giving, metadata=running.root)
    assert first.plan == "plans/large"
    assert await running.stub.SetOrganizationPlan(giving, metadata=running.root) == first
    connection = await asyncpg.connect(postgres.dsn("paideia_identity"))
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('paideia.organization', $1, true)", west)
            told = await connection.fetch("SELECT type FROM outbox WHERE key = 'plan'")
    finally:
        await connection.close()
    assert [each["type"] for each in told] == ["paideia.identity.v1.OrganizationPlanChanged"]


async def test_usage_says_so_when_a_context_that_counts_is_away(running: Running) -> None:
    wanted = quotas_pb2.GetOrganizationUsageRequest(name=f"organizations/{running.organization}/usage")
    with pytest.raises(AioRpcError) as refusal:
        await running.stub.GetOrganizationUsage(wanted, metadata=running.root)
    assert code(refusal.value) is StatusCode.UNAVAILABLE


async def test_many_of_the_same_request_create_one_user_and_get_one_answer(running: Running) -> None:
    request = pb.CreateUserRequest(
        request_id=str(uuid4()), user_id="bob", user=pb.User(roles=[auth.ROLE_LEARNER]), password=OTHER_PASSWORD
    )
    answers = await asyncio.gather(*(running.stub.CreateUser(request, metadata=running.root) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    request.user.display_name = "another body"
    with pytest.raises(AioRpcError) as refusal:
        await running.stub.CreateUser(request, metadata=running.root)
    assert code(refusal.value) is StatusCode.ALREADY_EXISTS


async def test_a_failed_change_of_password_counts_although_its_request_is_undone(running: Running) -> None:
    def guess() -> Any:
        request = pb.ChangePasswordRequest(request_id=str(uuid4()), current_password="wrong", new_password=OTHER_PASSWORD)
        return running.stub.ChangePassword(request, metadata=running.root)

    for _ in range(10):
        with pytest.raises(AioRpcError) as refusal:
            await guess()
        assert code(refusal.value) is StatusCode.INVALID_ARGUMENT
    for outcome in await asyncio.gather(guess(), running.sign_in(), return_exceptions=True):
        assert code(outcome) is StatusCode.RESOURCE_EXHAUSTED


async def test_of_more_password_changes_than_connections_one_is_made_and_none_waits_in_vain(running: Running) -> None:
    def change(number: int) -> Any:
        request = pb.ChangePasswordRequest(
            request_id=str(uuid4()), current_password=PASSWORD, new_password=f"{OTHER_PASSWORD} {number}"
        )
        return running.stub.ChangePassword(request, metadata=running.root)

    outcomes = await asyncio.gather(*(change(number) for number in range(15)), return_exceptions=True)
    changed = [each for each in outcomes if isinstance(each, pb.ChangePasswordResponse)]
    others = {code(each) for each in outcomes if not isinstance(each, pb.ChangePasswordResponse)}
    assert len(changed) == 1
    # Of the others the current password was the right one no more; those after the tenth such failure were not even looked at.
    assert others <= {StatusCode.INVALID_ARGUMENT, StatusCode.RESOURCE_EXHAUSTED}


async def test_no_secret_lies_in_the_database(running: Running, postgres: Any) -> None:
    pair = await running.sign_in()
    await running.stub.CreateUser(
        pb.CreateUserRequest(
            request_id=str(uuid4()), user_id="bob", user=pb.User(roles=[auth.ROLE_LEARNER]), password=OTHER_PASSWORD
        ),
        metadata=running.root,
    )
    connection = await asyncpg.connect(postgres.superuser_dsn)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'identity'")
        everything = ""
        for table in tables:
            rows = await connection.fetch(f"SELECT t::text AS row FROM identity.{table['tablename']} t")
            everything += "".join(row["row"] for row in rows)
    finally:
        await connection.close()
    assert "bob" in everything
    secret = pair.refresh_token.rpartition(".")[2]
    for text in (PASSWORD, OTHER_PASSWORD, secret, pair.access_token):
        assert text not in everything
        assert text.encode().hex() not in everything


async def test_an_update_repeated_is_made_once(running: Running) -> None:
    request = pb.UpdateUserRequest(
        request_id=str(uuid4()),
        user=pb.User(name="users/root", display_name="Root"),
        update_mask=FieldMask(paths=["display_name"]),
    )
    first = await running.stub.UpdateUser(request, metadata=running.root)
    assert (first.display_name, await running.stub.UpdateUser(request, metadata=running.root)) == ("Root", first)


async def test_a_bad_encryption_key_stops_the_start_without_showing_it(resources: Resources) -> None:
    (resources.settings.secrets_dir / "identity_encryption_key").write_text("not base64!")
    with pytest.raises(ValueError, match="identity_encryption_key") as refusal:
        await open_context(resources)
    assert "not base64!" not in str(refusal.value)


async def test_a_key_vault_that_cannot_be_stops_the_start_with_its_name(resources: Resources) -> None:
    chosen = replace(resources.settings, key_vaults=("transit", "secret"), transit_address="http://127.0.0.1:1")
    vaulted = Resources(chosen, resources.channels)
    with pytest.raises(MissingSecret, match="transit_token"):
        await open_context(vaulted)
    await vaulted.close()


async def test_a_weak_first_password_stops_the_start_with_its_name(resources: Resources) -> None:
    (resources.settings.secrets_dir / "admin_password").write_text("password12345")
    with pytest.raises(ValueError, match="admin_password") as refusal:
        await open_context(resources)
    assert "password12345" not in str(refusal.value)


async def test_a_repeated_request_for_a_link_sends_one_mail(running: Running) -> None:
    request = pb.CreateUserRequest(
        request_id=str(uuid4()), user_id="bob", user=pb.User(email="bob@example.org", roles=[auth.ROLE_LEARNER])
    )
    await running.stub.CreateUser(request, metadata=running.root)
    bob = Calls.as_(running.organization, "bob", "LEARNER")
    asked = credentials_pb2.RequestEmailVerificationRequest(request_id=str(uuid4()))
    for _ in range(3):
        await running.stub.RequestEmailVerification(asked, metadata=bob)
    connection = await asyncpg.connect(running.dsn)
    try:
        async with connection.transaction():
            await connection.execute("SELECT set_config('paideia.organization', $1, true)", running.organization)
            assert await connection.fetchval("SELECT count(*) FROM links") == 1
            assert await connection.fetchval("SELECT count(*) FROM mails WHERE template = 'verify_email'") == 1
    finally:
        await connection.close()
