"""What must hold when many do the same thing at once, over memory and over PostgreSQL."""

import asyncio
import secrets
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.identity.argon2 import Argon2Passwords, Cost
from adapters.identity.jose import JoseSigner
from domain.identity.events import SessionRevoked, SigningKeyMade, UserCreated
from domain.identity.model import PLATFORM, LastAdministrator, OrganizationAlreadyExists, UserAlreadyDeactivated, UserDraft
from domain.identity.sessions import Credentials, SessionRefused, SignInRefused, TokenPair, TooManyFailures
from domain.identity.use_cases.create_users import CreateUsers
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.deactivate_user import DeactivateUser
from domain.identity.use_cases.found_organization import FoundOrganization
from domain.identity.use_cases.refresh_session import RefreshSession
from domain.identity.use_cases.rotate_signing_key import RotateSigningKey
from domain.identity.use_cases.sign_in import SignIn
from domain.shared.caller import Caller, Role
from domain.shared.ids import random_id
from tests.contract.identity.conftest import NOW, Store

ISSUER = "http://localhost:8080"
PASSWORD = "lantern orbit 42 velvet"
ADMIN = frozenset({Role.ADMIN})


@dataclass
class Platform:
    """The use cases over one store, at a time that stands still."""

    store: Store

    def __post_init__(self) -> None:
        self.passwords = Argon2Passwords(Cost(1, 8))
        self.signer = JoseSigner(b"k" * 32, ISSUER)
        self.found = FoundOrganization(self.store.new_unit, self.passwords, self.clock)
        self.key = CurrentSigningKey(self.store.new_platform_unit, self.signer, self.clock)
        self.sign_in = SignIn(
            self.store.sign_ins,
            self.store.new_unit,
            self.store.new_platform_unit,
            self.key,
            self.passwords,
            self.signer,
            random_id,
            lambda: secrets.token_urlsafe(32),
            self.clock,
        )
        self.refresh = RefreshSession(self.store.new_unit, self.key, self.signer, lambda: secrets.token_urlsafe(32), self.clock)
        self.deactivate = DeactivateUser(self.store.new_unit, self.clock)

    @staticmethod
    def clock() -> Any:
        return NOW

    async def founded(self) -> TokenPair:
        await self.found(self.store.north, "North", "ada", PASSWORD, ADMIN)
        return await self.sign_in(Credentials(self.store.north, "ada", PASSWORD))


@pytest.fixture
def platform(store: Store) -> Platform:
    return Platform(store)


async def outcomes(*work: Awaitable[Any]) -> tuple[list[Any], list[BaseException]]:
    """What succeeded and what failed."""
    ended: Sequence[Any] = await asyncio.gather(*work, return_exceptions=True)
    failed = [each for each in ended if isinstance(each, BaseException)]
    return [each for each in ended if not isinstance(each, BaseException)], failed


async def test_of_many_refreshes_with_one_token_one_wins_and_the_session_ends(platform: Platform) -> None:
    pair = await platform.founded()
    won, lost = await outcomes(*(platform.refresh(pair.refresh_token) for _ in range(8)))
    assert len(won) == 1
    assert {type(each) for each in lost} == {SessionRefused}
    with pytest.raises(SessionRefused):
        await platform.refresh(won[0].refresh_token)
    assert [each for each in await platform.store.published(platform.store.north) if isinstance(each, SessionRevoked)] == [
        SessionRevoked("ada", NOW, pair.session.id)
    ]


async def test_refreshing_one_after_the_other_goes_on(platform: Platform) -> None:
    pair = await platform.founded()
    for _ in range(5):
        pair = await platform.refresh(pair.refresh_token)


async def test_of_many_that_need_the_first_signing_key_all_get_the_same(platform: Platform) -> None:
    async with platform.store.new_platform_unit() as unit:
        for key in await unit.signing_keys.all():
            await unit.signing_keys.save(replace(key, retire_at=NOW))
        await unit.signing_keys.forget_retired(NOW)
        await unit.commit()
    keys = await asyncio.gather(*(platform.key() for _ in range(10)))
    assert len({key.kid for key in keys}) == 1
    async with platform.store.new_platform_unit() as unit:
        assert await unit.signing_keys.all() == [keys[0]]
    made = await platform.store.published(PLATFORM)
    assert [each for each in made if each.key == keys[0].kid] == [SigningKeyMade(keys[0].kid, NOW, NOW)]


