"""The use cases over memory, with a clock that the test moves."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from adapters.identity.argon2 import Argon2Passwords, Cost
from adapters.identity.jose import JoseSigner
from adapters.identity.memory import IdentityMemory
from domain.identity.model import OperatorRoleReserved, UserChanges, UserDraft
from domain.identity.sessions import (
    KEY_LIFE,
    KEY_NOTICE,
    Credentials,
    SessionRefused,
    SignInRefused,
    TokenPair,
    TooManyFailures,
)
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.change_password import ChangePassword
from domain.identity.use_cases.create_user import CreateUser
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.deactivate_user import DeactivateUser
from domain.identity.use_cases.found_organization import FoundOrganization
from domain.identity.use_cases.list_public_keys import ListPublicKeys
from domain.identity.use_cases.prove_password import ProvePassword
from domain.identity.use_cases.refresh_session import RefreshSession
from domain.identity.use_cases.rotate_signing_key import RotateSigningKey
from domain.identity.use_cases.sign_in import SignIn
from domain.identity.use_cases.sign_out import SignOut
from domain.identity.use_cases.update_user import UpdateUser
from domain.shared.caller import Caller, Role
from domain.shared.errors import InvalidInput
from domain.shared.ids import random_id
from services.shared.tokens import TokenVerifier, session_in

ISSUER = "http://localhost:8080"
PASSWORD = "lantern orbit 42 velvet"
OTHER_PASSWORD = "quiet harbour 17 maple"
ADMIN = frozenset({Role.ADMIN})
ADA = Caller("north", "ada", ADMIN)
BOB = UserDraft("bob", "Bob", "bob@example.org", frozenset({Role.LEARNER}))


class Identity:
    """Everything, over one memory; `now` is moved by the test."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)
        self.memory = IdentityMemory()
        unit, platform = self.memory.unit, self.memory.platform_unit
        self.passwords = Argon2Passwords(Cost(1, 8))
        self.signer = JoseSigner(b"k" * 32, ISSUER)
        self.key = CurrentSigningKey(platform, self.signer, self.clock)
        self.rotate = RotateSigningKey(platform, self.signer, self.clock)
        self.public_keys = ListPublicKeys(platform, self.key, self.clock)
        self.found = FoundOrganization(unit, self.passwords, self.clock)
        self.create_user = CreateUser(unit, self.passwords, self.clock)
        self.update_user = UpdateUser(unit)
        self.deactivate = DeactivateUser(unit, self.clock)
        self.prove = ProvePassword(unit, platform, self.passwords, self.clock)
        self.change_password = ChangePassword(unit, self.prove, self.passwords, self.clock)
        self.sign_out = SignOut(unit, self.clock)
        self.refresh = RefreshSession(unit, self.key, self.signer, self.secret, self.clock)
        self.use(self.passwords)

    def use(self, passwords: Argon2Passwords) -> None:
        memory = self.memory
        self._sign_in = SignIn(
            memory.sign_ins(),
            memory.unit,
            memory.platform_unit,
            self.key,
            passwords,
            self.signer,
            random_id,
            self.secret,
            self.clock,
        )

    def clock(self) -> datetime:
        return self.now

    @staticmethod
    def secret() -> str:
        return secrets.token_urlsafe(32)

    async def sign_in(self, login: str = "ada", password: str = PASSWORD, organization: str = "north") -> TokenPair:
        return await self._sign_in(Credentials(organization, login, password))

    async def verify(self, token: str) -> Caller:
        async def keys() -> list[dict[str, str]]:
            return [
                {"kty": "EC", "crv": "P-256", "kid": key.kid, "x": key.public.x, "y": key.public.y}
                for key in await self.public_keys()
            ]

        return await TokenVerifier(keys, b"m" * 32, self.clock, issuer=ISSUER).verify(token)


@pytest.fixture
async def identity() -> AsyncIterator[Identity]:
    it = Identity()
    await it.found("north", "North", "ada", PASSWORD, ADMIN)
    yield it
    it.passwords.close()


