"""The audit log over a real channel, fed as the log feeds it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from dependency_injector import providers
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.audit.v1 import audit_service_pb2 as pb
from paideia.audit.v1.audit_service_pb2_grpc import AuditServiceStub, add_AuditServiceServicer_to_server
from paideia.audit.v1.events_pb2 import ActRecorded
from paideia.identity.v1 import events_pb2 as identity

from adapters.audit.memory import MemoryAuditStore
from adapters.shared.delivery import Message as LogMessage
from services.audit.container import AuditContainer
from tests.rpc.serving import Calls, serving
from tests.unit.audit.chains import NOW

EARLIER = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
AT = Timestamp()
AT.FromDatetime(NOW)


def message(event: Message, organization: str = "north") -> LogMessage:
    headers = {
        "ce_id": str(uuid4()),
        "ce_type": event.DESCRIPTOR.full_name,
        "ce_organization": organization,
        "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
    }
    return LogMessage("t", 0, 0, "k", event.SerializeToString(), headers, NOW.timestamp())


@dataclass
class Audit:
    stub: AuditServiceStub
    calls: Calls
    container: AuditContainer
    store: MemoryAuditStore

    async def hear(self, *events: Message, organization: str = "north") -> None:
        await self.container.acts()([message(each, organization) for each in events])

    async def __call__(self, method: str, request: Message, *roles: str, organization: str = "north") -> Message:
        return await getattr(self.stub, method)(request, metadata=self.calls.as_(organization, "ann", *(roles or ("ADMIN",))))

    async def listed(self, **fields: object) -> list[tuple[str, str, str, str]]:
        acts = (await self("ListActs", pb.ListActsRequest(**fields))).acts
        return [(each.act, each.actor, each.target, pb.Outcome.Name(each.outcome)) for each in acts]


@pytest.fixture
async def audit() -> AsyncIterator[Audit]:
    store = MemoryAuditStore()
    container = AuditContainer(
        unit=providers.Factory(store.unit),
        clock=providers.Object(lambda: NOW),
        key=providers.Object(bytes(range(32))),
        earlier_keys=(EARLIER,),
    )
    servicer = container.servicer()
    async with serving(lambda server: add_AuditServiceServicer_to_server(servicer, server)) as calls:
        yield Audit(AuditServiceStub(calls.channel), calls, container, store)


async def test_acts_and_identitys_events_are_recorded_in_words(audit: Audit) -> None:
    await audit.hear(
        ActRecorded(act="identity.UpdateUser", actor="users/ann", target="users/eve", outcome="SUCCEEDED", occur_time=AT),
        identity.SecurityNoticed(user="users/eve", notice="SIGNED_IN", notice_time=AT, network="192.0.2.0/24"),
        identity.SecurityNoticed(user="users/eve", notice="TOTP_REPLAYED", notice_time=AT),
        identity.SecurityNoticed(user="users/eve", notice="SIGN_IN_CHALLENGED", notice_time=AT),
        identity.SessionRevoked(user="users/eve", session="sessions/s", revoke_time=AT),
        identity.SightChanged(user="users/eve", change_time=AT),
        identity.OrganizationPlanChanged(
            organization="organizations/north", plan="plans/large", plan_before="plans/standard", change_time=AT
        ),
        *(
            identity.SecurityNoticed(user="users/eve", notice=each, notice_time=AT)
            for each in ("PERSON_ERASED", "CONSENT_WITHDRAWN")
        ),
    )
    assert await audit.listed() == [
        ("identity.UpdateUser", "users/ann", "users/eve", "OUTCOME_SUCCEEDED"),
        ("identity.SignedIn", "users/eve", "users/eve", "OUTCOME_SUCCEEDED"),
        ("identity.TotpReplayed", "", "users/eve", "OUTCOME_REFUSED"),
        ("identity.SignInChallenged", "users/eve", "users/eve", "OUTCOME_CHALLENGED"),
        ("identity.SessionRevoked", "", "users/eve", "OUTCOME_SUCCEEDED"),
        ("identity.OrganizationPlanChanged", "", "plans/large", "OUTCOME_SUCCEEDED"),
        ("identity.PersonErased", "", "users/eve", "OUTCOME_SUCCEEDED"),
        ("identity.ConsentWithdrawn", "", "users/eve", "OUTCOME_SUCCEEDED"),
    ]
    acts = (await audit("ListActs", pb.ListActsRequest(page_size=1))).acts
    assert (acts[0].trace_id, acts[0].sequence, acts[0].count) == ("ab" * 16, 1, 1)
    assert (await audit("ListActs", pb.ListActsRequest(page_size=2))).acts[1].address == "192.0.2.0/24"


async def test_acts_are_recorded_before_the_rest_that_follows_them(audit: Audit) -> None:
    told = message(identity.UserCreated(user="users/eve", create_time=AT))
    resting = asyncio.create_task(audit.container.acts(rest=60.0)([told]))
    while not (recorded := await audit.listed()):
        await asyncio.sleep(0)
    assert [act for act, *_ in recorded] == ["identity.UserCreated"]
    assert not resting.done()
    resting.cancel()
    # Cut off in its rest, a batch comes again.
    await asyncio.gather(resting, return_exceptions=True)
    await audit.container.acts()([told])
    assert len(await audit.listed()) == 1


async def test_a_message_of_an_unheard_of_type_is_not_swallowed(audit: Audit) -> None:
    odd = message(identity.UserCreated(user="users/eve"))
    headers = dict(odd.headers) | {"ce_type": "paideia.identity.v1.NoSuchThing"}
    with pytest.raises(KeyError):
        await audit.container.acts()([LogMessage("t", 0, 0, "k", odd.value, headers)])


async def test_pages_follow_each_other(audit: Audit) -> None:
    await audit.hear(*(identity.UserCreated(user=f"users/u{number}", create_time=AT) for number in range(5)))
    found, token = [], ""
    while True:
        page = await audit("ListActs", pb.ListActsRequest(page_size=2, page_token=token))
        found += [each.target for each in page.acts]
        if not (token := page.next_page_token):
            break
    assert found == [f"users/u{number}" for number in range(5)]


async def test_a_chain_is_verified_and_its_head_can_be_kept(audit: Audit) -> None:
    with pytest.raises(AioRpcError) as nothing:
        await audit("GetHead", pb.GetHeadRequest())
    assert nothing.value.code() is StatusCode.NOT_FOUND
    await audit.hear(identity.UserCreated(user="users/eve", create_time=AT))
    head = await audit("GetHead", pb.GetHeadRequest())
    assert (head.sequence, len(head.public_key)) == (1, 43)
    assert list((await audit("ListHeadKeys", pb.ListHeadKeysRequest())).public_keys) == [head.public_key, EARLIER]
    verdict = await audit("VerifyActs", pb.VerifyActsRequest(known_head=head.signature))
    assert (verdict.act_count, verdict.head_count, verdict.done, list(verdict.faults)) == (1, 1, True, [])
    audit.store.states["north"].links.clear()
    audit.store.states["north"].heads.clear()
    verdict = await audit("VerifyActs", pb.VerifyActsRequest(known_head=head.signature))
    assert [pb.FaultKind.Name(each.kind) for each in verdict.faults] == ["FAULT_KIND_CUT_OFF"]


async def test_another_organization_sees_its_own_chain_only(audit: Audit) -> None:
    await audit.hear(identity.UserCreated(user="users/eve", create_time=AT))
    assert not (await audit("ListActs", pb.ListActsRequest(), organization="south")).acts
    with pytest.raises(AioRpcError) as nothing:
        await audit("GetHead", pb.GetHeadRequest(), organization="south")
    assert nothing.value.code() is StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("method", "request_", "roles", "code"),
    [
        ("ListActs", pb.ListActsRequest(), ("TEACHER", "AUTHOR", "LEARNER"), StatusCode.PERMISSION_DENIED),
        ("ListActs", pb.ListActsRequest(platform=True), ("ADMIN",), StatusCode.PERMISSION_DENIED),
        ("VerifyActs", pb.VerifyActsRequest(platform=True), ("ADMIN",), StatusCode.PERMISSION_DENIED),
        ("GetHead", pb.GetHeadRequest(platform=True), ("ADMIN",), StatusCode.PERMISSION_DENIED),
        ("ListHeadKeys", pb.ListHeadKeysRequest(), ("TEACHER", "AUTHOR", "LEARNER"), StatusCode.PERMISSION_DENIED),
        ("ListActs", pb.ListActsRequest(page_token="x"), ("ADMIN",), StatusCode.INVALID_ARGUMENT),
        ("ListActs", pb.ListActsRequest(page_size=-1), ("ADMIN",), StatusCode.INVALID_ARGUMENT),
        ("ListActs", pb.ListActsRequest(actor="\0"), ("ADMIN",), StatusCode.INVALID_ARGUMENT),
        ("ListActs", pb.ListActsRequest(act="x" * 1000), ("ADMIN",), StatusCode.INVALID_ARGUMENT),
        ("ListActs", pb.ListActsRequest(start_time=Timestamp(seconds=10**15)), ("ADMIN",), StatusCode.INVALID_ARGUMENT),
        ("VerifyActs", pb.VerifyActsRequest(after_sequence=-1), ("ADMIN",), StatusCode.INVALID_ARGUMENT),
        ("VerifyActs", pb.VerifyActsRequest(after_sequence=3), ("ADMIN",), StatusCode.INVALID_ARGUMENT),
        ("VerifyActs", pb.VerifyActsRequest(after_hash="zz"), ("ADMIN",), StatusCode.INVALID_ARGUMENT),
        ("VerifyActs", pb.VerifyActsRequest(known_head="a.b.c"), ("ADMIN",), StatusCode.INVALID_ARGUMENT),
    ],
    ids=str,
)
async def test_refusals(audit: Audit, method: str, request_: Message, roles: tuple[str, ...], code: StatusCode) -> None:
    with pytest.raises(AioRpcError) as refusal:
        await audit(method, request_, *roles)
    assert refusal.value.code() is code


async def test_operators_see_the_chain_of_the_platform(audit: Audit) -> None:
    await audit.hear(
        ActRecorded(act="identity.SignIn", actor="claims/ab", outcome="REFUSED", occur_time=AT), organization="made-up"
    )
    await audit.hear(identity.SigningKeyMade(signing_key="signingKeys/k-2", make_time=AT, sign_time=AT), organization="-")
    page = await audit("ListActs", pb.ListActsRequest(platform=True), "OPERATOR")
    assert [(each.act, each.actor, each.target) for each in page.acts] == [
        ("identity.SignIn", "claims/ab", ""),
        ("identity.SigningKeyMade", "", "signingKeys/k-2"),
    ]
