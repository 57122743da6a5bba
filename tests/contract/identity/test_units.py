"""What every store of identity promises."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain.identity.events import SessionRevoked, UserCreated, UserDeactivated
from domain.identity.model import (
    EmailTaken,
    Organization,
    OrganizationAlreadyExists,
    OrganizationNotFound,
    UserNotFound,
)
from domain.identity.sessions import PublicKey, Session, SigningKey, SignInThrottle
from domain.shared.caller import Role
from domain.shared.page import PageRequest
from tests.contract.identity.conftest import NOW, Store, user

ADMIN = frozenset({Role.ADMIN})


async def test_leaving_without_commit_undoes_everything(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.organizations.found(Organization(store.north, "North", NOW))
        await unit.users.add([user("ada")])
        await unit.events.add([UserCreated("ada", NOW)])
    async with store.new_unit(store.north) as unit:
        assert not await unit.organizations.exists()
        with pytest.raises(UserNotFound):
            await unit.users.get("ada")
    assert await store.published(store.north) == []


async def test_an_organization_is_founded_once(store: Store) -> None:
    founded = Organization(store.north, "North", NOW)
    async with store.new_unit(store.north) as unit:
        await unit.organizations.found(founded)
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert await unit.organizations.get() == founded
        with pytest.raises(OrganizationAlreadyExists):
            await unit.organizations.found(founded)


async def test_an_organization_that_was_never_founded_is_not_found(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        with pytest.raises(OrganizationNotFound):
            await unit.organizations.get()


async def test_a_user_comes_back_as_saved(store: Store) -> None:
    ada = await store.with_user(display_name="Ada Å", email="ada@example.org", roles=frozenset({Role.LEARNER, Role.ADMIN}))
    changed = replace(ada, display_name="Countess", email=None, deactivated_at=NOW + timedelta(days=1))
    async with store.new_unit(store.north) as unit:
        assert await unit.users.get("ada") == ada
        await unit.users.save(changed)
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        assert await unit.users.get("ada") == changed
        assert list(await unit.users.find(["nobody", "ada"])) == [changed]


async def test_one_organization_sees_nothing_of_another(store: Store) -> None:
    await store.with_user(email="ada@example.org", roles=ADMIN)
    async with store.new_unit(store.south) as unit:
        with pytest.raises(UserNotFound):
            await unit.users.get("ada")
        assert await unit.users.find(["ada"]) == []
        assert await unit.accounts.find("ada@example.org") is None
        assert await unit.users.administrators() == frozenset()
        assert (await unit.users.page(PageRequest(10))).elements == ()
        assert await unit.users.add([user("ada", email="ada@example.org")]) == {"ada"}


async def test_adding_leaves_users_alone_whose_id_is_taken(store: Store) -> None:
    ada = await store.with_user(display_name="first")
    async with store.new_unit(store.north) as unit:
        assert await unit.users.add([user("ada", display_name="second"), user("bob")]) == {"bob"}
        assert await unit.users.get("ada") == ada


async def test_an_address_belongs_to_one_user_only(store: Store) -> None:
    await store.with_user(email="ada@example.org")
    bob = await store.with_user("bob")
    async with store.new_unit(store.north) as unit:
        with pytest.raises(EmailTaken):
            await unit.users.add([user("carl", email="ada@example.org")])
    async with store.new_unit(store.north) as unit:
        with pytest.raises(EmailTaken):
            await unit.users.save(replace(bob, email="ada@example.org"))


async def test_a_thousand_users_are_added_at_once_and_paged_in_order(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        assert len(await unit.users.add([user(f"user-{number:04}") for number in range(1000)])) == 1000
        await unit.commit()
    seen: list[str] = []
    request = PageRequest(300)
    async with store.new_unit(store.north) as unit:
        while True:
            page = await unit.users.page(request)
            seen += [each.id for each in page.elements]
            if page.next is None:
                break
            request = PageRequest(300, page.next)
    assert seen == [f"user-{number:04}" for number in range(1000)]


async def test_pages_are_ordered_by_code_point(store: Store) -> None:
    for each in ("b", "B", "a", "_x", "a~", "a.b", "a-b"):
        await store.with_user(f"0{each}")
    async with store.new_unit(store.north) as unit:
        page = await unit.users.page(PageRequest(100))
    assert [each.id for each in page.elements] == sorted(f"0{each}" for each in ("b", "B", "a", "_x", "a~", "a.b", "a-b"))


async def test_administrators_are_those_who_are_active(store: Store) -> None:
    await store.with_user("ada", roles=ADMIN)
    await store.with_user("bob", roles=ADMIN, deactivated_at=NOW)
    await store.with_user("carl")
    async with store.new_unit(store.north) as unit:
        assert await unit.users.administrators() == {"ada"}


async def test_an_account_is_found_by_id_and_by_address_whatever_its_case(store: Store) -> None:
    ada = await store.with_user(email="ada@example.org")
    async with store.new_unit(store.north) as unit:
        found = await unit.accounts.find("ada")
        assert found is not None
        assert found.password_hash is None
        await unit.accounts.set_password("ada", "hash", NOW)
        by_address = await unit.accounts.find("ADA@example.org")
        assert by_address is not None
        assert (by_address.user, by_address.password_hash) == (ada, "hash")
        assert await unit.accounts.find("Ada") is None
        assert await unit.accounts.find("bob@example.org") is None


async def test_a_hash_is_replaced_only_if_the_password_was_not_changed_meanwhile(store: Store) -> None:
    await store.with_user()
    async with store.new_unit(store.north) as unit:
        await unit.accounts.set_password("ada", "one", NOW)
        await unit.accounts.replace_hash("ada", "one", "two")
        await unit.accounts.replace_hash("ada", "one", "three")
        found = await unit.accounts.find("ada")
    assert found is not None
    assert found.password_hash == "two"


def session(user_id: str = "ada", starts: Any = NOW) -> Session:
    return Session.start(str(uuid4()), user_id, starts)


async def test_a_session_is_found_by_every_token_it_has_had(store: Store) -> None:
    await store.with_user()
    first = session()
    async with store.new_unit(store.north) as unit:
        await unit.sessions.start(first, b"a" * 32)
        renewed = first.renewed(NOW + timedelta(days=1))
        await unit.sessions.rotate(renewed, b"a" * 32, b"b" * 32)
        await unit.commit()
    async with store.new_unit(store.north) as unit:
        old = await unit.sessions.find(first.id, b"a" * 32)
        new = await unit.sessions.find(first.id, b"b" * 32)
        assert old is not None
        assert new is not None
        assert (old.session, old.spent) == (renewed, True)
        assert (new.session, new.spent) == (renewed, False)
        assert await unit.sessions.find(first.id, b"c" * 32) is None
        assert await unit.sessions.find(str(uuid4()), b"b" * 32) is None


async def test_a_token_of_one_session_does_not_open_another(store: Store) -> None:
    await store.with_user()
    first, second = session(), session()
    async with store.new_unit(store.north) as unit:
        await unit.sessions.start(first, b"a" * 32)
        await unit.sessions.start(second, b"b" * 32)
        assert await unit.sessions.find(second.id, b"a" * 32) is None


async def test_sessions_end_one_by_one_or_all_but_one(store: Store) -> None:
    await store.with_user()
    await store.with_user("bob")
    sessions = [session(), session(), session(), session("bob")]
    async with store.new_unit(store.north) as unit:
        for number, each in enumerate(sessions):
            await unit.sessions.start(each, bytes([number]) * 32)
        await unit.sessions.end(sessions[0].id)
        await unit.sessions.end(sessions[0].id)
        await unit.sessions.end_all("ada", but=sessions[1].id)
        live = [await unit.sessions.find(each.id, bytes([number]) * 32) is not None for number, each in enumerate(sessions)]
        assert live == [False, True, False, True]
        await unit.sessions.end_all("ada")
        assert await unit.sessions.find(sessions[1].id, b"\1" * 32) is None


async def test_expired_sessions_are_forgotten(store: Store) -> None:
    await store.with_user()
    old, new = session(), session(starts=NOW + timedelta(days=10))
    async with store.new_unit(store.north) as unit:
        await unit.sessions.start(old, b"a" * 32)
        await unit.sessions.start(new, b"b" * 32)
        await unit.sessions.forget_expired("ada", old.expires_at)
        assert await unit.sessions.find(old.id, b"a" * 32) is None
        assert await unit.sessions.find(new.id, b"b" * 32) is not None


async def test_events_are_published_with_the_commit(store: Store) -> None:
    events = [UserCreated("ada", NOW), UserDeactivated("ada", NOW), SessionRevoked("ada", NOW, str(uuid4()))]
    async with store.new_unit(store.north) as unit:
        await unit.events.add(events)
        await unit.commit()
    assert await store.published(store.north) == events
    assert await store.published(store.south) == []


async def test_a_throttle_counts_and_is_cleared(store: Store) -> None:
    key = uuid4().hex
    async with store.new_platform_unit() as unit:
        assert await unit.throttles.get(key) == SignInThrottle(key)
        counted = SignInThrottle(key).failed(NOW).failed(NOW)
        await unit.throttles.save(counted)
        await unit.commit()
    async with store.new_platform_unit() as unit:
        assert await unit.throttles.peek(key) == counted
        await unit.throttles.clear(key)
        await unit.commit()
    async with store.new_platform_unit() as unit:
        assert await unit.throttles.peek(key) == SignInThrottle(key)


async def test_of_fifty_failures_at_once_every_one_is_counted(store: Store) -> None:
    key = uuid4().hex

    async def fail() -> None:
        async with store.new_platform_unit() as unit:
            await unit.throttles.save((await unit.throttles.get(key)).failed(NOW))
            await unit.commit()

    await asyncio.gather(*(fail() for _ in range(50)))
    async with store.new_platform_unit() as unit:
        assert (await unit.throttles.peek(key)).failures == 50


async def test_failures_of_the_day_before_are_dropped_when_another_is_saved(store: Store) -> None:
    old, new = uuid4().hex, uuid4().hex
    async with store.new_platform_unit() as unit:
        await unit.throttles.save(SignInThrottle(old).failed(NOW - timedelta(days=3650)))
        await unit.throttles.save(SignInThrottle(new).failed(NOW))
        assert (await unit.throttles.peek(old)).failures == 0
        assert (await unit.throttles.peek(new)).failures == 1


async def test_a_signing_key_comes_back_as_saved_until_it_is_retired(store: Store) -> None:
    key = SigningKey(uuid4().hex, PublicKey("x", "y"), b"sealed by nobody", NOW)
    newer = SigningKey(uuid4().hex, PublicKey("x", "y"), b"sealed", NOW + timedelta(minutes=10))
    async with store.new_platform_unit() as unit:
        await unit.signing_keys.lock()
        await unit.signing_keys.save(key)
        await unit.signing_keys.save(newer)
        old = key.superseded_by(newer)
        await unit.signing_keys.save(old)
        kept = [each for each in await unit.signing_keys.all() if each.kid in (key.kid, newer.kid)]
        assert kept == [old, newer]
        assert old.retire_at is not None
        await unit.signing_keys.forget_retired(old.retire_at)
        assert key.kid not in {each.kid for each in await unit.signing_keys.all()}
