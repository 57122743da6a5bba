"""Plans and usage over a real channel, with real tokens."""

from dataclasses import replace
from typing import Any

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status import rpc_status
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import identity_service_pb2 as pb
from paideia.identity.v1 import people_pb2, quotas_pb2

from domain.identity.events import PlanChanged
from domain.identity.invitations import self_invitation
from domain.identity.links import LinkToken
from domain.shared.caller import Role
from domain.shared.ids import random_id
from domain.shared.plans import Plan, Quota, limit_of
from services.shared.keys import identity_keys
from services.shared.tokens import TokenVerifier
from tests.rpc.identity.people import ORIGIN, OTHER_PASSWORD, PASSWORD, North, Person

MOST_PEOPLE = limit_of(Quota.PEOPLE, Plan.TRIAL)


async def operator(north: North) -> Person:
    """`carl` of `south` runs the platform."""
    users = north.memory.tenants["south"].users
    users["carl"] = replace(users["carl"], roles=frozenset({Role.OPERATOR}))
    return await north.signs_in("carl", OTHER_PASSWORD, "south")


async def sets_plan(north: North, plan: str = "plans/trial", name: str = "organizations/north", **fields: str) -> Any:
    return await (await operator(north)).call("SetOrganizationPlan", name=name, plan=plan, **fields)


async def ada(north: North) -> Person:
    return await north.signs_in("ada", PASSWORD)


async def refusal(call: Any) -> AioRpcError:
    with pytest.raises(AioRpcError) as refused:
        await call
    return refused.value


def full(error: AioRpcError) -> dict[str, str]:
    """What an answer about a quota says of it."""
    assert error.code() is StatusCode.RESOURCE_EXHAUSTED, error.details()
    info, failure = error_details_pb2.ErrorInfo(), error_details_pb2.QuotaFailure()
    status = rpc_status.from_call(error)
    assert status is not None
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(failure)
    assert info.reason == "QUOTA_REACHED"
    assert failure.violations[0].subject == f"quotas/{info.metadata['quota']}"
    return dict(info.metadata)


async def fills_north(north: North) -> None:
    made = [pb.CreateUserRequest(user_id=f"p{at}", user=pb.User(roles=[auth.ROLE_LEARNER])) for at in range(MOST_PEOPLE - 2)]
    await (await ada(north)).call("BatchCreateUsers", requests=made)
    await sets_plan(north)


async def test_an_operator_gives_any_organization_a_plan(north: North) -> None:
    changed = await sets_plan(north)
    assert (changed.name, changed.plan) == ("organizations/north", "plans/trial")
    assert (await (await ada(north)).call("GetOrganization", name="organizations/north")).plan == "plans/trial"
    told = [each for each in north.memory.events("north") if isinstance(each, PlanChanged)]
    assert [(each.plan, each.before) for each in told] == [(Plan.TRIAL, Plan.STANDARD)]


