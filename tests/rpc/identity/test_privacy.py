"""Exports, erasures, consents, retention and the renewal of keys over a real channel."""

import io
import json
import zipfile
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import identity_service_pb2 as identity
from paideia.identity.v1 import privacy_pb2 as pb

from adapters.identity.memory_privacy import MemoryPersonalFiles
from domain.identity.people import Guardianship
from domain.identity.privacy import IDENTITY, PARTIES, Receipt
from domain.identity.use_cases.assemble_export import AssembleExport
from domain.identity.use_cases.carry_out_due_jobs import CarryOutDueJobs
from domain.identity.use_cases.take_receipt import TakeReceipt
from tests.rpc.identity.people import PASSWORD, North, Person

SETTINGS = "organizations/north/privacySettings"


async def refused(call: Any) -> tuple[StatusCode, str]:
    with pytest.raises(AioRpcError) as refusal:
        await call
    return refusal.value.code(), refusal.value.details() or ""


async def ada_of(north: North) -> Person:
    return await north.signs_in("ada", PASSWORD)


async def test_a_person_has_everything_collected_and_fetches_it(north: North) -> None:
    bob, files = await north.signs_in(), MemoryPersonalFiles()
    job = await bob.call("RequestExport", user="users/bob")
    assert (job.kind, job.state) == (pb.PRIVACY_JOB_KIND_EXPORT, pb.PRIVACY_JOB_STATE_RUNNING)
    assert job.progress == pytest.approx(1 / 7)
    again = await bob.call("RequestExport", user="users/bob")
    assert again.name == job.name
    take = TakeReceipt(north.memory.unit, AssembleExport(north.memory.unit, files, north.time.clock), north.time.clock)
    job_id = job.name.removeprefix("privacyJobs/")
    for context in sorted(PARTIES - {IDENTITY}):
        await files.put_part("north", job_id, context, b'{"attempts": []}')
        await take("north", job_id, Receipt(context, north.time.now, {"attempts": 2}))
    done = await bob.call("GetPrivacyJob", name=job.name)
    assert done.state == pb.PRIVACY_JOB_STATE_SUCCEEDED
    assert done.download_uri
    assert {each.context: dict(each.records) for each in done.receipts}["paths"] == {"attempts": 2}
    archive = zipfile.ZipFile(io.BytesIO(files.archives["north", job_id]))
    manifest = json.loads(archive.read("manifest.json"))
    assert [each["name"] for each in manifest["files"]] == sorted(f"{each}.json" for each in PARTIES)
    own = json.loads(archive.read("identity.json"))
    assert own["user"][0]["email"] == "bob@example.org"
    assert files.parts == {}


async def test_whoever_is_neither_the_person_nor_a_guardian_nor_an_administrator_finds_nobody(north: North) -> None:
    bob = await north.signs_in()
    job = await bob.call("RequestExport", user="users/bob")
    carl = await north.signs_in("carl", organization="south")
    ada = await ada_of(north)
    for rpc, fields in (
        ("RequestExport", {"user": "users/ada"}),
        ("RequestErasure", {"user": "users/ada"}),
        ("ListConsents", {"parent": "users/ada"}),
        ("RecordConsent", {"user": "users/ada", "purpose": "purposes/x", "version": 1}),
    ):
        assert (await refused(bob.call(rpc, **fields)))[0] is StatusCode.NOT_FOUND
        assert (await refused(carl.call(rpc, **fields)))[0] is StatusCode.NOT_FOUND
    assert (await refused(carl.call("GetPrivacyJob", name=job.name)))[0] is StatusCode.NOT_FOUND
    assert (await ada.call("GetPrivacyJob", name=job.name)).name == job.name
    assert (await refused(bob.call("ListPrivacyJobs")))[0] is StatusCode.PERMISSION_DENIED
    assert [each.name for each in (await ada.call("ListPrivacyJobs")).privacy_jobs] == [job.name]


async def test_an_erasure_waits_for_its_grace_period_and_can_be_cancelled(north: North) -> None:
    bob, ada = await north.signs_in(), await ada_of(north)
    job = await bob.call("RequestErasure", user="users/bob")
    assert job.state == pb.PRIVACY_JOB_STATE_WAITING
    assert job.due_time.ToDatetime() - job.create_time.ToDatetime() == timedelta(days=7)
    assert (await ada.call("RequestErasure", user="users/bob")).name == job.name
    cancelled = await bob.call("CancelErasure", name=job.name)
    assert cancelled.state == pb.PRIVACY_JOB_STATE_CANCELLED
    assert (await refused(bob.call("CancelErasure", name=job.name)))[0] is StatusCode.FAILED_PRECONDITION
    assert north.notices() == ["ERASURE_REQUESTED", "ERASURE_CANCELLED"]


async def test_after_the_grace_period_nobody_signs_in_and_nobody_gets_the_id_again(north: North) -> None:
    bob = await north.signs_in()
    await bob.call("RequestErasure", user="users/bob")
    carry_out = CarryOutDueJobs(north.memory.unit, north.memory.platform_unit, MemoryPersonalFiles(), north.time.clock)
    assert await carry_out() == 0
    north.time.passes(days=8)
    assert await carry_out() == 1
    for login in ("bob", "bob@example.org"):
        assert (await refused(north.signs_in(login)))[0] is StatusCode.UNAUTHENTICATED
    ada = await ada_of(north)
    another = identity.User(display_name="Another Bob", roles=[auth.ROLE_LEARNER])
    assert (await refused(ada.call("CreateUser", user_id="bob", user=another)))[0] is StatusCode.ALREADY_EXISTS
    (done,) = (await ada.call("ListPrivacyJobs")).privacy_jobs
    assert done.user.startswith("users/erased-")
    assert done.requester == done.user


