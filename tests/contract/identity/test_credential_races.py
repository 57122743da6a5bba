"""What is good once is good once, however many use it at the same moment, over memory and over PostgreSQL."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.identity.argon2 import Argon2Passwords, Cost
from adapters.identity.jose import JoseSigner
from adapters.identity.vault import AesVault
from adapters.identity.webauthn import WebAuthnRelyingParty
from domain.identity.challenges import FactorRefused, PasskeyProof, PutChallenge, RecoveryProof, TotpProof
from domain.identity.events import Notice, SecurityNoticed
from domain.identity.links import LinkRefused, LinkToken, Purpose
from domain.identity.sessions import Credentials, SessionRefused, TokenPair, TooManyFailures
from domain.identity.step_up import Authentication, Method, SignedIn
from domain.identity.totp import code_at, step_at
from domain.identity.use_cases.current_signing_key import CurrentSigningKey
from domain.identity.use_cases.found_organization import FoundOrganization
from domain.identity.use_cases.prove_password import ProvePassword
from domain.identity.use_cases.refresh_session import RefreshSession
from domain.identity.use_cases.sign_in import SignIn
from domain.shared.caller import Role
from domain.shared.ids import random_id
from services.identity.credentials_use_cases import credential_use_cases
from tests.contract.identity.conftest import NOW, Store
from tests.contract.identity.test_races import outcomes
from tests.rpc.identity.people import ORIGIN, SoftwareKey

ISSUER = "http://localhost:8080"
PASSWORD = "lantern orbit 42 velvet"


class Account:
    """`ada` of one store, with her app and her codes, at a time that the test moves."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW
        self.passwords = Argon2Passwords(Cost(1, 8))
        signer, vault = JoseSigner(b"k" * 32, ISSUER), AesVault(b"k" * 32)
        self.relying_party = WebAuthnRelyingParty(ORIGIN)
        key = CurrentSigningKey(store.new_platform_unit, signer, self.clock)
        prove = ProvePassword(store.new_unit, store.new_platform_unit, self.passwords, self.clock)
        self.sign_in = SignIn(
            store.sign_ins,
            store.new_unit,
            store.new_platform_unit,
            key,
            self.passwords,
            signer,
            random_id,
            self.secret,
            self.clock,
        )
        self.refresh = RefreshSession(store.new_unit, key, signer, self.secret, self.clock)
        self.use = credential_use_cases(
            new_unit=store.new_unit,
            new_platform_unit=store.new_platform_unit,
            prove_password=prove,
            current_signing_key=key,
            passwords=self.passwords,
            signer=signer,
            vault=vault,
            relying_party=self.relying_party,
            new_id=random_id,
            new_secret=self.secret,
            clock=self.clock,
        )

    @staticmethod
    def secret() -> str:
        return secrets.token_urlsafe(32)

    def clock(self) -> Any:
        return self.now

    @property
    def me(self) -> SignedIn:
        methods = frozenset({Method.PASSWORD, Method.ONE_TIME_CODE, Method.MULTIPLE})
        return SignedIn(self.store.north, "ada", None, Authentication(self.now, methods))

    async def founded(self) -> "Account":
        found = FoundOrganization(self.store.new_unit, self.passwords, self.clock)
        await found(self.store.north, "North", "ada", PASSWORD, frozenset({Role.ADMIN}))
        return self

    async def with_app(self) -> "Account":
        self.seed = await self.use.enrol_totp(self.me)
        self.codes = await self.use.confirm_totp(self.me, self.code())
        self.now += timedelta(seconds=30)
        return self

    def code(self) -> str:
        return code_at(self.seed, step_at(self.now))

    async def challenge(self) -> PutChallenge:
        answer = await self.sign_in(Credentials(self.store.north, "ada", PASSWORD))
        assert isinstance(answer, PutChallenge)
        return answer

    async def noticed(self) -> list[Notice]:
        published = await self.store.published(self.store.north)
        return [each.notice for each in published if isinstance(each, SecurityNoticed)]


@pytest.fixture
async def account(store: Store) -> Account:
    return await Account(store).founded()


