from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import identity_service_pb2 as pb

from adapters.shared.grpc import domain_error
from domain.identity.events import UserCreated, UserDeactivated
from domain.shared.errors import InvalidInput
from tests.rpc.identity.conftest import OTHER_PASSWORD, PASSWORD, Served
from tests.rpc.serving import Calls

LEARNER = auth.ROLE_LEARNER


def user(**fields: Any) -> pb.User:
    return pb.User(**{"roles": [LEARNER]} | fields)


def creation(user_id: str = "bob", password: str | None = None, **fields: Any) -> pb.CreateUserRequest:
    return pb.CreateUserRequest(request_id=str(uuid4()), user_id=user_id, user=user(**fields), password=password)


async def refused(call: Any) -> AioRpcError:
    with pytest.raises(AioRpcError) as refusal:
        await call
    return refusal.value


def field_of(error: AioRpcError) -> str:
    assert error.code() is StatusCode.INVALID_ARGUMENT, error.details()
    typed = domain_error(error)
    assert isinstance(typed, InvalidInput)
    return typed.violations[0].field


async def test_a_created_user_is_found_and_listed(identity: Served) -> None:
    made = await identity.stub.CreateUser(creation(display_name="Bob", email="Bob@Example.org"), metadata=identity.ada)
    assert (made.name, made.display_name, made.email, list(made.roles)) == ("users/bob", "Bob", "bob@example.org", [LEARNER])
    assert not made.HasField("deactivate_time")
    assert await identity.stub.GetUser(pb.GetUserRequest(name="users/bob"), metadata=identity.ada) == made
    listed = await identity.stub.ListUsers(pb.ListUsersRequest(), metadata=identity.ada)
    assert [each.name for each in listed.users] == ["users/ada", "users/bob"]
    assert isinstance(identity.memory.events("north")[-1], UserCreated)


async def test_a_user_without_an_address_has_none_in_the_answer(identity: Served) -> None:
    assert not (await identity.stub.CreateUser(creation(), metadata=identity.ada)).HasField("email")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (creation(""), "user_id"),
        (creation("a b"), "user_id"),
        (creation("users/bob"), "user_id"),
        (creation("x" * 129), "user_id"),
        (creation("-bob"), "user_id"),
        (creation(display_name="x" * 201), "user.display_name"),
        (creation(display_name="a\0b"), "user.display_name"),
        (creation(email=""), "user.email"),
        (creation(email="bob"), "user.email"),
        (creation(email="x" * 300 + "@b.co"), "user.email"),
        (creation(roles=[]), "user.roles"),
        (creation(roles=[auth.ROLE_UNSPECIFIED]), "user.roles"),
        (creation(roles=[auth.ROLE_PUBLIC]), "user.roles"),
        (creation(roles=[auth.ROLE_SERVICE]), "user.roles"),
        (creation(roles=[LEARNER, 99]), "user.roles"),
        (creation(password="short"), "password"),
        (creation(password="x" * 257), "password"),
        (creation(password=""), "password"),
        (creation(password="password12345"), "password"),
        (creation("barnaby", password="barnaby is the best"), "password"),
    ],
)
async def test_creating_names_the_field_at_fault(identity: Served, request_: pb.CreateUserRequest, field: str) -> None:
    assert field_of(await refused(identity.stub.CreateUser(request_, metadata=identity.ada))) == field


async def test_an_id_and_an_address_are_taken_once(identity: Served) -> None:
    await identity.stub.CreateUser(creation(email="bob@example.org"), metadata=identity.ada)
    again = await refused(identity.stub.CreateUser(creation(), metadata=identity.ada))
    same_address = await refused(identity.stub.CreateUser(creation("carl", email="BOB@example.org"), metadata=identity.ada))
    assert (again.code(), same_address.code()) == (StatusCode.ALREADY_EXISTS,) * 2


