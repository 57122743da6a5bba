"""Who a bearer token speaks for. Every process verifies for itself; the edge is not trusted to have done it.

Two issuers, and the issuer alone decides how a token is verified, so that no header can talk a public key into being an
HMAC secret:

    the platform's public URL   people and programs. ES256, signed by identity, verified with the public keys it lists.
    paideia-mesh                contexts. HS256 with the key all contexts share, good for at most five minutes.
"""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey

from domain.shared.caller import Caller, Role
from domain.shared.clock import Clock
from domain.shared.errors import DomainError, Unauthenticated, Unavailable
from domain.shared.plans import plan_named

Jwk = Mapping[str, str]
"""A public key of RFC 7517: kty, crv, x, y, kid."""

KeySource = Callable[[], Awaitable[Sequence[Jwk]]]
"""Returns identity's public keys; may raise anything when identity is away."""

MESH_ISSUER = "paideia-mesh"
AUDIENCE = "paideia"
LEEWAY_SECONDS = 30
SERVICE_TOKEN_SECONDS = 300
LONGEST_TOKEN = 8192

_REFRESH_SECONDS = 300.0
_REFETCH_SECONDS = 5.0
_FETCH_TIMEOUT_SECONDS = 3.0
_PEOPLE_ROLES = frozenset(Role) - {Role.SERVICE}


class InvalidToken(Unauthenticated):
    """The text never says which check failed: only the holder of a bad token would learn from it."""

    reason = "INVALID_TOKEN"

    def __init__(self) -> None:
        super().__init__("the access token is missing, malformed, expired or not ours: sign in again")