async def test_an_erasure_wants_a_fresh_proof_and_leaves_an_administrator(north: North) -> None:
    bob, ada = await north.signs_in(), await ada_of(north)
    code, _ = await refused(ada.call("RequestErasure", user="users/ada"))
    assert code is StatusCode.FAILED_PRECONDITION
    north.time.passes(minutes=9, seconds=59)
    assert (await bob.call("RequestErasure", user="users/bob")).name
    north.time.passes(seconds=1)
    assert (await refused(bob.call("RequestErasure", user="users/bob")))[0] in (
        StatusCode.FAILED_PRECONDITION,
        StatusCode.UNAUTHENTICATED,
    )


async def test_consent_is_given_to_the_newest_words_and_withdrawn_at_any_time(north: North) -> None:
    bob, ada = await north.signs_in(), await ada_of(north)
    for words in ("May we?", "May we, please?", "May we, please?"):
        purpose = await ada.call("PublishPurpose", purpose=pb.Purpose(name="purposes/research", text=words))
    assert purpose.version == 2
    assert [each.text for each in (await bob.call("ListPurposes")).purposes] == ["May we, please?"]
    about = {"user": "users/bob", "purpose": "purposes/research"}
    assert (await refused(bob.call("RecordConsent", **about, version=1, given=True)))[0] is StatusCode.FAILED_PRECONDITION
    assert (await refused(bob.call("RecordConsent", **about, version=3, given=True)))[0] is StatusCode.NOT_FOUND
    await bob.call("RecordConsent", **about, version=2, given=True)
    await bob.call("RecordConsent", **about, version=1, given=False)
    history = (await ada.call("ListConsents", parent="users/bob")).consents
    assert [(each.version, each.given, each.current, each.by) for each in history] == [
        (2, True, False, "users/bob"),
        (1, False, True, "users/bob"),
    ]


async def test_a_learner_with_guardians_withdraws_alone_but_does_not_give(north: North) -> None:
    ada = await ada_of(north)
    await ada.call("PublishPurpose", purpose=pb.Purpose(name="purposes/research", text="May we?"))
    async with north.memory.unit("north") as unit:
        await unit.guardians.link(Guardianship("ada", "bob", north.time.now))
        await unit.commit()
    bob = await north.signs_in()
    about = {"user": "users/bob", "purpose": "purposes/research", "version": 1}
    code, details = await refused(bob.call("RecordConsent", **about, given=True))
    assert (code, "guardian" in details) == (StatusCode.FAILED_PRECONDITION, True)
    await ada.call("RecordConsent", **about, given=True)
    assert (await bob.call("RecordConsent", **about, given=False)).given is False


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("erasure_grace_days", 91),
        ("erasure_grace_days", -1),
        ("inactive_account_days", 29),
        ("mail_days", 0),
        ("sign_in_days", 2**31 - 1),
    ],
)
async def test_periods_out_of_their_ranges_are_refused(north: North, field: str, value: int) -> None:
    ada = await ada_of(north)
    settings = pb.PrivacySettings(name=SETTINGS, **{field: value})
    code, details = await refused(ada.call("UpdatePrivacySettings", settings=settings, update_mask=FieldMask(paths=[field])))
    assert code is StatusCode.INVALID_ARGUMENT
    assert "days" in details


async def test_periods_are_an_organizations_own(north: North) -> None:
    ada = await ada_of(north)
    settings = pb.PrivacySettings(name=SETTINGS, erasure_grace_days=0, mail_days=5)
    changed = await ada.call("UpdatePrivacySettings", settings=settings, update_mask=FieldMask(paths=["erasure_grace_days"]))
    assert (changed.erasure_grace_days, changed.mail_days) == (0, 30)
    assert await ada.call("GetPrivacySettings", name=SETTINGS) == changed
    for name in ("organizations/south/privacySettings", "organizations/none/privacySettings"):
        assert (await refused(ada.call("GetPrivacySettings", name=name)))[0] is StatusCode.NOT_FOUND
    assert (await refused(ada.call("GetPrivacySettings", name="organizations/north")))[0] is StatusCode.INVALID_ARGUMENT


async def test_only_an_operator_renews_keys_and_walks_through_every_organization(identity: Any) -> None:
    organizations, token = [], ""
    while True:
        step = await identity.stub.RotateKeys(
            pb.RotateKeysRequest(request_id=str(uuid4()), page_token=token), metadata=identity.operator
        )
        organizations.append(step.organization)
        if not (token := step.next_page_token):
            break
    assert organizations == ["organizations/north"]
    for metadata, token, code in (
        (identity.ada, "", StatusCode.PERMISSION_DENIED),
        (identity.operator, "nonsense", StatusCode.INVALID_ARGUMENT),
        (identity.operator, "renewed/../north", StatusCode.INVALID_ARGUMENT),
    ):
        request = pb.RotateKeysRequest(request_id=str(uuid4()), page_token=token)
        assert (await refused(identity.stub.RotateKeys(request, metadata=metadata)))[0] is code


@pytest.mark.parametrize(
    "email", ["аda@example.org", "ada@exаmple.org", "ada@example。org", "ada\u200b@example.org", "ad\u0131@example.org"]
)
async def test_addresses_that_only_look_like_others_are_refused(north: North, email: str) -> None:
    ada = await ada_of(north)
    code, _ = await refused(ada.call("CreateInvitation", invitation={"email": email, "roles": ["ROLE_LEARNER"]}))
    assert code is StatusCode.INVALID_ARGUMENT
