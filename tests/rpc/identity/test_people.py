"""Settings, profiles, classes, invitations, sign-up, guardians and mails over a real channel."""

import asyncio
import re
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import identity_service_pb2 as pb
from paideia.identity.v1 import people_pb2 as people

from adapters.shared.grpc import domain_error
from domain.identity.events import SightChanged
from domain.identity.mail_queue import Mail
from domain.shared.errors import InvalidInput
from tests.rpc.identity.conftest import OTHER_PASSWORD, Served
from tests.rpc.serving import Calls

SOUTH = Calls.as_("south", "sue", "ADMIN")
OUTCOME = people.EnrolmentVerdict


def request_id() -> str:
    return str(uuid4())


async def refused(call: Any) -> AioRpcError:
    with pytest.raises(AioRpcError) as refusal:
        await call
    return refusal.value


def field_of(error: AioRpcError) -> str:
    typed = domain_error(error)
    assert isinstance(typed, InvalidInput), error.details()
    return typed.violations[0].field


def reason_of(error: AioRpcError) -> str:
    return domain_error(error).reason  # type: ignore[attr-defined,no-any-return]


async def with_user(identity: Served, user_id: str, *roles: auth.Role, email: str | None = None) -> None:
    user = pb.User(roles=roles or [auth.ROLE_LEARNER], email=email)
    await identity.stub.CreateUser(
        pb.CreateUserRequest(request_id=request_id(), user_id=user_id, user=user), metadata=identity.ada
    )


async def with_class(identity: Served, class_id: str, teacher: str = "", *learners: str) -> None:
    new = people.CreateClassRequest(
        request_id=request_id(), class_id=class_id, school_class=people.Class(display_name=f"Class {class_id}")
    )
    await identity.stub.CreateClass(new, metadata=identity.ada)
    for part, users in ((people.CLASS_PART_TEACHER, [teacher] if teacher else []), (people.CLASS_PART_LEARNER, learners)):
        if users:
            await identity.stub.AddClassMembers(members(class_id, users, part), metadata=identity.ada)


def members(class_id: str, users: Any, part: people.ClassPart = people.CLASS_PART_LEARNER) -> people.AddClassMembersRequest:
    names = [f"users/{each}" for each in users]
    return people.AddClassMembersRequest(request_id=request_id(), name=f"classes/{class_id}", users=names, part=part)


async def settings(identity: Served, *fields: str, etag: str = "", metadata: Any = None, **values: Any) -> pb.Organization:
    request = pb.UpdateOrganizationRequest(
        request_id=request_id(),
        organization=pb.Organization(name="organizations/north", etag=etag, **values),
        update_mask=FieldMask(paths=fields or list(values)),
    )
    answer: pb.Organization = await identity.stub.UpdateOrganization(request, metadata=metadata or identity.ada)
    return answer


def mails(identity: Served) -> list[Mail]:
    return identity.memory.tenants["north"].credentials.mails


def invitation(email: str = "Eve@example.org", *roles: auth.Role, school_class: str = "") -> people.CreateInvitationRequest:
    wanted = people.Invitation(email=email, roles=roles or [auth.ROLE_LEARNER], school_class=school_class)
    return people.CreateInvitationRequest(request_id=request_id(), invitation=wanted)


def acceptance(token: str, user_id: str = "eve", password: str = OTHER_PASSWORD) -> people.AcceptInvitationRequest:
    return people.AcceptInvitationRequest(token=token, user_id=user_id, display_name="Eve", password=password)


async def test_an_organization_changes_what_the_mask_names_and_nothing_else(identity: Served) -> None:
    changed = await settings(identity, "locale", "time_zone", locale="de-AT", time_zone="Europe/Vienna", display_name="not this")
    assert (changed.locale, changed.time_zone, changed.display_name) == ("de-AT", "Europe/Vienna", "North")
    read = await identity.stub.GetOrganization(pb.GetOrganizationRequest(name="organizations/north"), metadata=identity.learner)
    assert read == changed
    assert read.sign_up_policy == people.SIGN_UP_POLICY_CLOSED