async def test_nobody_else_gives_plans(north: North) -> None:
    call = (await ada(north)).call("SetOrganizationPlan", name="organizations/north", plan="plans/large")
    assert (await refusal(call)).code() is StatusCode.PERMISSION_DENIED
    assert (await (await ada(north)).call("GetOrganization", name="organizations/north")).plan == "plans/standard"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"plan": ""}, StatusCode.INVALID_ARGUMENT),
        ({"plan": "trial"}, StatusCode.INVALID_ARGUMENT),
        ({"plan": "plans/gold"}, StatusCode.INVALID_ARGUMENT),
        ({"name": "north"}, StatusCode.INVALID_ARGUMENT),
        ({"name": "organizations/nowhere"}, StatusCode.NOT_FOUND),
        ({"name": "organizations/-"}, StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_plan_or_an_organization_that_is_none_is_refused(north: North, fields: dict[str, str], code: StatusCode) -> None:
    assert (await refusal(sets_plan(north, **fields))).code() is code


async def test_administrators_see_their_own_usage_and_operators_everybodys(north: North) -> None:
    await sets_plan(north)
    name = "organizations/north/usage"
    usage = await (await ada(north)).call("GetOrganizationUsage", name=name)
    assert (usage.name, usage.plan) == (name, "plans/trial")
    assert [(each.quota, each.used, each.limit) for each in usage.quotas] == [
        ("people", 2, 50),
        ("classes", 0, 20),
        ("programs", 0, 2),
    ]
    assert await (await operator(north)).call("GetOrganizationUsage", name=name) == usage
    foreign = (await ada(north)).call("GetOrganizationUsage", name="organizations/south/usage")
    assert (await refusal(foreign)).code() is StatusCode.NOT_FOUND
    assert (
        await refusal((await north.signs_in()).call("GetOrganizationUsage", name=name))
    ).code() is StatusCode.PERMISSION_DENIED
    for wrong in ("", "organizations/north", "organizations/north/usage/", "usage", "organizations/north/usage/usage"):
        assert (await refusal((await ada(north)).call("GetOrganizationUsage", name=wrong))).code() is StatusCode.INVALID_ARGUMENT


async def test_a_full_organization_says_which_quota_is_used_up(north: North) -> None:
    await fills_north(north)
    me = await ada(north)
    expected = {"quota": "people", "limit": str(MOST_PEOPLE), "plan": "trial"}
    user = pb.User(roles=[auth.ROLE_LEARNER])
    refused = await refusal(me.call("CreateUser", user_id="more", user=user))
    assert full(refused) == expected
    assert "operator" in (refused.details() or "")
    one = pb.CreateUserRequest(user_id="more", user=user)
    assert full(await refusal(me.call("BatchCreateUsers", requests=[one]))) == expected
    # Who leaves makes room.
    await me.call("DeactivateUser", name="users/p1")
    await me.call("CreateUser", user_id="more", user=user)
    assert full(await refusal(me.call("CreateUser", user_id="again", user=user))) == expected


async def test_an_invitation_waits_for_room(north: North) -> None:
    await fills_north(north)
    token = LinkToken("north", "s" * 43)
    async with north.memory.unit("north") as unit:
        await unit.invitations.add(self_invitation(random_id(), "eve@example.org", token, north.time.now))
        await unit.commit()
    accept = people_pb2.AcceptInvitationRequest(token=str(token), user_id="eve", password="river candle 88 stone")
    assert full(await refusal(north.stub.AcceptInvitation(accept)))["quota"] == "people"
    await sets_plan(north, "plans/standard")
    assert (await north.stub.AcceptInvitation(accept)).user == "users/eve"


async def test_classes_and_programs_have_limits_of_their_own(north: North) -> None:
    await sets_plan(north)
    me = await ada(north)
    for at in range(limit_of(Quota.CLASSES, Plan.TRIAL)):
        await me.call("CreateClass", class_id=f"c{at}", school_class=people_pb2.Class(display_name="C"))
    more = me.call("CreateClass", class_id="more", school_class=people_pb2.Class(display_name="C"))
    assert full(await refusal(more)) == {"quota": "classes", "limit": "20", "plan": "trial"}
    await me.call("ArchiveClass", name="classes/c0")
    await me.call("CreateClass", class_id="more", school_class=people_pb2.Class(display_name="C"))


async def test_a_token_says_which_plan_it_was_issued_under(north: North) -> None:
    async def plan_of(person: Person) -> Plan:
        keys = identity_keys(lambda request, timeout: north.stub.GetJwks(request, timeout=timeout))
        verifier = TokenVerifier(keys, b"m" * 32, north.time.clock, issuer=ORIGIN)
        return (await verifier.verify(person.pair.access_token)).plan

    before = await north.signs_in()
    await sets_plan(north, "plans/large")
    assert await plan_of(before) is Plan.STANDARD
    before.pair = await north.stub.RefreshSession(pb.RefreshSessionRequest(refresh_token=before.pair.refresh_token))
    assert await plan_of(before) is Plan.LARGE
    assert await plan_of(await north.signs_in()) is Plan.LARGE


async def test_a_request_of_a_plan_is_counted_as_usage_of_none(north: North) -> None:
    """The operator's own organization is not touched by what they give to others."""
    await sets_plan(north)
    usage = quotas_pb2.GetOrganizationUsageRequest(name="organizations/south/usage")
    found = await north.stub.GetOrganizationUsage(usage, metadata=(await north.signs_in("ada", PASSWORD, "south")).metadata)
    assert found.plan == "plans/standard"