async def test_a_signing_key_that_is_rotated_in_is_made_known_once(platform: Platform) -> None:
    rotate = RotateSigningKey(platform.store.new_platform_unit, platform.signer, platform.clock)
    fresh = await rotate(at_once=True)
    assert fresh is not None
    assert await rotate() is None
    made = await platform.store.published(PLATFORM)
    assert [each for each in made if each.key == fresh.kid] == [SigningKeyMade(fresh.kid, NOW, fresh.not_before)]


async def test_of_many_that_found_one_organization_one_does(platform: Platform) -> None:
    founded, refused = await outcomes(*(platform.found(platform.store.north, "North", "ada", PASSWORD, ADMIN) for _ in range(6)))
    assert len(founded) == 1
    assert {type(each) for each in refused} == {OrganizationAlreadyExists}
    assert await platform.store.published(platform.store.north) == [UserCreated("ada", NOW)]
    await platform.sign_in(Credentials(platform.store.north, "ada", PASSWORD))


async def test_two_administrators_who_deactivate_each_other_leave_one(platform: Platform) -> None:
    await platform.store.with_user("ada", roles=ADMIN)
    await platform.store.with_user("bob", roles=ADMIN)
    ada, bob = (Caller(platform.store.north, each, ADMIN) for each in ("ada", "bob"))
    done, refused = await outcomes(platform.deactivate(ada, "bob"), platform.deactivate(bob, "ada"))
    assert len(done) == 1
    assert [type(each) for each in refused] == [LastAdministrator]


async def test_a_user_is_deactivated_once(platform: Platform) -> None:
    await platform.store.with_user("ada", roles=ADMIN)
    await platform.store.with_user("bob")
    ada = Caller(platform.store.north, "ada", ADMIN)
    done, refused = await outcomes(*(platform.deactivate(ada, "bob") for _ in range(4)))
    assert len(done) == 1
    assert {type(each) for each in refused} == {UserAlreadyDeactivated}


async def test_no_session_outlives_a_deactivation_that_ran_beside_its_refresh(platform: Platform) -> None:
    pair = await platform.founded()
    await platform.store.with_user("bob", roles=ADMIN)
    bob = Caller(platform.store.north, "bob", ADMIN)
    won, _ = await outcomes(
        platform.refresh(pair.refresh_token),
        platform.deactivate(bob, "ada"),
        platform.sign_in(Credentials(platform.store.north, "ada", PASSWORD)),
    )
    tokens = [each.refresh_token for each in won if isinstance(each, TokenPair)]
    for each in (pair.refresh_token, *tokens):
        with pytest.raises(SessionRefused):
            await platform.refresh(each)


async def test_of_a_hundred_guesses_at_once_none_is_answered_after_the_tenth(platform: Platform) -> None:
    await platform.founded()
    guesses = [platform.sign_in(Credentials(platform.store.north, "ada", f"wrong {number}")) for number in range(60)]
    _, refused = await outcomes(*guesses)
    assert sum(isinstance(each, SignInRefused) for each in refused) == 10
    assert sum(isinstance(each, TooManyFailures) for each in refused) == 50
    with pytest.raises(TooManyFailures) as refusal:
        await platform.sign_in(Credentials(platform.store.north, "ada", PASSWORD))
    assert refusal.value.retry_after == timedelta(seconds=30)


async def test_many_good_sign_ins_at_once_are_never_mistaken_for_guessing(platform: Platform) -> None:
    await platform.founded()
    good = [platform.sign_in(Credentials(platform.store.north, "ada", PASSWORD)) for _ in range(30)]
    signed_in, refused = await outcomes(*good)
    assert (len(signed_in), refused) == (30, [])


async def test_batches_that_overlap_create_every_user_once(platform: Platform) -> None:
    create = CreateUsers(platform.store.new_unit, platform.clock)
    ada = Caller(platform.store.north, "ada", ADMIN)
    learner = frozenset({Role.LEARNER})
    ids = [f"user-{number}" for number in range(100)]
    batches = [
        tuple(UserDraft(each, "", None, learner) for each in (ids if forwards else reversed(ids))) for forwards in (1, 0, 1, 0)
    ]
    done, refused = await outcomes(*(create(ada, batch, skip_existing=True) for batch in batches))
    assert refused == []
    for batch, users in zip(batches, done, strict=True):
        assert [each.id for each in users] == [each.id for each in batch]
    assert len(await platform.store.published(platform.store.north)) == 100
