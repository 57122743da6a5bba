"""The usual sign-in, over memory and over PostgreSQL: what is seen, and that whatever changes afterwards is noticed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from paideia.identity.v1 import events_pb2 as pb

from domain.identity.events import Notice, SecurityNoticed
from domain.identity.passkeys import Passkey
from domain.identity.sessions import RefreshToken, Session, SignInThrottle, throttle_key
from domain.identity.sign_ins import Seen, SeenAccount
from domain.identity.totp import TotpFactor
from domain.shared.caller import Role
from domain.shared.ids import random_id
from domain.shared.network import current_forwarded_for
from domain.shared.plans import Plan
from tests.contract.identity.conftest import NOW, Store

HASH = "$argon2id$right"
LEARNER = frozenset({Role.LEARNER})
ADA = SeenAccount("ada", LEARNER, active=True, password_hash=HASH, factors=False)


async def with_ada(store: Store, **changes: object) -> None:
    await store.with_user("ada", **changes)
    async with store.new_unit(store.north) as unit:
        await unit.accounts.set_password("ada", HASH, NOW)
        await unit.commit()


async def look(store: Store, login: str = "ada", organization: str = "") -> Seen:
    organization = organization or store.north
    return await store.sign_ins.look(organization, login, throttle_key(organization, login))


async def start(store: Store, seen: SeenAccount = ADA) -> Session | None:
    session = Session.start(random_id(), "ada", NOW, device="Firefox on Linux")
    digest = RefreshToken(store.north, session.id, "secret").digest
    told = SecurityNoticed("ada", NOW, Notice.SIGNED_IN)
    begun = await store.sign_ins.start(store.north, throttle_key(store.north, "ada"), seen, session, digest, [told])
    return session if begun else None


async def sessions_of_ada(store: Store) -> list[str]:
    async with store.new_unit(store.north) as unit:
        return sorted(await unit.sessions.end_all("ada"))


async def test_an_account_is_seen_by_its_id_and_by_its_address_in_any_case(store: Store) -> None:
    await with_ada(store, email="ada@example.org")
    assert (await look(store)).account == ADA
    for _ in range(2):
        assert (await look(store, "ADA@Example.org")).account == ADA
    assert (await look(store, "bob@example.org")).account is None


async def test_an_address_is_found_that_came_after_the_first_that_was_asked_for(store: Store) -> None:
    assert (await look(store, "ada@example.org")).account is None
    await with_ada(store, email="ada@example.org")
    assert (await look(store, "ada@example.org")).account == ADA


@pytest.mark.parametrize("login", ["ada", "ada@example.org"])
async def test_nobody_is_seen_from_another_organization_or_where_there_is_none(store: Store, login: str) -> None:
    await with_ada(store, email="ada@example.org")
    assert (await look(store, login, store.south)).account is None
    assert (await look(store, login, "-")).account is None


async def test_who_has_no_password_and_who_was_deactivated_is_seen_so(store: Store) -> None:
    await store.with_user("bob")
    assert (await look(store, "bob")).account == SeenAccount("bob", LEARNER, True, None, False)
    await with_ada(store, deactivated_at=NOW)
    seen = (await look(store)).account
    assert seen == replace(ADA, active=False)
    assert seen.usable_hash is None


async def test_failures_are_seen_whether_or_not_there_is_an_account(store: Store) -> None:
    throttle = SignInThrottle(throttle_key(store.north, "nobody"), 12, NOW, NOW + timedelta(minutes=2))
    async with store.new_platform_unit() as unit:
        await unit.throttles.save(throttle)
        await unit.commit()
    assert await look(store, "nobody") == Seen(throttle, None, Plan.STANDARD)


async def test_a_session_begins_once_it_is_published_and_its_token_is_good(store: Store) -> None:
    await with_ada(store)
    session = await start(store)
    assert session is not None
    async with store.new_unit(store.north) as unit:
        presented = await unit.sessions.find(session.id, RefreshToken(store.north, session.id, "secret").digest)
    assert presented is not None
    assert (presented.session, presented.spent) == (session, False)
    assert await store.published(store.north) == [SecurityNoticed("ada", NOW, Notice.SIGNED_IN)]


async def test_what_is_published_of_many_at_once_says_of_each_which_network_it_came_from(store: Store, postgres: Any) -> None:
    await with_ada(store)

    async def from_network(number: int) -> None:
        current_forwarded_for.set(f"192.0.{number}.77")
        await start(store)

    await asyncio.gather(*(from_network(number) for number in range(3)))
    assert len(await store.published(store.north)) == 3
    connection = await asyncpg.connect(postgres.superuser_dsn)
    rows = await connection.fetch("SELECT payload FROM identity.outbox WHERE organization_id = $1", store.north)
    await connection.close()
    assert {pb.SecurityNoticed.FromString(row[0]).network for row in rows} in (
        {"192.0.0.0/24", "192.0.1.0/24", "192.0.2.0/24"},
        set(),  # in memory
    )


async def test_expired_sessions_of_the_user_are_forgotten_on_the_way(store: Store) -> None:
    await with_ada(store)
    old = Session.start(random_id(), "ada", NOW - timedelta(days=15))
    async with store.new_unit(store.north) as unit:
        await unit.sessions.start(old, b"o" * 32)
        await unit.commit()
    session = await start(store)
    assert session is not None
    assert await sessions_of_ada(store) == [session.id]


async def _another_password(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.accounts.set_password("ada", "$argon2id$another", NOW)
        await unit.commit()


async def _deactivated(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.users.save((await unit.users.get("ada")).deactivate(NOW))
        await unit.commit()


async def _other_roles(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.users.save(replace(await unit.users.get("ada"), roles=frozenset({Role.LEARNER, Role.TEACHER})))
        await unit.commit()


async def _an_app(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.factors.save_totp(TotpFactor("ada", b"sealed", NOW, None, 0))
        await unit.commit()


async def _a_passkey(store: Store) -> None:
    async with store.new_unit(store.north) as unit:
        await unit.factors.add_passkey(Passkey(random_id(), "ada", b"credential", b"key", 0, "laptop", NOW, None))
        await unit.commit()


async def _a_wrong_guess(store: Store) -> None:
    async with store.new_platform_unit() as unit:
        await unit.throttles.save(SignInThrottle(throttle_key(store.north, "ada")).failed(NOW))
        await unit.commit()


CHANGES = [_another_password, _deactivated, _other_roles, _an_app, _a_passkey, _a_wrong_guess]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_nothing_begins_when_what_was_seen_has_changed(store: Store, change: Callable[[Store], Awaitable[None]]) -> None:
    await with_ada(store)
    await change(store)
    assert await start(store) is None
    assert await sessions_of_ada(store) == []
    assert await store.published(store.north) == []
    seen = await look(store)
    assert seen.account != ADA or seen.throttle.failures == 1


async def test_no_session_outlives_a_deactivation_that_ran_beside_it(store: Store) -> None:
    await with_ada(store)

    async def deactivate() -> None:
        async with store.new_unit(store.north) as unit:
            user = await unit.users.get("ada")
            await unit.users.save(user.deactivate(NOW))
            await asyncio.sleep(0.05)  # those who wait for the row meanwhile must see what became of it
            await unit.sessions.end_all("ada")
            await unit.commit()

    await asyncio.gather(deactivate(), *(start(store) for _ in range(6)))
    assert await sessions_of_ada(store) == []
