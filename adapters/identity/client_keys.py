"""Public keys of programs, and the assertions they sign (RFC 7517, RFC 7523)."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from domain.identity.programs import LONGEST_ASSERTION, Assertion, ClientRefused
from domain.identity.programs_ports import ClientKeys
from domain.shared.errors import InvalidInput

_LONGEST_KEY = 4096
_RSA_BITS = range(2048, 4097)
_ALGORITHMS: Mapping[str, list[str]] = {"EC": ["ES256"], "RSA": ["RS256", "PS256"]}
"""What a key of a kind may sign with: the key decides, never the assertion's header."""


class JoseClientKeys(ClientKeys):
    def checked(self, public_key: str) -> str:
        try:
            if len(public_key) > _LONGEST_KEY:
                raise ValueError
            given: Any = json.loads(public_key)
            key = _key(given)
            bare: dict[str, Any] = dict(key.as_dict(private=False))
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            raise InvalidInput.of("public_key", "must be a JSON Web Key: P-256, or RSA of 2,048 to 4,096 bits") from None
        if "d" in given:
            raise InvalidInput.of("public_key", "holds the private key, too: make a new pair and give the public part only")
        kept = {name: bare[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in bare}
        return json.dumps(kept | ({"kid": given["kid"]} if isinstance(given.get("kid"), str) else {}), sort_keys=True)

    def client_of(self, assertion: str) -> str:
        subject = _unverified(assertion)[1].get("sub")
        if not isinstance(subject, str):
            raise ClientRefused
        return subject

    def verified(self, assertion: str, public_keys: Sequence[str]) -> tuple[int, Assertion]:
        kid = _unverified(assertion)[0].get("kid")
        for at, text in enumerate(public_keys):
            jwk = json.loads(text)
            if isinstance(kid, str) and jwk.get("kid", kid) != kid:
                continue
            try:
                claims = jwt.decode(assertion, _key(jwk), algorithms=_ALGORITHMS[jwk["kty"]]).claims
                return at, _assertion(claims)
            except (JoseError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
                continue
        raise ClientRefused


def _key(jwk: Any) -> ECKey | RSAKey:
    """Raises ValueError for a key of another kind or size."""
    if not isinstance(jwk, dict):
        raise ValueError
    if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
        return ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")})
    if jwk.get("kty") == "RSA":
        key = RSAKey.import_key({name: jwk[name] for name in ("kty", "n", "e")})
        if key.raw_value.key_size in _RSA_BITS:
            return key
    raise ValueError


def _unverified(assertion: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims as they stand, proving nothing."""
    if not 1 <= len(assertion) <= LONGEST_ASSERTION or not assertion.isascii():
        raise ClientRefused
    try:
        parts = jws.extract_compact(assertion.encode())
        claims = json.loads(parts.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise ClientRefused from None
    if not isinstance(claims, dict):
        raise ClientRefused
    return parts.headers(), claims


def _assertion(claims: Mapping[str, Any]) -> Assertion:
    audience = claims["aud"]
    return Assertion(
        _text(claims["iss"]),
        _text(claims["sub"]),
        frozenset(map(_text, audience if isinstance(audience, list) else [audience])),
        _moment(claims["exp"]),
        _moment(claims["nbf"]) if "nbf" in claims else None,
        _text(claims["jti"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _moment(value: Any) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError
    return datetime.fromtimestamp(value, UTC)
