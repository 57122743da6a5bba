"""Second factors, challenges, links and sessions: one suite for the memory and for PostgreSQL."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from domain.identity.challenges import Challenge, Factors, Kind
from domain.identity.events import Notice, SecurityNoticed
from domain.identity.links import Link, Purpose
from domain.identity.passkeys import Passkey
from domain.identity.recovery import RecoveryCode
from domain.identity.sessions import Session, SessionNotFound
from domain.identity.step_up import Authentication, Method
from domain.identity.totp import TotpFactor
from domain.shared.page import PageRequest
from tests.contract.identity.conftest import NOW, Store


def passkey(user: str = "ada", credential_id: bytes = b"credential") -> Passkey:
    return Passkey(str(uuid4()), user, credential_id, b"key", 7, "laptop", NOW)


async def test_an_app_comes_back_as_it_was_saved_last(store: Store) -> None:
    await store.with_user()
    enrolled = TotpFactor("ada", b"sealed", NOW)
    async with store.new_unit(store.north) as unit:
        assert await unit.factors.of("ada") == Factors()
        await unit.factors.save_totp(enrolled)
        assert await unit.factors.of("ada") == Factors(enrolled)
        used = enrolled.used(59_000_000, NOW)
        await unit.factors.save_totp(used)
        assert await unit.factors.of("ada") == Factors(used)
        await unit.factors.drop_totp("ada")
        await unit.factors.drop_totp("ada")
        assert await unit.factors.of("ada") == Factors()


async def test_recovery_codes_are_replaced_together_and_used_one_by_one(store: Store) -> None:
    await store.with_user()
    async with store.new_unit(store.north) as unit:
        await unit.factors.replace_recovery_codes("ada", [b"old"])
        await unit.factors.replace_recovery_codes("ada", [b"one", b"two"])
        await unit.factors.use_recovery_code("ada", b"two", NOW)
        codes = set((await unit.factors.of("ada")).recovery_codes)
        assert codes == {RecoveryCode(b"one"), RecoveryCode(b"two", NOW)}
        await unit.factors.replace_recovery_codes("ada", [])
        assert not (await unit.factors.of("ada")).recovery_codes


async def test_passkeys_are_found_by_credential_within_their_organization(store: Store) -> None:
    await store.with_user()
    await store.with_user("bob")
    first, second = passkey(), passkey(credential_id=b"other")
    async with store.new_unit(store.north) as unit:
        assert await unit.factors.add_passkey(first)
        assert await unit.factors.add_passkey(second)
        assert not await unit.factors.add_passkey(passkey("bob"))
        assert {each.id for each in (await unit.factors.of("ada")).passkeys} == {first.id, second.id}
        used = first.used(8, NOW).renamed("phone")
        await unit.factors.save_passkey(used)
        assert await unit.factors.find_passkey(b"credential") == used
        await unit.factors.drop_passkey(first.id)
        assert await unit.factors.find_passkey(b"credential") is None
        await unit.commit()
    async with store.new_unit(store.south) as unit:
        assert await unit.factors.find_passkey(b"other") is None


@pytest.mark.parametrize("user", ["ada", None])
async def test_a_challenge_is_taken_once_and_only_with_its_digest(store: Store, user: str | None) -> None:
    await store.with_user()
    methods = frozenset({Method.PASSWORD, Method.KEY})
    challenge = Challenge(str(uuid4()), Kind.STEP_UP, user, NOW + timedelta(minutes=5), str(uuid4()), methods)
    async with store.new_unit(store.north) as unit:
        await unit.challenges.put(challenge, b"digest", NOW)
        await unit.commit()
    async with store.new_unit(store.south) as unit:
        assert await unit.challenges.take(challenge.id, b"digest") is None
    async with store.new_unit(store.north) as unit:
        assert await unit.challenges.peek(challenge.id, b"other") is None
        assert await unit.challenges.take(challenge.id, b"other") is None
        assert await unit.challenges.peek(challenge.id, b"digest") == challenge
        assert await unit.challenges.take(challenge.id, b"digest") == challenge
    async with store.new_unit(store.north) as unit:  # that unit did not commit
        assert await unit.challenges.take(challenge.id, b"digest") == challenge
        assert await unit.challenges.take(challenge.id, b"digest") is None


async def test_challenges_and_links_that_expired_make_room(store: Store) -> None:
    await store.with_user()
    old = Challenge(str(uuid4()), Kind.SIGN_IN, "ada", NOW)
    new = Challenge(str(uuid4()), Kind.SIGN_IN, "ada", NOW + timedelta(minutes=5))
    async with store.new_unit(store.north) as unit:
        await unit.challenges.put(old, b"old", NOW - timedelta(minutes=5))
        await unit.challenges.put(new, b"new", NOW)
        assert await unit.challenges.peek(old.id, b"old") is None
        assert await unit.challenges.peek(new.id, b"new") == new
        await unit.links.add(Link(b"old", Purpose.RESET_PASSWORD, "ada", "a@b.co", NOW), NOW - timedelta(hours=1))
        await unit.links.add(Link(b"new", Purpose.RESET_PASSWORD, "ada", "a@b.co", NOW + timedelta(hours=1)), NOW)
        assert await unit.links.find(b"old") is None
        assert await unit.links.find(b"new") is not None


async def test_using_a_users_links_for_one_purpose_leaves_the_others(store: Store) -> None:
    await store.with_user()
    await store.with_user("bob")
    end = NOW + timedelta(hours=1)
    mine = [Link(bytes([number]), Purpose.RESET_PASSWORD, "ada", "a@b.co", end) for number in range(2)]
    others = [Link(b"x", Purpose.VERIFY_EMAIL, "ada", "a@b.co", end), Link(b"y", Purpose.RESET_PASSWORD, "bob", "b@b.co", end)]
    async with store.new_unit(store.north) as unit:
        for link in (*mine, *others):
            await unit.links.add(link, NOW)
        await unit.links.use("ada", Purpose.RESET_PASSWORD, NOW)
        await unit.links.use("ada", Purpose.RESET_PASSWORD, NOW + timedelta(minutes=1))
        assert [await unit.links.find(each.digest) for each in mine] == [replace(each, used_at=NOW) for each in mine]
        assert [await unit.links.find(each.digest) for each in others] == others


async def test_an_address_is_verified_while_it_is_the_one(store: Store) -> None:
    await store.with_user()
    async with store.new_unit(store.north) as unit:
        assert not await unit.links.is_verified("ada", "ada@example.org")
        await unit.links.verify_email("ada", "ada@example.org", NOW)
        assert await unit.links.is_verified("ada", "ada@example.org")
        await unit.links.verify_email("ada", "lady@example.org", NOW)
        assert not await unit.links.is_verified("ada", "ada@example.org")


def session(user: str = "ada", **fields: object) -> Session:
    return replace(Session.start(str(uuid4()), user, NOW, frozenset({Method.PASSWORD}), "Firefox on Linux"), **fields)  # type: ignore[arg-type]


async def test_a_users_live_sessions_come_in_pages_by_id(store: Store) -> None:
    await store.with_user()
    await store.with_user("bob")
    own = sorted((session() for _ in range(3)), key=lambda each: each.id)
    async with store.new_unit(store.north) as unit:
        for number, each in enumerate((*own, session("bob"), session(expires_at=NOW))):
            await unit.sessions.start(each, bytes([number]) * 32)
        first = await unit.sessions.page("ada", PageRequest(2), NOW)
        second = await unit.sessions.page("ada", PageRequest(2, first.next), NOW)
        assert [*first.elements, *second.elements] == own
        assert second.next is None


async def test_a_session_is_got_by_its_owner_and_keeps_its_newest_proof(store: Store) -> None:
    await store.with_user()
    mine = session()
    async with store.new_unit(store.north) as unit:
        await unit.sessions.start(mine, b"a" * 32)
        assert await unit.sessions.get(mine.id, "ada") == mine
        with pytest.raises(SessionNotFound):
            await unit.sessions.get(mine.id, "bob")
        fresh = Authentication(NOW + timedelta(minutes=3), frozenset({Method.PASSWORD, Method.ONE_TIME_CODE, Method.MULTIPLE}))
        await unit.sessions.authenticate(mine.id, fresh)
        assert (await unit.sessions.get(mine.id, "ada")).authentication == fresh
        presented = await unit.sessions.find(mine.id, b"a" * 32)
        assert presented is not None
        assert presented.session.authentication == fresh
        assert await unit.sessions.end_all("ada", but=mine.id) == []
        assert await unit.sessions.end_all("ada") == [mine.id]


async def test_a_notice_is_published_as_it_is(store: Store) -> None:
    notice = SecurityNoticed("ada", NOW, Notice.TOTP_REPLAYED)
    async with store.new_unit(store.north) as unit:
        await unit.events.add([notice])
        await unit.commit()
    assert await store.published(store.north) == [notice]