async def test_who_signs_in_gets_a_token_that_names_them(identity: Identity) -> None:
    assert await identity.verify((await identity.sign_in()).access_token) == ADA


async def test_an_address_signs_in_like_an_id(identity: Identity) -> None:
    await identity.create_user(ADA, BOB, OTHER_PASSWORD)
    pair = await identity.sign_in("BOB@Example.org", OTHER_PASSWORD)
    assert (await identity.verify(pair.access_token)).user == "bob"


async def test_a_password_typed_on_another_keyboard_is_the_same_password(identity: Identity) -> None:
    await identity.create_user(ADA, BOB, "cafe\u0301 orbit 42 velvet")
    await identity.sign_in("bob", "caf\u00e9 orbit 42 velvet")


async def test_every_refusal_to_sign_in_is_the_same(identity: Identity) -> None:
    await identity.create_user(ADA, BOB, None)
    gone = UserDraft("gone", "", None, frozenset({Role.LEARNER}))
    await identity.create_user(ADA, gone, OTHER_PASSWORD)
    await identity.deactivate(ADA, "gone")
    for login, password, organization in [
        ("ada", "wrong", "north"),
        ("nobody", PASSWORD, "north"),
        ("nobody@example.org", PASSWORD, "north"),
        ("bob", PASSWORD, "north"),
        ("gone", OTHER_PASSWORD, "north"),
        ("ada", PASSWORD, "south"),
    ]:
        with pytest.raises(SignInRefused) as refusal:
            await identity.sign_in(login, password, organization)
        assert refusal.value.message == "the organization, the login or the password is wrong"


@pytest.mark.parametrize("login", ["ada", "nobody"])
async def test_guessing_locks_a_login_whether_or_not_it_exists_and_the_lock_ends(identity: Identity, login: str) -> None:
    for _ in range(10):
        with pytest.raises(SignInRefused):
            await identity.sign_in(login, "wrong")
    with pytest.raises(TooManyFailures):
        await identity.sign_in(login, PASSWORD)
    identity.now += timedelta(seconds=30)
    with pytest.raises(SignInRefused):
        await identity.sign_in(login, "wrong")
    with pytest.raises(TooManyFailures) as refusal:
        await identity.sign_in(login, PASSWORD)
    assert refusal.value.retry_after == timedelta(seconds=60)


async def test_signing_in_clears_the_failures(identity: Identity) -> None:
    for _ in range(3):
        for _ in range(9):
            with pytest.raises(SignInRefused):
                await identity.sign_in("ada", "wrong")
        await identity.sign_in()


async def test_an_outdated_hash_is_replaced_at_sign_in(identity: Identity) -> None:
    stronger = Argon2Passwords(Cost(2, 16))
    before = identity.memory.tenants["north"].hashes["ada"]
    assert stronger.outdated(before)
    identity.use(stronger)
    await identity.sign_in()
    after = identity.memory.tenants["north"].hashes["ada"]
    assert not stronger.outdated(after)
    await identity.sign_in()
    assert identity.memory.tenants["north"].hashes["ada"] == after
    stronger.close()


async def test_refresh_carries_the_roles_of_now(identity: Identity) -> None:
    await identity.create_user(ADA, BOB, OTHER_PASSWORD)
    pair = await identity.sign_in("bob", OTHER_PASSWORD)
    await identity.update_user(ADA, "bob", UserChanges(frozenset({"roles"}), roles=frozenset({Role.TEACHER})))
    pair = await identity.refresh(pair.refresh_token)
    assert (await identity.verify(pair.access_token)).roles == {Role.TEACHER}


async def test_a_session_ends_when_it_is_not_used(identity: Identity) -> None:
    pair = await identity.sign_in()
    identity.now = pair.session.expires_at
    with pytest.raises(SessionRefused):
        await identity.refresh(pair.refresh_token)


async def test_a_spent_token_of_long_ago_still_ends_the_session(identity: Identity) -> None:
    first = await identity.sign_in()
    last = first
    for _ in range(5):
        identity.now += timedelta(days=1)
        last = await identity.refresh(last.refresh_token)
    for token in (first.refresh_token, last.refresh_token):
        with pytest.raises(SessionRefused):
            await identity.refresh(token)