async def test_only_an_operator_makes_operators(identity: Served) -> None:
    request = creation(roles=[auth.ROLE_OPERATOR, auth.ROLE_ADMIN])
    refusal = await refused(identity.stub.CreateUser(request, metadata=identity.ada))
    assert refusal.code() is StatusCode.PERMISSION_DENIED
    both = Calls.as_("north", "root", "ADMIN", "OPERATOR")
    made = await identity.stub.CreateUser(request, metadata=both)
    assert list(made.roles) == [auth.ROLE_ADMIN, auth.ROLE_OPERATOR]


def batch(*requests: pb.CreateUserRequest, skip_existing: bool = False) -> pb.BatchCreateUsersRequest:
    return pb.BatchCreateUsersRequest(request_id=str(uuid4()), requests=requests, skip_existing=skip_existing)


async def test_a_thousand_users_are_created_in_their_order(identity: Served) -> None:
    ids = [f"learner-{number}" for number in range(1000)]
    answer = await identity.stub.BatchCreateUsers(batch(*map(creation, ids)), metadata=identity.ada)
    assert [each.name for each in answer.users] == [f"users/{each}" for each in ids]


async def test_a_batch_with_a_taken_id_creates_nobody(identity: Served) -> None:
    refusal = await refused(identity.stub.BatchCreateUsers(batch(creation("bob"), creation("ada")), metadata=identity.ada))
    assert refusal.code() is StatusCode.ALREADY_EXISTS
    assert "ada" in (refusal.details() or "")
    missing = await refused(identity.stub.GetUser(pb.GetUserRequest(name="users/bob"), metadata=identity.ada))
    assert missing.code() is StatusCode.NOT_FOUND


async def test_a_batch_may_leave_taken_ids_as_they_stand(identity: Served) -> None:
    answer = await identity.stub.BatchCreateUsers(
        batch(creation("ada", display_name="other"), creation("bob"), skip_existing=True), metadata=identity.ada
    )
    assert [(each.name, each.display_name) for each in answer.users] == [("users/ada", ""), ("users/bob", "")]
    assert list(answer.users[0].roles) == [auth.ROLE_ADMIN]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (batch(), "requests"),
        (batch(*[creation(f"u{number}") for number in range(1001)]), "requests"),
        (batch(creation(), creation("a b")), "requests[1].user_id"),
        (batch(creation(), creation()), "requests[1].user_id"),
        (batch(creation("b", email="x@y.zz"), creation("c", email="X@y.zz")), "requests[1].user.email"),
        (batch(creation(roles=[99])), "requests[0].user.roles"),
        (batch(creation(password=PASSWORD)), "requests[0].password"),
    ],
)
async def test_a_batch_names_the_entry_at_fault(identity: Served, request_: pb.BatchCreateUsersRequest, field: str) -> None:
    assert field_of(await refused(identity.stub.BatchCreateUsers(request_, metadata=identity.ada))) == field


async def test_another_organizations_user_is_not_found_by_any_rpc(identity: Served) -> None:
    stranger = Calls.as_("south", "eve", "ADMIN", "OPERATOR")
    for call in (
        identity.stub.GetUser(pb.GetUserRequest(name="users/ada"), metadata=stranger),
        identity.stub.UpdateUser(
            pb.UpdateUserRequest(
                request_id=str(uuid4()),
                user=user(name="users/ada", display_name="mine"),
                update_mask=FieldMask(paths=["display_name"]),
            ),
            metadata=stranger,
        ),
        identity.stub.DeactivateUser(pb.DeactivateUserRequest(request_id=str(uuid4()), name="users/ada"), metadata=stranger),
        identity.stub.GetOrganization(pb.GetOrganizationRequest(name="organizations/north"), metadata=stranger),
    ):
        assert (await refused(call)).code() is StatusCode.NOT_FOUND
    assert not (await identity.stub.ListUsers(pb.ListUsersRequest(), metadata=stranger)).users


