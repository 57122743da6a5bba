"""Directory information that is withheld: who chooses it, who sees it marked, and whom it is left out for."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode
from grpc.aio import AioRpcError
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import identity_service_pb2 as identity
from paideia.identity.v1 import people_pb2 as people
from paideia.identity.v1 import privacy_pb2 as pb
from paideia.identity.v1 import programs_pb2 as programs

from domain.identity.people import Guardianship
from tests.rpc.identity.people import PASSWORD, North, Person

SHARED, WITHHELD = pb.DIRECTORY_INFORMATION_SHARED, pb.DIRECTORY_INFORMATION_WITHHELD
UNSPECIFIED = pb.DIRECTORY_INFORMATION_UNSPECIFIED


async def refused(call: Any) -> StatusCode:
    with pytest.raises(AioRpcError) as refusal:
        await call
    return refusal.value.code()


async def ada_of(north: North) -> Person:
    return await north.signs_in("ada", PASSWORD)


async def program_of(north: North, *scopes: str) -> Any:
    """The metadata of a program that administers, within these scopes."""
    wanted = programs.Program(display_name="LMS", roles=[auth.ROLE_ADMIN], scopes=scopes)
    made = await (await ada_of(north)).call("CreateProgram", program_id="lms", program=wanted)
    request = programs.IssueProgramTokenRequest(client_id="north.lms", client_secret=made.client_secret)
    return (("authorization", f"Bearer {(await north.stub.IssueProgramToken(request)).access_token}"),)


async def class_of(north: North) -> Person:
    """Puts bob into a class; returns who administers it."""
    ada = await ada_of(north)
    await ada.call("CreateClass", class_id="7a", school_class=people.Class(display_name="7a"))
    await ada.call("AddClassMembers", name="classes/7a", users=["users/bob"], part=people.CLASS_PART_LEARNER)
    return ada


async def test_a_person_withholds_their_name_and_those_who_may_see_it_see_it_marked(north: North) -> None:
    ada, bob = await class_of(north), await north.signs_in()
    assert not (await bob.call("GetMyProfile")).directory_withheld
    chosen = await bob.call("SetDirectoryInformation", user="users/bob", directory_information=WITHHELD)
    assert chosen == pb.DirectoryChoice(user="users/bob", directory_information=WITHHELD, withheld=True)
    assert north.notices() == ["DIRECTORY_WITHHELD"]
    (member,) = (await ada.call("ListClassMembers", parent="classes/7a")).members
    assert member.directory_withheld
    listed = {each.name: each for each in (await ada.call("ListUsers")).users}
    assert (listed["users/bob"].directory_withheld, listed["users/ada"].directory_withheld) == (True, False)
    shown = await ada.call("GetUser", name="users/bob")
    assert (shown.display_name, shown.email, shown.directory_withheld) == ("Bob", "bob@example.org", True)
    profile = await ada.call("GetProfile", name="users/bob/profile")
    assert (profile.display_name, profile.directory_withheld) == ("Bob", True)
    assert (await bob.call("GetMyProfile")).display_name == "Bob"


async def test_other_learners_see_neither_the_class_nor_anybodys_name(north: North) -> None:
    ada, _ = await class_of(north), await north.signs_in()
    await ada.call("CreateUser", user_id="eve", user=identity.User(roles=[auth.ROLE_LEARNER]), password="quiet harbour 17 maple")
    eve = await north.signs_in("eve")
    for rpc, fields in (
        ("ListClassMembers", {"parent": "classes/7a"}),
        ("GetUser", {"name": "users/bob"}),
        ("ListUsers", {}),
        ("GetProfile", {"name": "users/bob/profile"}),
    ):
        assert await refused(eve.call(rpc, **fields)) is StatusCode.PERMISSION_DENIED


async def test_a_program_gets_a_roster_without_the_names_that_are_withheld(north: North) -> None:
    await class_of(north)
    bob, program = await north.signs_in(), await program_of(north, "identity.read", "identity.write")
    ask = identity.GetUserRequest(name="users/bob")
    assert (await north.stub.GetUser(ask, metadata=program)).display_name == "Bob"
    await bob.call("SetDirectoryInformation", user="users/bob", directory_information=WITHHELD)
    listed = {each.name: each for each in (await north.stub.ListUsers(identity.ListUsersRequest(), metadata=program)).users}
    profile = await north.stub.GetProfile(people.GetProfileRequest(name="users/bob/profile"), metadata=program)
    changed = await north.stub.UpdateUser(
        identity.UpdateUserRequest(
            request_id="9b1f3f0e-1111-4111-8111-000000000001",
            user=identity.User(name="users/bob", display_name="Robert"),
            update_mask=FieldMask(paths=["display_name"]),
        ),
        metadata=program,
    )
    for each in (await north.stub.GetUser(ask, metadata=program), listed["users/bob"], changed):
        assert (each.name, each.display_name, each.HasField("email"), each.directory_withheld) == ("users/bob", "", False, True)
    assert (profile.display_name, profile.directory_withheld) == ("", True)
    assert listed["users/ada"].directory_withheld is False
    roster = await north.stub.ListClassMembers(people.ListClassMembersRequest(parent="classes/7a"), metadata=program)
    assert [(each.user, each.directory_withheld) for each in roster.members] == [("users/bob", True)]
    assert (await bob.call("GetMyProfile")).display_name == "Robert"


async def test_the_organizations_choice_counts_for_whom_nobody_has_chosen(north: North) -> None:
    ada, bob = await ada_of(north), await north.signs_in()
    settings = pb.PrivacySettings(name="organizations/north/privacySettings", directory_information=WITHHELD)
    mask = FieldMask(paths=["directory_information"])
    changed = await ada.call("UpdatePrivacySettings", settings=settings, update_mask=mask)
    assert (changed.directory_information, changed.mail_days) == (WITHHELD, 30)
    assert (await bob.call("GetMyProfile")).directory_withheld
    made = await ada.call("CreateUser", user_id="eve", user=identity.User(roles=[auth.ROLE_LEARNER]))
    assert made.directory_withheld
    await bob.call("SetDirectoryInformation", user="users/bob", directory_information=SHARED)
    assert not (await bob.call("GetMyProfile")).directory_withheld
    back = await bob.call("SetDirectoryInformation", user="users/bob", directory_information=UNSPECIFIED)
    assert (back.directory_information, back.withheld) == (UNSPECIFIED, True)
    settings.directory_information = UNSPECIFIED
    changed = await ada.call("UpdatePrivacySettings", settings=settings, update_mask=mask)
    assert changed.directory_information == SHARED
    assert not (await bob.call("GetMyProfile")).directory_withheld


async def test_a_learner_with_guardians_withholds_alone_and_shares_with_them(north: North) -> None:
    ada, bob = await ada_of(north), await north.signs_in()
    await ada.call("CreateUser", user_id="gwen", user=identity.User(roles=[auth.ROLE_LEARNER]), password="quiet harbour 17 maple")
    async with north.memory.unit("north") as unit:
        await unit.guardians.link(Guardianship("gwen", "bob", north.time.now))
        await unit.commit()
    gwen = await north.signs_in("gwen")
    await bob.call("SetDirectoryInformation", user="users/bob", directory_information=WITHHELD)
    for choice in (SHARED, UNSPECIFIED):
        asked = bob.call("SetDirectoryInformation", user="users/bob", directory_information=choice)
        assert await refused(asked) is StatusCode.FAILED_PRECONDITION
    assert not (await gwen.call("SetDirectoryInformation", user="users/bob", directory_information=SHARED)).withheld
    assert (await ada.call("SetDirectoryInformation", user="users/bob", directory_information=WITHHELD)).withheld


async def test_strangers_choose_nothing_and_nonsense_is_named(north: North) -> None:
    bob, carl = await north.signs_in(), await north.signs_in("carl", organization="south")
    ada = await ada_of(north)
    choose = {"directory_information": WITHHELD}
    for who, user in ((bob, "users/ada"), (carl, "users/bob"), (ada, "users/nobody")):
        assert await refused(who.call("SetDirectoryInformation", user=user, **choose)) is StatusCode.NOT_FOUND
    for fields in ({"user": "bob", **choose}, {"user": "users/bob", "directory_information": 7}):
        assert await refused(bob.call("SetDirectoryInformation", **fields)) is StatusCode.INVALID_ARGUMENT
    settings = pb.PrivacySettings(name="organizations/north/privacySettings", directory_information=7)  # type: ignore[arg-type]
    asked = ada.call("UpdatePrivacySettings", settings=settings, update_mask=FieldMask(paths=["directory_information"]))
    assert await refused(asked) is StatusCode.INVALID_ARGUMENT