async def test_an_etag_from_before_another_change_is_refused(identity: Served) -> None:
    first = await settings(identity, display_name="North One")
    second = await settings(identity, display_name="North Two", etag=first.etag)
    refusal = await refused(settings(identity, display_name="North Three", etag=first.etag))
    assert refusal.code() is StatusCode.ABORTED
    assert second.etag != first.etag


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"locale": "german"}, "organization.locale"),
        ({"time_zone": "Europe/Nowhere"}, "organization.time_zone"),
        ({"time_zone": "../../etc/passwd"}, "organization.time_zone"),
        ({"sign_up_policy": people.SIGN_UP_POLICY_BY_DOMAIN}, "organization.sign_up_domains"),
        ({"sign_up_domains": ["not a domain"]}, "organization.sign_up_domains"),
        ({"sign_up_policy": 77}, "organization.sign_up_policy"),
        ({"teachers_see": 77}, "organization.teachers_see"),
        ({"display_name": ""}, "organization.display_name"),
    ],
)
async def test_a_setting_that_cannot_be_is_named(identity: Served, values: dict[str, Any], field: str) -> None:
    assert field_of(await refused(settings(identity, **values))) == field


async def test_only_an_administrator_of_the_organization_changes_it(identity: Served) -> None:
    by_teacher = await refused(settings(identity, display_name="Mine", metadata=Calls.as_("north", "tom", "TEACHER")))
    assert by_teacher.code() is StatusCode.PERMISSION_DENIED
    assert (await refused(settings(identity, display_name="Mine", metadata=SOUTH))).code() is StatusCode.NOT_FOUND


async def test_a_person_changes_their_profile_and_a_teacher_reads_it(identity: Served) -> None:
    await with_user(identity, "bob")
    wanted = people.Profile(locale="de", time_zone="Europe/Vienna", accessibility=people.Accessibility(extra_time=1.5))
    update = people.UpdateMyProfileRequest(
        request_id=request_id(), profile=wanted, update_mask=FieldMask(paths=["locale", "time_zone", "accessibility"])
    )
    changed = await identity.stub.UpdateMyProfile(update, metadata=identity.learner)
    assert (changed.name, changed.locale, changed.accessibility.extra_time) == ("users/bob/profile", "de", 1.5)
    assert await identity.stub.GetMyProfile(people.GetMyProfileRequest(), metadata=identity.learner) == changed
    ask = people.GetProfileRequest(name="users/bob/profile")
    assert await identity.stub.GetProfile(ask, metadata=Calls.as_("north", "tom", "TEACHER")) == changed
    assert (await refused(identity.stub.GetProfile(ask, metadata=SOUTH))).code() is StatusCode.NOT_FOUND
    assert (await refused(identity.stub.GetProfile(ask, metadata=identity.learner))).code() is StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("factor", [0.5, 4.5, float("nan"), float("inf"), -1.0])
async def test_an_extra_time_that_cannot_be_is_refused(identity: Served, factor: float) -> None:
    await with_user(identity, "bob")
    profile = people.Profile(accessibility=people.Accessibility(extra_time=factor))
    update = people.UpdateMyProfileRequest(
        request_id=request_id(), profile=profile, update_mask=FieldMask(paths=["accessibility"])
    )
    refusal = await refused(identity.stub.UpdateMyProfile(update, metadata=identity.learner))
    assert field_of(refusal) == "profile.accessibility.extra_time"


async def test_an_invited_person_becomes_a_user_of_the_class_and_signs_in(identity: Served) -> None:
    await with_class(identity, "7a")
    made = await identity.stub.CreateInvitation(invitation(school_class="classes/7a"), metadata=identity.ada)
    assert (made.state, made.email, made.inviter) == (people.INVITATION_STATE_OPEN, "eve@example.org", "users/ada")
    token = mails(identity)[-1].fields["token"]
    assert (mails(identity)[-1].to, mails(identity)[-1].template) == ("eve@example.org", "invitation")
    answer = await identity.stub.AcceptInvitation(acceptance(token))
    assert (answer.user, answer.organization) == ("users/eve", "organizations/north")
    signed_in = await identity.stub.SignIn(
        pb.SignInRequest(organization="organizations/north", login="eve@example.org", password=OTHER_PASSWORD)
    )
    assert signed_in.access_token
    listed = await identity.stub.ListClassMembers(people.ListClassMembersRequest(parent="classes/7a"), metadata=identity.ada)
    assert [(each.user, each.part) for each in listed.members] == [("users/eve", people.CLASS_PART_LEARNER)]
    shown = await identity.stub.GetInvitation(people.GetInvitationRequest(name=made.name), metadata=identity.ada)
    assert shown.state == people.INVITATION_STATE_ACCEPTED


