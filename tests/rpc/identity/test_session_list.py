from uuid import uuid4

import grpc
import pytest
from grpc import StatusCode
from paideia.identity.v1 import credentials_pb2 as pb
from paideia.identity.v1 import events_pb2
from paideia.identity.v1 import identity_service_pb2 as identity
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceStub

from domain.identity.events import SessionRevoked
from services.host.revocations import hearing
from services.shared.times import timestamp
from tests.rpc.identity.conftest import OTHER_PASSWORD, PASSWORD
from tests.rpc.identity.people import North, Person
from tests.rpc.identity.test_second_factors import reason_of
from tests.rpc.identity.test_users import field_of, refused


def events_arrive(north: North) -> None:
    """Brings what was published to the verifier, as the log does in every process."""
    hear = hearing(north.revoked)
    for event in north.memory.events("north"):
        if isinstance(event, SessionRevoked):
            message = events_pb2.SessionRevoked(
                user=event.user, revoke_time=timestamp(event.at), session=f"sessions/{event.session}"
            )
            hear(message.DESCRIPTOR.full_name, message.SerializeToString())


async def names(person: Person) -> set[str]:
    return {each.name for each in (await person.call("ListSessions")).sessions}


async def test_somebody_sees_their_own_sessions_only(north: North) -> None:
    here = await north.signs_in()
    north.time.passes(minutes=5)
    there = await north.signs_in()
    await north.signs_in("ada", PASSWORD)
    await there.refreshes()
    listed = {each.name: each for each in (await here.call("ListSessions")).sessions}
    assert set(listed) == {f"sessions/{here.session}", f"sessions/{there.session}"}
    first = listed[f"sessions/{here.session}"]
    assert (first.current, list(first.methods)) == (True, ["pwd"])
    assert not listed[f"sessions/{there.session}"].current
    assert first.last_use_time.ToSeconds() < listed[f"sessions/{there.session}"].last_use_time.ToSeconds()


async def test_the_list_comes_in_pages(north: North) -> None:
    people = [await north.signs_in() for _ in range(3)]
    first = await people[0].call("ListSessions", page_size=2)
    second = await people[0].call("ListSessions", page_size=2, page_token=first.next_page_token)
    found = [each.name for page in (first, second) for each in page.sessions]
    assert sorted(found) == found == sorted(f"sessions/{each.session}" for each in people)
    assert second.next_page_token == ""
    for fields, field in (({"page_size": -1}, "page_size"), ({"page_token": "WyJ4Il0="}, "page_token")):
        assert field_of(await refused(people[0].call("ListSessions", **fields))) == field


async def test_a_revoked_session_neither_refreshes_nor_calls_once_the_event_arrives(north: North) -> None:
    here, there = await north.signs_in(), await north.signs_in()
    await there.call("GetMe")
    await here.call("RevokeSession", name=f"sessions/{there.session}")
    assert (await refused(there.refreshes())).code() is StatusCode.UNAUTHENTICATED
    await there.call("GetMe")  # until the event arrives the access token is good
    events_arrive(north)
    assert (await refused(there.call("GetMe"))).code() is StatusCode.UNAUTHENTICATED
    await here.call("GetMe")


async def test_another_users_session_is_not_found(north: North) -> None:
    bob, ada = await north.signs_in(), await north.signs_in("ada", PASSWORD)
    carl = await north.signs_in("carl", organization="south")
    for other in (ada, carl):
        assert (await refused(other.call("RevokeSession", name=f"sessions/{bob.session}"))).code() is StatusCode.NOT_FOUND
    assert (await refused(bob.call("RevokeSession", name=f"sessions/{uuid4()}"))).code() is StatusCode.NOT_FOUND
    for name in ("", "sessions/x", f"users/{bob.session}", bob.session):
        assert field_of(await refused(bob.call("RevokeSession", name=name))) == "name"
    await bob.refreshes()


@pytest.mark.parametrize("keep", [True, False])
async def test_signing_out_everywhere_ends_every_session_but_perhaps_this_one(north: North, keep: bool) -> None:
    here, there, elsewhere = await north.signs_in(), await north.signs_in(), await north.signs_in()
    ada = await north.signs_in("ada", PASSWORD)
    assert (await here.call("SignOutEverywhere", keep_current=keep)).ended_sessions == (2 if keep else 3)
    events_arrive(north)
    for each in (there, elsewhere) if keep else (here, there, elsewhere):
        assert (await refused(each.call("GetMe"))).code() is StatusCode.UNAUTHENTICATED
        assert (await refused(each.refreshes())).code() is StatusCode.UNAUTHENTICATED
    await ada.call("GetMe")
    if keep:
        await here.call("GetMe")
        await here.refreshes()


async def test_signing_out_everywhere_needs_a_fresh_proof(north: North) -> None:
    bob = await north.signs_in()
    north.time.passes(minutes=10)
    await bob.refreshes()
    assert reason_of(await refused(bob.call("SignOutEverywhere"))) == "STEP_UP_REQUIRED"
    await bob.steps_up(password=OTHER_PASSWORD)
    await bob.call("SignOutEverywhere")


async def test_every_way_to_end_a_session_is_published(north: North) -> None:
    def revoked() -> list[str]:
        return [each.session for each in north.memory.events("north") if isinstance(each, SessionRevoked)]

    first, second, third, last = [await north.signs_in() for _ in range(4)]
    await north.stub.SignOut(identity.SignOutRequest(refresh_token=first.pair.refresh_token))
    assert revoked() == [first.session]
    spent = second.pair.refresh_token
    await second.refreshes()
    await refused(north.stub.RefreshSession(identity.RefreshSessionRequest(refresh_token=spent)))
    assert revoked() == [first.session, second.session]
    await third.call("ChangePassword", current_password=OTHER_PASSWORD, new_password="seven purple kettles sang")
    assert revoked() == [first.session, second.session, last.session]
    ada = await north.signs_in("ada", PASSWORD)
    await ada.call("DeactivateUser", name="users/bob")
    assert revoked() == [first.session, second.session, last.session, third.session]


async def test_a_device_is_told_by_its_kind_only(north: North) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
    bob = await north.signs_in()
    async with grpc.aio.insecure_channel(north.address, options=[("grpc.primary_user_agent", agent)]) as channel:
        await IdentityServiceStub(channel).SignIn(
            identity.SignInRequest(organization="organizations/north", login="bob", password=OTHER_PASSWORD)
        )
    devices = {each.device for each in (await bob.call("ListSessions", page_size=10)).sessions}
    assert len(devices) == 2
    assert "Firefox on Linux" in devices
    assert any(each.startswith("a program") for each in devices)


async def test_nobody_without_a_session_lists_or_steps_up(north: North) -> None:
    for rpc in ("ListSessions", "BeginStepUp", "GetCredentials", "EnrolTotp"):
        request = getattr(pb, f"{rpc}Request")()
        assert (await refused(getattr(north.stub, rpc)(request))).code() is StatusCode.UNAUTHENTICATED
