import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from adapters.shared.service_tokens import sign_service_token
from domain.shared.caller import Caller, Role
from domain.shared.errors import Unauthenticated, Unavailable
from services.shared.tokens import TokenVerifier, session_in

ISSUER = "http://localhost:8080"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MESH_KEY = b"m" * 32
PAIR = ECKey.generate_key("P-256", {"kid": "first"})
OTHER_PAIR = ECKey.generate_key("P-256", {"kid": "second"})
ADA = Caller("north", "ada", frozenset({Role.LEARNER}))


def public(pair: ECKey) -> dict[str, str]:
    return {name: str(value) for name, value in pair.as_dict(private=False).items()}


class Identity:
    """Stands for the identity context: lists keys, and counts how often it is asked."""

    def __init__(self, *pairs: ECKey) -> None:
        self.pairs = list(pairs)
        self.asked = 0
        self.away = False

    async def keys(self) -> list[dict[str, str]]:
        self.asked += 1
        if self.away:
            raise ConnectionError("identity is away")
        return [public(pair) for pair in self.pairs]


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def clock(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return 1_000.0 + self.seconds


def verifier(identity: Identity | None = None, time: Time | None = None, remembered: int = 100) -> TokenVerifier:
    time = time or Time()
    keys = (identity or Identity(PAIR)).keys
    return TokenVerifier(keys, MESH_KEY, time.clock, issuer=ISSUER, remembered=remembered, monotonic=time.monotonic)


def claims(**changed: object) -> dict[str, object]:
    issued = int(NOW.timestamp())
    usual = {
        "iss": ISSUER,
        "aud": "paideia",
        "sub": "ada",
        "org": "north",
        "roles": ["LEARNER"],
        "sid": "8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e",
        "jti": "1",
        "iat": issued,
        "exp": issued + 600,
    }
    return {name: value for name, value in (usual | changed).items() if value is not ...}


def signed(pair: ECKey = PAIR, kid: str = "first", **changed: object) -> str:
    return jwt.encode({"alg": "ES256", "kid": kid}, claims(**changed), pair, algorithms=["ES256"])


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def test_a_good_access_token_names_its_caller() -> None:
    assert await verifier().verify(signed()) == ADA


async def test_a_verified_token_is_remembered_and_still_expires() -> None:
    time = Time()
    verify = verifier(time=time).verify
    token = signed()
    assert await verify(token) is await verify(token)
    time.seconds = 600 + 31
    with pytest.raises(Unauthenticated):
        await verify(token)


async def test_the_least_recently_used_token_is_forgotten_first_and_verifies_again() -> None:
    verify = verifier(remembered=2).verify
    first, second, third = (signed(jti=str(number)) for number in range(3))
    kept = await verify(first)
    await verify(second)
    assert await verify(first) is kept
    await verify(third)
    assert await verify(first) is kept
    assert await verify(second) == ADA


async def test_a_revoked_session_or_a_single_revoked_token_is_refused_even_if_it_was_known() -> None:
    revoked: set[str] = set()
    verify = TokenVerifier(Identity(PAIR).keys, MESH_KEY, lambda: NOW, issuer=ISSUER, revoked=revoked).verify
    first, second = signed(jti="first"), signed(jti="second")
    for token in (first, second):
        assert await verify(token) == ADA
    revoked.add("first")
    with pytest.raises(Unauthenticated):
        await verify(first)
    assert await verify(second) == ADA
    revoked.add("8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e")
    with pytest.raises(Unauthenticated):
        await verify(second)


@pytest.mark.parametrize(("claimed", "plan"), [("trial", "trial"), ("large", "large"), ("gold", "standard"), (..., "standard")])
async def test_a_token_says_which_plan_its_organization_has(claimed: object, plan: str) -> None:
    assert (await verifier().verify(signed(plan=claimed))).plan == plan


def _hs256(header: dict[str, str], payload: dict[str, object], key: bytes) -> str:
    signing_input = f"{encoded(header)}.{encoded(payload)}"
    signature = hmac.new(key, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


ATTACKS = {
    "nothing": "",
    "no token at all": "hello",
    "not ASCII": signed() + "é",
    "no algorithm": f"{encoded({'alg': 'none', 'kid': 'first'})}.{encoded(claims())}.",
    "no algorithm, spelled otherwise": f"{encoded({'alg': 'nOnE', 'kid': 'first'})}.{encoded(claims())}.",
    "HMAC with the public key as the secret": _hs256({"alg": "HS256", "kid": "first"}, claims(), PAIR.as_pem(private=False)),
    "HMAC with the mesh key under identity's name": _hs256({"alg": "HS256", "kid": "first"}, claims(), MESH_KEY),
    "the mesh's name under an elliptic signature": signed(iss="paideia-mesh"),
    "a stripped signature": signed().rpartition(".")[0] + ".",
    "two parts": signed().rpartition(".")[0],
    "a truncated signature": signed()[:-4],
    "another's signature": signed(OTHER_PAIR),
    "an unknown key": signed(OTHER_PAIR, kid="second"),
    "an empty key id": signed(kid=""),
    "claims of one token under the signature of another": ".".join(
        [signed().split(".")[0], encoded(claims(sub="root")), signed().split(".")[2]]
    ),
    "another issuer": signed(iss="elsewhere"),
    "the issuer with a slash": signed(iss=f"{ISSUER}/"),
    "no issuer": signed(iss=...),
    "an issuer that is no text": signed(iss=["paideia"]),
    "another audience": signed(aud="elsewhere"),
    "no audience": signed(aud=...),
    "expired": signed(exp=int(NOW.timestamp()) - 31),
    "no expiry": signed(exp=...),
    "an expiry that is no number": signed(exp="4102444800"),
    "an expiry that is true": signed(exp=True),
    "an expiry that is not a number": signed(exp=float("nan")),
    "issued in the future": signed(iat=int(NOW.timestamp()) + 31),
    "not valid yet": signed(nbf=int(NOW.timestamp()) + 31),
    "no subject": signed(sub=...),
    "an empty subject": signed(sub=""),
    "a subject that is no text": signed(sub=7),
    "no organization": signed(org=...),
    "roles that are a text": signed(roles="ADMIN"),
    "no roles": signed(roles=[]),
    "an unknown role": signed(roles=["LEARNER", "GOD"]),
    "a role that only contexts have": signed(roles=["SERVICE"]),
    "a role that is a list": signed(roles=[["ADMIN"]]),
    "claims that are a list": f"{encoded({'alg': 'ES256', 'kid': 'first'})}.{encoded([])}.AAAA",
    "deep nesting": f"{encoded({'alg': 'ES256', 'kid': 'first'})}."
    + base64.urlsafe_b64encode(b"[" * 4000).decode().rstrip("=")
    + ".AAAA",
    "far too long": signed(extra="x" * 9000),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_forged_or_stale_token_is_refused_without_saying_why(attack: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        await verifier().verify(ATTACKS[attack])
    assert refusal.value.reason == "INVALID_TOKEN"
    assert "malformed, expired or not ours" in refusal.value.message


@pytest.mark.parametrize("seconds", [-29, 0, 29])
async def test_clocks_may_disagree_by_half_a_minute(seconds: int) -> None:
    at = int(NOW.timestamp())
    assert await verifier().verify(signed(iat=at + max(seconds, 0), exp=at + min(seconds, 0))) == ADA


@given(st.data())
async def test_no_altered_byte_leaves_a_token_good_for_somebody_else(data: st.DataObject) -> None:
    token = signed()
    at = data.draw(st.integers(0, len(token) - 1))
    put = data.draw(st.sampled_from("ABCDwxyz0189-_.="))
    try:
        caller = await verifier().verify(token[:at] + put + token[at + 1 :])
    except Unauthenticated:
        return
    assert caller == ADA


@given(st.text(max_size=200))
async def test_no_text_whatever_makes_the_verifier_fail(text: str) -> None:
    with pytest.raises(Unauthenticated):
        await verifier().verify(text)


async def test_a_new_key_is_fetched_when_a_token_names_it() -> None:
    identity, time = Identity(PAIR), Time()
    verify = verifier(identity, time).verify
    await verify(signed())
    identity.pairs.append(OTHER_PAIR)
    time.seconds = 6
    assert await verify(signed(OTHER_PAIR, "second")) == ADA


async def test_invented_key_ids_do_not_become_a_flood_of_calls() -> None:
    identity = Identity(PAIR)
    verify = verifier(identity).verify
    for number in range(50):
        with pytest.raises(Unauthenticated):
            await verify(signed(kid=f"invented-{number}"))
    assert identity.asked == 1


async def test_known_keys_serve_while_identity_is_away() -> None:
    identity, time = Identity(PAIR), Time()
    verify = verifier(identity, time).verify
    await verify(signed())
    identity.away = True
    time.seconds = 400
    assert await verify(signed(jti="2")) == ADA
    assert identity.asked == 2


async def test_before_any_key_is_known_the_verifier_says_it_cannot_tell_yet() -> None:
    identity, time = Identity(PAIR), Time()
    identity.away = True
    verify = verifier(identity, time).verify
    with pytest.raises(Unavailable):
        await verify(signed())
    identity.away = False
    time.seconds = 6
    assert await verify(signed()) == ADA


async def test_a_withdrawn_key_withdraws_the_tokens_remembered_under_it() -> None:
    identity, time = Identity(PAIR, OTHER_PAIR), Time()
    verify = verifier(identity, time).verify
    stolen = signed(OTHER_PAIR, "second")
    await verify(stolen)
    identity.pairs.pop()
    time.seconds = 301
    await verify(signed())
    with pytest.raises(Unauthenticated):
        await verify(stolen)


async def test_keys_that_cannot_verify_es256_are_not_used() -> None:
    async def keys() -> list[dict[str, str]]:
        return [{"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}, {"kty": "EC", "crv": "P-384", "kid": "p384"}, public(PAIR)]

    verify = TokenVerifier(keys, MESH_KEY, lambda: NOW, issuer=ISSUER).verify
    assert await verify(signed()) == ADA
    with pytest.raises(Unauthenticated):
        await verify(_hs256({"alg": "HS256", "kid": "secret"}, claims(), b"secret"))


async def test_a_service_token_names_the_calling_context() -> None:
    token = sign_service_token(MESH_KEY, "assessment", "north", NOW)
    caller = await verifier().verify(token)
    assert caller == Caller("north", "assessment", frozenset({Role.SERVICE}))


def mesh(**changed: object) -> str:
    issued = int(NOW.timestamp())
    usual = {"iss": "paideia-mesh", "aud": "paideia", "sub": "catalog", "org": "north", "iat": issued, "exp": issued + 300}
    payload = {name: value for name, value in (usual | changed).items() if value is not ...}
    return jwt.encode({"alg": "HS256"}, payload, OctKey.import_key(MESH_KEY), algorithms=["HS256"])


@pytest.mark.parametrize(
    "token",
    [
        sign_service_token(b"x" * 32, "catalog", "north", NOW),
        sign_service_token(MESH_KEY, "catalog", "north", NOW - timedelta(seconds=331)),
        sign_service_token(MESH_KEY, "catalog", "north", NOW + timedelta(seconds=31)),
        sign_service_token(MESH_KEY, "catalog", "north", NOW).rpartition(".")[0] + ".",
        mesh(exp=int(NOW.timestamp()) + 301),
        mesh(aud="elsewhere"),
        mesh(org=...),
        mesh(sub=""),
        mesh(iss="paideia"),
    ],
    ids=["another key", "expired", "future", "stripped", "too long a life", "audience", "no org", "no sub", "identity's name"],
)
async def test_a_forged_or_stale_service_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        await verifier().verify(token)


async def test_service_tokens_verify_without_identity() -> None:
    identity = Identity()
    identity.away = True
    await verifier(identity).verify(sign_service_token(MESH_KEY, "catalog", "north", NOW))
    assert identity.asked == 0


def test_a_short_mesh_key_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TokenVerifier(Identity().keys, b"short", lambda: NOW, issuer=ISSUER)


def test_the_session_is_read_from_the_token() -> None:
    assert session_in(signed()) == "8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e"
    assert session_in(signed(sid=...)) is None
    assert session_in("north/ada/LEARNER") is None