async def test_an_invitation_is_good_once_even_for_two_at_once(identity: Served) -> None:
    await identity.stub.CreateInvitation(invitation(), metadata=identity.ada)
    token = mails(identity)[-1].fields["token"]
    answers = await asyncio.gather(
        *(identity.stub.AcceptInvitation(acceptance(token, each)) for each in ("eve", "mallory")), return_exceptions=True
    )
    refusals = [each for each in answers if isinstance(each, AioRpcError)]
    assert len(refusals) == 1
    assert (refusals[0].code(), reason_of(refusals[0])) == (StatusCode.FAILED_PRECONDITION, "INVITATION_REFUSED")


@pytest.mark.parametrize("token", ["north.made-up", "nowhere.made-up", "no dot", "..", "north."])
async def test_a_link_that_was_made_up_is_refused_like_a_used_one(identity: Served, token: str) -> None:
    assert reason_of(await refused(identity.stub.AcceptInvitation(acceptance(token)))) == "INVITATION_REFUSED"


async def test_a_weak_password_or_a_taken_id_leaves_the_invitation_good(identity: Served) -> None:
    await identity.stub.CreateInvitation(invitation(), metadata=identity.ada)
    token = mails(identity)[-1].fields["token"]
    assert field_of(await refused(identity.stub.AcceptInvitation(acceptance(token, password="short")))) == "password"
    taken = await refused(identity.stub.AcceptInvitation(acceptance(token, "ada")))
    assert taken.code() is StatusCode.ALREADY_EXISTS
    await identity.stub.AcceptInvitation(acceptance(token))


async def test_a_new_invitation_of_an_address_ends_the_one_before(identity: Served) -> None:
    first = await identity.stub.CreateInvitation(invitation(), metadata=identity.ada)
    old = mails(identity)[-1].fields["token"]
    await identity.stub.CreateInvitation(invitation("eve@example.org"), metadata=identity.ada)
    assert reason_of(await refused(identity.stub.AcceptInvitation(acceptance(old)))) == "INVITATION_REFUSED"
    shown = await identity.stub.GetInvitation(people.GetInvitationRequest(name=first.name), metadata=identity.ada)
    assert shown.state == people.INVITATION_STATE_REVOKED


async def test_a_revoked_invitation_admits_nobody_and_cannot_be_sent_again(identity: Served) -> None:
    made = await identity.stub.CreateInvitation(invitation(), metadata=identity.ada)
    revoke = people.RevokeInvitationRequest(request_id=request_id(), name=made.name)
    await identity.stub.RevokeInvitation(revoke, metadata=identity.ada)
    token = mails(identity)[-1].fields["token"]
    assert reason_of(await refused(identity.stub.AcceptInvitation(acceptance(token)))) == "INVITATION_REFUSED"
    again = people.ResendInvitationRequest(request_id=request_id(), name=made.name)
    assert reason_of(await refused(identity.stub.ResendInvitation(again, metadata=identity.ada))) == "INVITATION_CLOSED"


async def test_an_invitation_is_not_sent_twice_within_a_minute(identity: Served) -> None:
    made = await identity.stub.CreateInvitation(invitation(), metadata=identity.ada)
    again = people.ResendInvitationRequest(request_id=request_id(), name=made.name)
    refusal = await refused(identity.stub.ResendInvitation(again, metadata=identity.ada))
    assert refusal.code() is StatusCode.RESOURCE_EXHAUSTED


async def test_nobody_invites_somebody_who_is_there_nor_makes_operators_nor_names_a_missing_class(identity: Served) -> None:
    await with_user(identity, "bob", email="bob@example.org")
    known = await refused(identity.stub.CreateInvitation(invitation("bob@example.org"), metadata=identity.ada))
    assert reason_of(known) == "EMAIL_TAKEN"
    operator = await refused(
        identity.stub.CreateInvitation(invitation("o@example.org", auth.ROLE_OPERATOR), metadata=identity.ada)
    )
    assert operator.code() is StatusCode.PERMISSION_DENIED
    lost = await refused(identity.stub.CreateInvitation(invitation(school_class="classes/none"), metadata=identity.ada))
    assert lost.code() is StatusCode.NOT_FOUND
    assert not mails(identity)


