import asyncio
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from joserfc import jws

from adapters.identity.argon2 import Argon2Passwords, Cost
from adapters.identity.jose import JoseSigner
from domain.shared.caller import Role
from domain.shared.errors import LimitReached

ISSUER = "http://localhost:8080"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHEAP = Cost(1, 8)


async def test_a_hash_is_argon2id_with_todays_cost_and_fits_its_password_only() -> None:
    passwords = Argon2Passwords()
    hashed = await passwords.hash("right")
    assert hashed.startswith("$argon2id$v=19$m=7168,t=5,p=1$")
    assert await passwords.verify("right", hashed)
    assert not await passwords.verify("wrong", hashed)
    assert not passwords.outdated(hashed)
    passwords.close()


async def test_one_password_never_hashes_alike_twice() -> None:
    passwords = Argon2Passwords(CHEAP)
    assert await passwords.hash("right") != await passwords.hash("right")
    passwords.close()


@pytest.mark.parametrize("broken", [None, "", "$argon2id$", "plain text", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"])
async def test_nothing_matches_an_absent_or_broken_hash(broken: str | None) -> None:
    passwords = Argon2Passwords(CHEAP)
    assert not await passwords.verify("right", broken)
    passwords.close()


async def test_comparing_with_nobodys_hash_is_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Argon2Passwords(CHEAP)
    real = await passwords.hash("right")
    compared: list[str] = []
    matches = passwords._matches
    monkeypatch.setattr(passwords, "_matches", lambda password, hashed: (compared.append(hashed), matches(password, hashed))[1])
    await passwords.verify("wrong", real)
    await passwords.verify("wrong", None)
    assert len(compared) == 2
    assert compared[0].split("$")[:4] == compared[1].split("$")[:4]
    passwords.close()


async def test_hashing_leaves_the_event_loop_free_and_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Argon2Passwords(CHEAP, longest_queue=3)
    gate = threading.Event()
    monkeypatch.setattr(passwords, "_matches", lambda password, hashed: gate.wait())
    waiting = [asyncio.create_task(passwords.verify("x", None)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(LimitReached):
        await passwords.verify("x", None)
    gate.set()
    await asyncio.gather(*waiting)
    await passwords.verify("x", None)
    passwords.close()


def test_the_private_key_is_nowhere_in_what_is_stored() -> None:
    signer = JoseSigner(b"k" * 32, ISSUER)
    key = signer.new_key(NOW)
    assert b'"d"' not in key.sealed_private
    assert signer.opens(key)
    assert not JoseSigner(b"x" * 32, ISSUER).opens(key)
    assert not JoseSigner(b"k" * 32, ISSUER).opens(replace(key, kid="another"))
    assert not JoseSigner(b"k" * 32, ISSUER).opens(
        replace(key, sealed_private=key.sealed_private[:-1] + bytes([key.sealed_private[-1] ^ 1]))
    )


def test_a_token_says_what_it_must_and_nothing_personal() -> None:
    signer = JoseSigner(b"k" * 32, ISSUER)
    key = signer.new_key(NOW)
    token = signer.sign(key, "north", "ada", frozenset({Role.TEACHER, Role.ADMIN}), "session", NOW)
    parts = jws.extract_compact(token.encode())
    assert parts.headers() == {"alg": "ES256", "typ": "JWT", "kid": key.kid}
    claims = json.loads(parts.payload)
    assert claims.pop("jti")
    assert claims == {
        "iss": ISSUER,
        "aud": "paideia",
        "sub": "ada",
        "org": "north",
        "roles": ["ADMIN", "TEACHER"],
        "plan": "standard",
        "sid": "session",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 600,
    }


def test_an_encryption_key_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        JoseSigner(b"short", ISSUER)