async def test_of_many_that_answer_with_one_code_one_signs_in(account: Account) -> None:
    await account.with_app()
    challenges = [await account.challenge() for _ in range(6)]
    proof = TotpProof(account.code())
    won, lost = await outcomes(*(account.use.complete_sign_in(each.token, proof, "") for each in challenges))
    assert len(won) == 1
    assert {type(each) for each in lost} == {FactorRefused}
    assert (await account.noticed()).count(Notice.TOTP_REPLAYED) == 5


async def test_of_many_that_use_one_recovery_code_one_signs_in(account: Account) -> None:
    await account.with_app()
    challenges = [await account.challenge() for _ in range(6)]
    proof = RecoveryProof(account.codes[0].replace("-", ""))
    won, lost = await outcomes(*(account.use.complete_sign_in(each.token, proof, "") for each in challenges))
    assert len(won) == 1
    assert {type(each) for each in lost} == {FactorRefused}
    noticed = await account.noticed()
    assert (noticed.count(Notice.RECOVERY_CODE_USED), noticed.count(Notice.RECOVERY_CODE_REUSED)) == (1, 5)


async def test_of_many_different_answers_to_one_challenge_one_signs_in_and_nothing_else_is_spent(account: Account) -> None:
    await account.with_app()
    token = (await account.challenge()).token
    proofs = [RecoveryProof(code.replace("-", "")) for code in account.codes[:6]]
    won, lost = await outcomes(*(account.use.complete_sign_in(token, proof, "") for proof in proofs))
    assert len(won) == 1
    assert {type(each) for each in lost} == {FactorRefused}
    shown = await account.use.get_credentials(account.me)
    assert sum(code.used_at is None for code in shown.factors.recovery_codes) == 9


async def test_of_many_guesses_at_once_no_more_than_ten_are_looked_at(account: Account) -> None:
    await account.with_app()
    token = (await account.challenge()).token
    guesses = [account.use.complete_sign_in(token, TotpProof("000000"), "") for _ in range(30)]
    _, refused = await outcomes(*guesses)
    assert sum(isinstance(each, FactorRefused) for each in refused) == 10
    assert sum(isinstance(each, TooManyFailures) for each in refused) == 20


async def test_of_many_signatures_with_one_counter_one_signs_in(account: Account) -> None:
    key = SoftwareKey()
    start = await account.use.begin_passkey_registration(account.me)
    options = account.relying_party.registration_options("ada", b"handle", start.token.digest, ())
    await account.use.register_passkey(account.me, start.token, key.registers(options), "laptop")
    work = []
    for _ in range(4):
        challenge = await account.use.begin_passkey_sign_in(account.store.north)
        key.counter = 0  # a copy of the key, which does not know of the other's use
        answer = key.signs(account.relying_party.sign_in_options(challenge.token.digest, ()))
        work.append(account.use.complete_sign_in(challenge.token, PasskeyProof(answer), ""))
    won, lost = await outcomes(*work)
    assert len(won) == 1
    assert {type(each) for each in lost} == {FactorRefused}
    assert (await account.noticed()).count(Notice.PASSKEY_COPIED) == 3


async def test_of_many_that_use_one_users_links_one_resets_the_password(account: Account) -> None:
    pair = await account.sign_in(Credentials(account.store.north, "ada", PASSWORD))
    assert isinstance(pair, TokenPair)
    async with account.store.new_unit(account.store.north) as unit:
        ada = await unit.users.get("ada")
        await unit.users.save(replace(ada, email="ada@example.org"))
        tokens = [LinkToken(account.store.north, account.secret()) for _ in range(2)]
        for token in tokens:
            await unit.links.add(token.link(Purpose.RESET_PASSWORD, "ada", "ada@example.org", NOW), NOW)
        await unit.commit()
    work = [account.use.reset_password(tokens[number % 2], f"seven purple kettles {number} sang") for number in range(6)]
    won, lost = await outcomes(*work)
    assert len(won) == 1
    assert {type(each) for each in lost} == {LinkRefused}
    with pytest.raises(SessionRefused):
        await account.refresh(pair.refresh_token)
    assert (await account.noticed()).count(Notice.PASSWORD_RESET) == 1