async def test_another_organization_finds_no_invitation(identity: Served) -> None:
    made = await identity.stub.CreateInvitation(invitation(), metadata=identity.ada)
    refusal = await refused(identity.stub.GetInvitation(people.GetInvitationRequest(name=made.name), metadata=SOUTH))
    assert refusal.code() is StatusCode.NOT_FOUND


def sign_up(email: str, organization: str = "organizations/north") -> people.SignUpRequest:
    return people.SignUpRequest(organization=organization, email=email)


async def test_a_closed_organization_and_one_that_is_not_there_refuse_sign_ups_alike(identity: Served) -> None:
    closed = await refused(identity.stub.SignUp(sign_up("eve@example.org")))
    nowhere = await refused(identity.stub.SignUp(sign_up("eve@example.org", "organizations/nowhere")))
    assert (closed.code(), closed.details()) == (nowhere.code(), nowhere.details())
    assert reason_of(closed) == "SIGN_UP_CLOSED"


async def test_sign_up_by_domain_admits_the_domain_and_no_subdomain(identity: Served) -> None:
    await settings(identity, sign_up_policy=people.SIGN_UP_POLICY_BY_DOMAIN, sign_up_domains=["Example.org"])
    await identity.stub.SignUp(sign_up("eve@EXAMPLE.org"))
    for other in ("eve@sub.example.org", "eve@example.org.evil.test", "eve@notexample.org"):
        assert reason_of(await refused(identity.stub.SignUp(sign_up(other)))) == "SIGN_UP_CLOSED"
    token = mails(identity)[-1].fields["token"]
    await identity.stub.AcceptInvitation(acceptance(token))
    user = await identity.stub.GetUser(pb.GetUserRequest(name="users/eve"), metadata=identity.ada)
    assert list(user.roles) == [auth.ROLE_LEARNER]


async def test_a_sign_up_answers_the_same_for_a_known_address_and_writes_something_else(identity: Served) -> None:
    await settings(identity, sign_up_policy=people.SIGN_UP_POLICY_OPEN)
    await with_user(identity, "bob", email="bob@example.org")
    known = await identity.stub.SignUp(sign_up("bob@example.org"))
    unknown = await identity.stub.SignUp(sign_up("eve@example.org"))
    assert known == unknown
    assert [(each.to, each.template, "token" in each.fields) for each in mails(identity)] == [
        ("bob@example.org", "sign_up_known", False),
        ("eve@example.org", "sign_up", True),
    ]


async def test_repeated_sign_ups_write_one_mail_a_minute(identity: Served) -> None:
    await settings(identity, sign_up_policy=people.SIGN_UP_POLICY_OPEN)
    for _ in range(3):
        await identity.stub.SignUp(sign_up("eve@example.org"))
    assert len(mails(identity)) == 1


async def test_only_who_has_the_role_gets_the_part(identity: Served) -> None:
    await with_user(identity, "bob")
    await with_class(identity, "7a")
    refusal = await refused(
        identity.stub.AddClassMembers(members("7a", ["bob"], people.CLASS_PART_TEACHER), metadata=identity.ada)
    )
    assert field_of(refusal) == "users[0]"
    missing = await refused(identity.stub.AddClassMembers(members("7a", ["bob", "nobody"]), metadata=identity.ada))
    assert field_of(missing) == "users[1]"


async def test_a_teacher_may_not_put_learners_into_their_class(identity: Served) -> None:
    await with_user(identity, "tom", auth.ROLE_TEACHER)
    await with_user(identity, "bob")
    await with_class(identity, "7a", "tom")
    by_teacher = identity.stub.AddClassMembers(members("7a", ["bob"]), metadata=Calls.as_("north", "tom", "TEACHER"))
    assert (await refused(by_teacher)).code() is StatusCode.PERMISSION_DENIED


async def test_a_repeated_request_to_add_members_and_a_second_one_add_nobody_twice(identity: Served) -> None:
    await with_user(identity, "bob")
    await with_class(identity, "7a")
    assert (await identity.stub.AddClassMembers(members("7a", ["bob", "bob"]), metadata=identity.ada)).added == 1
    assert (await identity.stub.AddClassMembers(members("7a", ["bob"]), metadata=identity.ada)).added == 0