async def test_a_made_up_secret_does_not_end_somebody_elses_session(identity: Identity) -> None:
    pair = await identity.sign_in()
    with pytest.raises(SessionRefused):
        await identity.refresh(f"north.{pair.session.id}.guess")
    await identity.sign_out(f"north.{pair.session.id}.guess")
    await identity.refresh(pair.refresh_token)


async def test_signing_out_ends_the_session_and_only_this_one(identity: Identity) -> None:
    here, there = await identity.sign_in(), await identity.sign_in()
    await identity.sign_out(here.refresh_token)
    await identity.sign_out(here.refresh_token)
    with pytest.raises(SessionRefused):
        await identity.refresh(here.refresh_token)
    await identity.refresh(there.refresh_token)


async def test_a_new_password_ends_the_other_sessions(identity: Identity) -> None:
    here, there = await identity.sign_in(), await identity.sign_in()
    await identity.change_password(SignedIn("north", "ada", session_in(here.access_token)), PASSWORD, OTHER_PASSWORD)
    with pytest.raises(SessionRefused):
        await identity.refresh(there.refresh_token)
    await identity.refresh(here.refresh_token)
    with pytest.raises(SignInRefused):
        await identity.sign_in("ada", PASSWORD)
    await identity.sign_in("ada", OTHER_PASSWORD)


async def test_guessing_the_current_password_locks_signing_in(identity: Identity) -> None:
    for _ in range(10):
        with pytest.raises(InvalidInput, match="current_password"):
            await identity.change_password(SignedIn("north", "ada"), "wrong", OTHER_PASSWORD)
    with pytest.raises(TooManyFailures):
        await identity.change_password(SignedIn("north", "ada"), PASSWORD, OTHER_PASSWORD)
    with pytest.raises(TooManyFailures):
        await identity.sign_in()


async def test_an_administrator_cannot_touch_an_operator(identity: Identity) -> None:
    operator = Caller("north", "root", frozenset({Role.ADMIN, Role.OPERATOR}))
    root = UserDraft("root", "", None, operator.roles)
    with pytest.raises(OperatorRoleReserved):
        await identity.create_user(ADA, root, None)
    await identity.create_user(operator, root, None)
    with pytest.raises(OperatorRoleReserved):
        await identity.update_user(ADA, "root", UserChanges(frozenset({"roles"}), roles=ADMIN))
    with pytest.raises(OperatorRoleReserved):
        await identity.update_user(ADA, "root", UserChanges(frozenset({"email"}), email="ada@example.org"))
    with pytest.raises(OperatorRoleReserved):
        await identity.deactivate(ADA, "root")
    await identity.deactivate(operator, "root")


async def test_rotating_keeps_every_token_good_for_its_life(identity: Identity) -> None:
    before = (await identity.sign_in()).access_token
    assert await identity.rotate() is None
    identity.now += KEY_LIFE
    last = await identity.sign_in()
    fresh = await identity.rotate()
    assert fresh is not None
    assert await identity.rotate() is None
    listed = [key.kid for key in await identity.public_keys()]
    assert fresh.kid in listed
    assert len(listed) == 2
    assert (await identity.key()).kid != fresh.kid
    await identity.verify(last.access_token)
    identity.now += KEY_NOTICE
    assert (await identity.key()).kid == fresh.kid
    await identity.verify((await identity.sign_in()).access_token)
    identity.now += timedelta(minutes=11)
    assert [key.kid for key in await identity.public_keys()] == [fresh.kid]
    assert before != last.access_token


async def test_a_lost_encryption_key_costs_no_sign_in(identity: Identity) -> None:
    old = await identity.sign_in()
    identity.signer = JoseSigner(b"n" * 32, ISSUER)
    identity.key = CurrentSigningKey(identity.memory.platform_unit, identity.signer, identity.clock)
    identity.use(identity.passwords)
    assert await identity.verify((await identity.sign_in()).access_token) == ADA
    assert await identity.verify(old.access_token) == ADA