class PublicKeys:
    """Identity's keys as last seen. Known keys go on serving when identity is away."""

    def __init__(self, source: KeySource, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._monotonic = monotonic
        self._keys: dict[str, ECKey] = {}
        self._fetched_at = self._tried_at = -_REFRESH_SECONDS
        self._failed = False
        self._fetching = asyncio.Lock()

    async def get(self, kid: str) -> ECKey:
        """Raises InvalidToken if identity has no such key, Unavailable if it cannot be asked now."""
        stale = self._monotonic() - self._fetched_at >= _REFRESH_SECONDS
        # One caller refreshes known keys; the others need not wait for it.
        if kid not in self._keys or (stale and not self._fetching.locked()):
            await self._refetch()
        key = self._keys.get(kid)
        if key is not None:
            return key
        if self._failed:
            raise Unavailable("the keys that verify access tokens cannot be fetched at present")
        raise InvalidToken

    async def _refetch(self) -> None:
        async with self._fetching:
            now = self._monotonic()
            # Tokens with invented key ids must not become a flood of calls to identity.
            if now - self._tried_at < _REFETCH_SECONDS:
                return
            self._tried_at = now
            try:
                async with asyncio.timeout(_FETCH_TIMEOUT_SECONDS):
                    self._keys = _verification_keys(await self._source())
            except Exception:
                self._failed = True
                return
            self._failed = False
            self._fetched_at = now

    @property
    def known(self) -> frozenset[str]:
        return frozenset(self._keys)


class TokenVerifier:
    """Verifies access tokens and service tokens; remembers verified ones, by their SHA-256, until they expire."""

    def __init__(
        self,
        key_source: KeySource,
        mesh_key: bytes,
        clock: Clock,
        *,
        issuer: str,
        revoked: Container[str] = frozenset(),
        remembered: int = 20_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`issuer` is who issues to people and programs; `revoked` are the sessions, and the single tokens by their `jti`, that are
        refused although they have not expired."""
        if len(mesh_key) < 32:
            raise ValueError("the mesh key must be at least 32 bytes")
        if not issuer or issuer == MESH_ISSUER:
            raise ValueError("the issuer must be the platform's public URL")
        self._public_keys = PublicKeys(key_source, monotonic)
        self._mesh_key = OctKey.import_key(mesh_key)
        self._clock = clock
        self._issuer = issuer
        self._revoked = revoked
        self._remembered = remembered
        self._verified: OrderedDict[bytes, tuple[int, str, Caller, tuple[str, str]]] = OrderedDict()

    async def verify(self, token: str) -> Caller:
        """Returns who the token speaks for. Raises Unauthenticated, or Unavailable if its key cannot be fetched now."""
        if not token or len(token) > LONGEST_TOKEN or not token.isascii():
            raise InvalidToken
        now = self._clock().timestamp()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None:
            if now < known[0] + LEEWAY_SECONDS and not self._is_revoked(known[3]):
                self._verified.move_to_end(digest)
                return known[2]
            del self._verified[digest]
        try:
            return await self._verify_new(token, digest, now)
        except DomainError:
            raise
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            raise InvalidToken from None

    async def _verify_new(self, token: str, digest: bytes, now: float) -> Caller:
        header, claims = _unverified(token)
        if claims.get("iss") == MESH_ISSUER:
            claims, kid = jwt.decode(token, self._mesh_key, algorithms=["HS256"]).claims, ""
            caller = _service(claims)
        elif claims.get("iss") == self._issuer:
            kid = _text(header.get("kid"))
            before = self._public_keys.known
            key = await self._public_keys.get(kid)
            if not before <= self._public_keys.known:
                self._forget_withdrawn()
            claims = jwt.decode(token, key, algorithms=["ES256"]).claims
            caller = _person(claims, self._issuer)
        else:
            raise InvalidToken
        _check_times(claims, now)
        ends_with = str(claims.get("sid", "")), str(claims.get("jti", ""))
        if self._is_revoked(ends_with):
            raise InvalidToken
        self._verified[digest] = (claims["exp"], kid, caller, ends_with)
        if len(self._verified) > self._remembered:
            self._verified.popitem(last=False)
        return caller

    def _is_revoked(self, ends_with: tuple[str, str]) -> bool:
        return ends_with[0] in self._revoked or ends_with[1] in self._revoked

    def _forget_withdrawn(self) -> None:
        """A key withdrawn before its time is withdrawn for remembered tokens, too."""
        known = self._public_keys.known | {""}
        for digest in [digest for digest, (_, kid, _, _) in self._verified.items() if kid not in known]:
            del self._verified[digest]


def session_in(token: str) -> str | None:
    """The session id that an access token, verified before, carries; None for a token without a session."""
    try:
        session = _unverified(token)[1].get("sid")
    except (JoseError, ValueError, InvalidToken):
        return None
    return session if isinstance(session, str) else None


def authentication_in(token: str) -> tuple[int, frozenset[str]] | None:
    """When (Unix time) and by which methods the bearer of an access token, verified before, proved who they are; None if it does not say."""
    try:
        claims = _unverified(token)[1]
        return _moment(claims["auth_time"]), frozenset(map(_text, claims["amr"]))
    except (JoseError, ValueError, TypeError, KeyError, InvalidToken):
        return None


def _unverified(token: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Header and claims as they stand, proving nothing: only good for choosing what to verify with."""
    parts = jws.extract_compact(token.encode())
    claims = json.loads(parts.payload)
    if not isinstance(claims, dict):
        raise InvalidToken
    return parts.headers(), claims


def _service(claims: Mapping[str, Any]) -> Caller:
    if claims.get("iss") != MESH_ISSUER or claims.get("aud") != AUDIENCE:
        raise InvalidToken
    if _moment(claims["exp"]) - _moment(claims["iat"]) > SERVICE_TOKEN_SECONDS:
        raise InvalidToken
    return Caller(_text(claims["org"]), _text(claims["sub"]), frozenset({Role.SERVICE}))


def _person(claims: Mapping[str, Any], issuer: str) -> Caller:
    if claims.get("iss") != issuer or claims.get("aud") != AUDIENCE or not isinstance(claims["roles"], list):
        raise InvalidToken
    roles = frozenset(Role(_text(role)) for role in claims["roles"])
    if not roles or not roles <= _PEOPLE_ROLES:
        raise InvalidToken
    scopes = frozenset(_text(claims["scope"]).split()) if "client_id" in claims else None
    return Caller(_text(claims["org"]), _text(claims["sub"]), roles, scopes, plan_named(claims.get("plan")))


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    not_before = max(_moment(claims["iat"]), _moment(claims.get("nbf", 0)))
    if now >= _moment(claims["exp"]) + LEEWAY_SECONDS or now < not_before - LEEWAY_SECONDS:
        raise InvalidToken


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidToken
    return value


def _moment(value: object) -> int:
    # bool is an int in Python, and JSON as Python reads it knows NaN: neither is a time.
    if type(value) is not int:
        raise InvalidToken
    return value


def _verification_keys(listed: Sequence[Jwk]) -> dict[str, ECKey]:
    """Only what can verify ES256; a key of another kind is not ours to use."""
    keys = {}
    for jwk in listed:
        if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256" and jwk.get("kid"):
            keys[jwk["kid"]] = ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y", "kid")})
    return keys