@pytest.mark.parametrize("name", ["", "ada", "users/", "learners/ada", "users/a/b", "users/a b", "users/" + "x" * 129])
async def test_a_malformed_name_is_refused(identity: Served, name: str) -> None:
    assert field_of(await refused(identity.stub.GetUser(pb.GetUserRequest(name=name), metadata=identity.ada))) == "name"
    deactivation = pb.DeactivateUserRequest(request_id=str(uuid4()), name=name)
    assert field_of(await refused(identity.stub.DeactivateUser(deactivation, metadata=identity.ada))) == "name"
    update = pb.UpdateUserRequest(request_id=str(uuid4()), user=user(name=name), update_mask=FieldMask(paths=["email"]))
    assert field_of(await refused(identity.stub.UpdateUser(update, metadata=identity.ada))) == "user.name"


async def test_pages_follow_each_other_to_the_end(identity: Served) -> None:
    await identity.stub.BatchCreateUsers(batch(*[creation(f"u{number}") for number in range(5)]), metadata=identity.ada)
    seen: list[str] = []
    token = ""
    while True:
        page = await identity.stub.ListUsers(pb.ListUsersRequest(page_size=2, page_token=token), metadata=identity.ada)
        seen += [each.name for each in page.users]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["users/ada", *(f"users/u{number}" for number in range(5))]


@pytest.mark.parametrize(
    ("request_", "field"),
    [(pb.ListUsersRequest(page_size=-1), "page_size"), (pb.ListUsersRequest(page_token="%%%"), "page_token")],
)
async def test_a_bad_page_is_refused(identity: Served, request_: pb.ListUsersRequest, field: str) -> None:
    assert field_of(await refused(identity.stub.ListUsers(request_, metadata=identity.ada))) == field


def change(*paths: str, name: str = "users/ada", **fields: Any) -> pb.UpdateUserRequest:
    return pb.UpdateUserRequest(request_id=str(uuid4()), user=pb.User(name=name, **fields), update_mask=FieldMask(paths=paths))


async def test_an_update_changes_what_the_mask_names_and_nothing_else(identity: Served) -> None:
    await identity.stub.CreateUser(creation(display_name="Bob", email="bob@example.org"), metadata=identity.ada)
    changed = await identity.stub.UpdateUser(
        change("display_name", name="users/bob", display_name="Robert", email="other@example.org", roles=[auth.ROLE_ADMIN]),
        metadata=identity.ada,
    )
    assert (changed.display_name, changed.email, list(changed.roles)) == ("Robert", "bob@example.org", [LEARNER])
    without = await identity.stub.UpdateUser(change("email", name="users/bob"), metadata=identity.ada)
    assert not without.HasField("email")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (change(), "update_mask"),
        (change("name"), "update_mask"),
        (change("password"), "update_mask"),
        (change("roles"), "user.roles"),
        (change("roles", roles=[99]), "user.roles"),
        (change("email", email="nothing"), "user.email"),
        (change("display_name", display_name="x" * 201), "user.display_name"),
    ],
)
async def test_an_update_names_the_field_at_fault(identity: Served, request_: pb.UpdateUserRequest, field: str) -> None:
    assert field_of(await refused(identity.stub.UpdateUser(request_, metadata=identity.ada))) == field


async def test_the_last_administrator_can_neither_step_down_nor_be_deactivated(identity: Served) -> None:
    down = await refused(identity.stub.UpdateUser(change("roles", roles=[LEARNER]), metadata=identity.ada))
    deactivation = pb.DeactivateUserRequest(request_id=str(uuid4()), name="users/ada")
    out = await refused(identity.stub.DeactivateUser(deactivation, metadata=identity.ada))
    assert (down.code(), out.code()) == (StatusCode.FAILED_PRECONDITION,) * 2
    await identity.stub.CreateUser(creation(roles=[auth.ROLE_ADMIN]), metadata=identity.ada)
    await identity.stub.UpdateUser(change("roles", roles=[LEARNER]), metadata=identity.ada)