async def test_another_organization_finds_no_class(identity: Served) -> None:
    await with_class(identity, "7a")
    for call in (
        identity.stub.GetClass(people.GetClassRequest(name="classes/7a"), metadata=SOUTH),
        identity.stub.ListClassMembers(people.ListClassMembersRequest(parent="classes/7a"), metadata=SOUTH),
        identity.stub.ArchiveClass(people.ArchiveClassRequest(request_id=request_id(), name="classes/7a"), metadata=SOUTH),
    ):
        refusal = await refused(call)
        assert refusal.code() is StatusCode.NOT_FOUND or "organization" in (refusal.details() or "")


def enrolment(csv: str, validate_only: bool = False) -> people.EnrolFromCsvRequest:
    return people.EnrolFromCsvRequest(request_id=request_id(), name="classes/7a", csv=csv, validate_only=validate_only)


async def test_every_row_of_an_enrolment_gets_its_verdict(identity: Served) -> None:
    await with_user(identity, "bob", email="bob@example.org")
    await with_user(identity, "tom", auth.ROLE_TEACHER)
    await with_class(identity, "7a", "tom", "bob")
    await with_user(identity, "cat")
    csv = (
        "user_id;display_name;email\nbob;Bob;\ncat;Cat;\ndan;Dän;dan@example.org\ntom;Tom;\n"
        "bad id;X;\nfay;Fay;bob@example.org\n;;\ndan;Again;\ngil;Gil\n"
    )
    dry = await identity.stub.EnrolFromCsv(enrolment(csv, validate_only=True), metadata=identity.ada)
    wet = await identity.stub.EnrolFromCsv(enrolment(csv), metadata=identity.ada)
    assert dry == wet
    assert [(each.line, each.user_id, each.outcome) for each in wet.verdicts] == [
        (2, "bob", OUTCOME.OUTCOME_ALREADY_ENROLLED),
        (3, "cat", OUTCOME.OUTCOME_ENROLLED),
        (4, "dan", OUTCOME.OUTCOME_CREATED),
        (5, "tom", OUTCOME.OUTCOME_REFUSED),
        (6, "bad id", OUTCOME.OUTCOME_REFUSED),
        (7, "fay", OUTCOME.OUTCOME_REFUSED),
        (9, "dan", OUTCOME.OUTCOME_REFUSED),
        (10, "gil", OUTCOME.OUTCOME_REFUSED),
    ]
    assert all(bool(each.reason) == (each.outcome == OUTCOME.OUTCOME_REFUSED) for each in wet.verdicts)
    listed = await identity.stub.ListClassMembers(people.ListClassMembersRequest(parent="classes/7a"), metadata=identity.ada)
    assert [each.user for each in listed.members] == ["users/bob", "users/cat", "users/dan", "users/tom"]


@pytest.mark.parametrize(
    "csv", ["", "name\nbob\n", "user_id\n", "user_id,user_id\na,b\n", 'user_id\n"bob\n', "user_id\nbob\n" * 600]
)
async def test_a_text_that_is_no_list_of_learners_is_refused_as_a_whole(identity: Served, csv: str) -> None:
    await with_class(identity, "7a")
    assert field_of(await refused(identity.stub.EnrolFromCsv(enrolment(csv), metadata=identity.ada))) == "csv"


async def test_a_teacher_who_sees_their_classes_only_finds_no_other_class_profile_or_user(identity: Served) -> None:
    await with_user(identity, "tom", auth.ROLE_TEACHER)
    for learner in ("bob", "cat"):
        await with_user(identity, learner)
    await with_class(identity, "7a", "tom", "bob")
    await with_class(identity, "7b", "", "cat")
    tom = Calls.as_("north", "tom", "TEACHER")
    assert len((await identity.stub.ListClasses(people.ListClassesRequest(), metadata=tom)).classes) == 2
    await settings(identity, teachers_see=people.TEACHERS_SEE_CLASSES)
    classes = await identity.stub.ListClasses(people.ListClassesRequest(), metadata=tom)
    assert [each.name for each in classes.classes] == ["classes/7a"]
    users = await identity.stub.ListUsers(pb.ListUsersRequest(), metadata=tom)
    assert [each.name for each in users.users] == ["users/bob", "users/tom"]
    await identity.stub.GetUser(pb.GetUserRequest(name="users/bob"), metadata=tom)
    for call in (
        identity.stub.GetClass(people.GetClassRequest(name="classes/7b"), metadata=tom),
        identity.stub.ListClassMembers(people.ListClassMembersRequest(parent="classes/7b"), metadata=tom),
        identity.stub.GetUser(pb.GetUserRequest(name="users/cat"), metadata=tom),
        identity.stub.GetProfile(people.GetProfileRequest(name="users/cat/profile"), metadata=tom),
    ):
        assert (await refused(call)).code() is StatusCode.NOT_FOUND


