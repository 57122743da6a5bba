"""What both stores promise about identity providers and their people."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.identity.federated_sign_in import FederatedIdentity, FederatedSession, Flow, PendingLink
from domain.identity.federation import IdentityProvider, Linking, ProviderKind, ProviderNotFound, Provisioning, RoleRule
from domain.shared.caller import Role
from tests.contract.identity.conftest import NOW, Store

SCHOOL = IdentityProvider(
    id="school",
    display_name="The school",
    kind=ProviderKind.OPENID,
    issuer="https://login.example.org",
    client_id="paideia",
    sealed_secret=b"sealed",
    created_at=NOW,
    scopes=("email", "groups"),
    provisioning=Provisioning.CREATE,
    linking=Linking.VERIFIED_EMAIL,
    email_domains=("example.org",),
    default_roles=frozenset({Role.LEARNER, Role.AUTHOR}),
    role_rules=(RoleRule("groups", "teachers", Role.TEACHER),),
    roles_follow=True,
)


async def with_school(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        assert await unit.providers.add(SCHOOL)
        await unit.commit()


async def test_a_provider_is_kept_as_it_is_and_seen_by_its_organization_only(store: Store) -> None:
    await with_school(store)
    async with store.new_unit(store.north) as unit:
        assert await unit.providers.find("school") == SCHOOL
        assert not await unit.providers.add(replace(SCHOOL, display_name="another"))
        await unit.providers.save(replace(SCHOOL, disabled=True, scopes=()))
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert await unit.providers.all() == [replace(SCHOOL, disabled=True, scopes=())]
    async with store.new_unit(store.south) as unit:
        assert await unit.providers.find("school") is None
        assert list(await unit.providers.all()) == []
        with pytest.raises(ProviderNotFound):
            await unit.providers.get("school")


async def test_a_flow_is_taken_once_also_by_two_at_once(store: Store) -> None:
    await with_school(store)
    flow = Flow(b"d" * 32, "school", b"b" * 32, NOW + timedelta(minutes=10), fresh=True)
    async with store.new_unit(store.north) as unit:
        await unit.federation.begin(flow, NOW)
        await unit.commit()

    async def take() -> Flow | None:
        async with store.new_unit(store.north) as unit:
            taken = await unit.federation.take(flow.digest)
            await unit.commit()
            return taken

    assert sorted(map(str, await asyncio.gather(take(), take()))) == sorted(map(str, (flow, None)))


async def test_expired_flows_and_links_are_forgotten_when_new_ones_come(store: Store) -> None:
    await with_school(store)
    later = NOW + timedelta(minutes=11)
    async with store.new_unit(store.north) as unit:
        await unit.federation.begin(Flow(b"1" * 32, "school", b"b" * 32, NOW + timedelta(minutes=10)), NOW)
        await unit.federation.put_link(PendingLink(b"1" * 32, "school", "eve", NOW + timedelta(minutes=10)), NOW)
        await unit.federation.begin(Flow(b"2" * 32, "school", b"b" * 32, later + timedelta(minutes=10)), later)
        await unit.federation.put_link(PendingLink(b"2" * 32, "school", "eve", later + timedelta(minutes=10)), later)
        assert await unit.federation.take(b"1" * 32) is None
        assert await unit.federation.take_link(b"1" * 32) is None
        assert await unit.federation.take_link(b"2" * 32) == PendingLink(
            b"2" * 32, "school", "eve", later + timedelta(minutes=10)
        )


async def test_a_person_is_one_user_and_a_user_one_person_at_a_provider(store: Store) -> None:
    await with_school(store)
    await store.with_user("ada")
    await store.with_user("bob")
    eve = FederatedIdentity("school", "eve", "ada", NOW, NOW)
    async with store.new_unit(store.north) as unit:
        assert await unit.federation.link(eve)
        assert not await unit.federation.link(replace(eve, user="bob"))
        assert not await unit.federation.link(replace(eve, subject="mallory"))
        await unit.federation.used("school", "eve", NOW + timedelta(hours=1))
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert await unit.federation.find("school", "eve") == replace(eve, last_used_at=NOW + timedelta(hours=1))
        assert [each.subject for each in await unit.federation.of_user("ada")] == ["eve"]
        assert not await unit.federation.unlink("school", "bob")
        assert await unit.federation.unlink("school", "ada")
        assert await unit.federation.find("school", "eve") is None


async def test_sessions_are_found_by_the_providers_person_and_session(store: Store) -> None:
    await with_school(store)
    await store.with_user("ada")
    ids = [str(uuid4()) for _ in range(4)]
    sids = ("s1", "s2", "", "s1")
    subjects = ("eve", "eve", "eve", "mallory")
    async with store.new_unit(store.north) as unit:
        for each, sid, subject in zip(ids, sids, subjects, strict=True):
            await unit.federation.note_session(FederatedSession(each, "school", subject, sid, "ada", NOW))
        await unit.commit()

    async def found(**by: str) -> set[int]:
        async with store.new_unit(store.north) as unit:
            return {ids.index(each.session) for each in await unit.federation.sessions("school", **by)}

    assert await found() == {0, 1, 2, 3}
    assert await found(subject="eve") == {0, 1, 2}
    assert await found(subject="eve", sid="s1") == {0, 2}, "what began without a name for its session may be any of the person's"
    assert await found(sid="s1") == {0, 3}
    async with store.new_unit(store.north) as unit:
        await unit.federation.forget_sessions(ids[:2])
        await unit.commit()
    assert await found() == {2, 3}


async def test_a_logout_token_is_spent_once_for_as_long_as_it_could_be_believed(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        assert await unit.federation.spend_logout(b"t" * 32, NOW)
        assert not await unit.federation.spend_logout(b"t" * 32, NOW + timedelta(minutes=14))
        assert await unit.federation.spend_logout(b"t" * 32, NOW + timedelta(minutes=16))


async def test_a_provider_that_goes_takes_everything_of_its_people_but_the_users(store: Store) -> None:
    await with_school(store)
    await store.with_user("ada")
    async with store.new_unit(store.north) as unit:
        await unit.federation.link(FederatedIdentity("school", "eve", "ada", NOW, NOW))
        await unit.federation.begin(Flow(b"1" * 32, "school", b"b" * 32, NOW + timedelta(minutes=10)), NOW)
        await unit.federation.put_link(PendingLink(b"1" * 32, "school", "eve", NOW + timedelta(minutes=10)), NOW)
        await unit.federation.note_session(FederatedSession(str(uuid4()), "school", "eve", "", "ada", NOW))
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        await unit.providers.drop("school")
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert list(await unit.federation.of_user("ada")) == []
        assert await unit.federation.take(b"1" * 32) is None
        assert await unit.federation.take_link(b"1" * 32) is None
        assert list(await unit.federation.sessions("school")) == []
        assert (await unit.users.get("ada")).id == "ada"