async def test_a_deactivated_user_stays_visible_and_is_deactivated_once(identity: Served) -> None:
    await identity.stub.CreateUser(creation(), metadata=identity.ada)
    gone = await identity.stub.DeactivateUser(
        pb.DeactivateUserRequest(request_id=str(uuid4()), name="users/bob"), metadata=identity.ada
    )
    assert gone.HasField("deactivate_time")
    assert await identity.stub.GetUser(pb.GetUserRequest(name="users/bob"), metadata=identity.ada) == gone
    again = await refused(
        identity.stub.DeactivateUser(pb.DeactivateUserRequest(request_id=str(uuid4()), name="users/bob"), metadata=identity.ada)
    )
    assert again.code() is StatusCode.FAILED_PRECONDITION
    assert [type(each) for each in identity.memory.events("north")].count(UserDeactivated) == 1


def founding(organization_id: str = "west", **fields: Any) -> pb.CreateOrganizationRequest:
    usual: dict[str, Any] = {
        "request_id": str(uuid4()),
        "organization": pb.Organization(display_name="West"),
        "admin_user_id": "root",
        "admin_password": OTHER_PASSWORD,
    }
    return pb.CreateOrganizationRequest(organization_id=organization_id, **usual | fields)


async def test_an_operator_founds_an_organization_whose_administrator_can_sign_in(identity: Served) -> None:
    founded = await identity.stub.CreateOrganization(founding(), metadata=identity.operator)
    assert (founded.name, founded.display_name) == ("organizations/west", "West")
    own = await identity.stub.GetOrganization(
        pb.GetOrganizationRequest(name="organizations/west"), metadata=Calls.as_("west", "root", "ADMIN")
    )
    assert own == founded
    await identity.stub.SignIn(pb.SignInRequest(organization="organizations/west", login="root", password=OTHER_PASSWORD))
    again = await refused(identity.stub.CreateOrganization(founding(), metadata=identity.operator))
    assert again.code() is StatusCode.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (founding(""), "organization_id"),
        (founding("-"), "organization_id"),
        (founding("West"), "organization_id"),
        (founding("x" * 64), "organization_id"),
        (founding(organization=pb.Organization()), "organization.display_name"),
        (founding(organization=pb.Organization(display_name="x" * 201)), "organization.display_name"),
        (founding(admin_user_id=""), "admin_user_id"),
        (founding(admin_password=""), "admin_password"),
        (founding(admin_password="west west west west"), "admin_password"),
    ],
)
async def test_founding_names_the_field_at_fault(identity: Served, request_: pb.CreateOrganizationRequest, field: str) -> None:
    assert field_of(await refused(identity.stub.CreateOrganization(request_, metadata=identity.operator))) == field


async def test_me_is_who_the_token_says(identity: Served) -> None:
    me = await identity.stub.GetMe(pb.GetMeRequest(), metadata=identity.learner)
    assert (me.user, me.organization, list(me.roles)) == ("users/bob", "organizations/north", [LEARNER])


@pytest.mark.parametrize(
    ("rpc", "request_"),
    [
        ("CreateOrganization", founding()),
        ("CreateUser", creation()),
        ("BatchCreateUsers", batch(creation())),
        ("GetUser", pb.GetUserRequest(name="users/ada")),
        ("ListUsers", pb.ListUsersRequest()),
        ("UpdateUser", change("email")),
        ("DeactivateUser", pb.DeactivateUserRequest(request_id=str(uuid4()), name="users/ada")),
    ],
)
async def test_a_learner_manages_nobody_and_nobody_unknown_either(identity: Served, rpc: str, request_: Any) -> None:
    forbidden = await refused(getattr(identity.stub, rpc)(request_, metadata=identity.learner))
    assert forbidden.code() is StatusCode.PERMISSION_DENIED
    assert (await refused(getattr(identity.stub, rpc)(request_))).code() is StatusCode.UNAUTHENTICATED