async def test_sight_follows_classes_and_guardians_and_every_change_is_told(identity: Served) -> None:
    await with_user(identity, "tom", auth.ROLE_TEACHER)
    for learner in ("bob", "cat", "mum"):
        await with_user(identity, learner)
    await with_class(identity, "7a", "tom", "bob")
    service = Calls.as_service("north")

    async def sight(user: str) -> people.GetSightResponse:
        answer: people.GetSightResponse = await identity.stub.GetSight(
            people.GetSightRequest(user=f"users/{user}"), metadata=service
        )
        return answer

    assert (await sight("tom")).everyone
    await settings(identity, teachers_see=people.TEACHERS_SEE_CLASSES)
    assert list((await sight("tom")).taught) == ["bob"]
    link = people.LinkGuardianRequest(request_id=request_id(), learner="learners/bob", guardian="users/mum")
    await identity.stub.LinkGuardian(link, metadata=identity.ada)
    assert list((await sight("mum")).wards) == ["bob"]
    await identity.stub.ArchiveClass(
        people.ArchiveClassRequest(request_id=request_id(), name="classes/7a"), metadata=identity.ada
    )
    assert not (await sight("tom")).taught
    told = [each.user for each in identity.memory.events("north") if isinstance(each, SightChanged)]
    assert told == ["tom", "tom", "-", "mum", "tom"]
    for nobody in (identity.ada, identity.learner):
        asked = identity.stub.GetSight(people.GetSightRequest(user="users/tom"), metadata=nobody)
        assert (await refused(asked)).code() is StatusCode.PERMISSION_DENIED


async def test_a_guardian_is_linked_once_listed_and_unlinked(identity: Served) -> None:
    for each in ("bob", "mum"):
        await with_user(identity, each)
    for _ in range(2):
        link = people.LinkGuardianRequest(request_id=request_id(), learner="learners/bob", guardian="users/mum")
        made = await identity.stub.LinkGuardian(link, metadata=identity.ada)
    ask = people.ListGuardiansRequest(parent="learners/bob")
    assert list((await identity.stub.ListGuardians(ask, metadata=identity.ada)).guardians) == [made]
    gone = people.UnlinkGuardianRequest(request_id=request_id(), learner="learners/bob", guardian="users/mum")
    await identity.stub.UnlinkGuardian(gone, metadata=identity.ada)
    assert not (await identity.stub.ListGuardians(ask, metadata=identity.ada)).guardians
    gone.request_id = request_id()
    assert (await refused(identity.stub.UnlinkGuardian(gone, metadata=identity.ada))).code() is StatusCode.NOT_FOUND
    own = people.LinkGuardianRequest(request_id=request_id(), learner="learners/bob", guardian="users/bob")
    assert field_of(await refused(identity.stub.LinkGuardian(own, metadata=identity.ada))) == "guardian"


async def test_mails_are_listed_without_what_they_say(identity: Served) -> None:
    await identity.stub.CreateInvitation(invitation(), metadata=identity.ada)
    (mail,) = (await identity.stub.ListMails(people.ListMailsRequest(), metadata=identity.ada)).mails
    assert (mail.recipient, mail.template, mail.state) == ("eve@example.org", "invitation", people.MAIL_STATE_WAITING)
    assert mails(identity)[-1].fields["token"] not in str(mail)
    assert re.fullmatch(r"mails/[0-9a-f-]{36}", mail.name)
    retry = people.RetryMailRequest(request_id=request_id(), name=mail.name)
    assert reason_of(await refused(identity.stub.RetryMail(retry, metadata=identity.ada))) == "MAIL_NOT_DEAD"
    assert (await refused(identity.stub.RetryMail(retry, metadata=SOUTH))).code() is StatusCode.NOT_FOUND
