"""What a provider's tokens must be before they are believed. Every check says, to the log only, which it was."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from adapters.identity.guarded_http import FetchFailed
from domain.identity.federated_sign_in import AuthorizationRequest, LogoutNotice
from domain.identity.federation import FederatedPerson, IdentityProvider, ProviderKind, shown_name
from domain.identity.model import normalised_email
from domain.shared.errors import InvalidInput

LEEWAY = timedelta(seconds=60)
LONGEST_AGE = timedelta(minutes=10)
"""Of an ID token or a logout token when it comes: it was made for this very moment."""

_ASYMMETRIC = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"})
_HASHES = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512, "519": hashlib.sha512, "DSA": hashlib.sha512}
_REFETCH_SECONDS = 10.0
_KEPT_SECONDS = 600.0
_MOST_KEYS = 100
_LONGEST_SUBJECT = 255
_LONGEST_SID = 255
_LONGEST_CLAIM = 200
_MOST_VALUES = 1000
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class TokenRefused(Exception):
    """What came is not what the provider says for this platform, this sign-in, now."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Of a token whose signature is right."""

    header: Mapping[str, Any]
    values: dict[str, Any]


class ProviderKeys:
    """A provider's public keys. Fetched anew when a token names an unknown one and when they are ten minutes old, for a provider withdraws
    keys, too; at most once in ten seconds. While they cannot be fetched, the old ones hold, as far as anybody knows."""

    def __init__(self, fetch: Callable[[], Awaitable[Any]], monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: dict[str, KeySet] = {}
        self._fetched_at = -_REFETCH_SECONDS
        self._good_until = 0.0
        self._fetching = asyncio.Lock()

    async def verified(self, token: str, listed: frozenset[str]) -> Claims:
        """Returns the claims of a token signed by an algorithm that the provider lists. Raises TokenRefused, or what fetching raises."""
        try:
            header = extract_compact(token.encode()).headers()
        except (JoseError, ValueError, TypeError) as error:
            raise TokenRefused("it is no signed token") from error
        algorithm, kid = header.get("alg"), header.get("kid", "")
        # Never `none`, never a shared secret: whoever reads public keys could sign by them.
        if algorithm not in _ASYMMETRIC or algorithm not in listed | {"RS256"}:
            raise TokenRefused(f"it is signed by {str(algorithm)[:20]}")
        if not isinstance(kid, str):
            raise TokenRefused("its key id is no text")
        keys = await self._find(kid)
        try:
            claims = jwt.decode(token, keys, algorithms=[algorithm]).claims
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise TokenRefused("its signature is not the provider's") from error
        return Claims(header, dict(claims))

    async def _find(self, kid: str) -> KeySet:
        if self._lacks(kid):
            async with self._fetching:
                if self._lacks(kid) and self._monotonic() - self._fetched_at >= _REFETCH_SECONDS:
                    await self._renew(kid)
        if kid not in self._keys:
            raise TokenRefused("the provider lists no such key")
        return self._keys[kid]

    def _lacks(self, kid: str) -> bool:
        return kid not in self._keys or self._monotonic() >= self._good_until

    async def _renew(self, kid: str) -> None:
        self._fetched_at = self._monotonic()
        try:
            self._keys = _keys_in(await self._fetch())
        except FetchFailed:
            if kid not in self._keys:
                raise
        else:
            self._good_until = self._fetched_at + _KEPT_SECONDS


def check_id_token(claims: Claims, provider: IdentityProvider, request: AuthorizationRequest, now: datetime) -> None:
    """OpenID Connect Core, 3.1.3.7. Raises TokenRefused."""
    values = claims.values
    _check_addressed(values, provider)
    _check_times(values, now)
    subject = values.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise TokenRefused("it names nobody")
    nonce = values.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), request.nonce.encode()):
        raise TokenRefused("it was made for another sign-in")
    if request.fresh and now - _moment(values, "auth_time") > LONGEST_AGE:
        raise TokenRefused("no fresh proof was asked for")


def check_at_hash(claims: Claims, access_token: str) -> None:
    """OpenID Connect Core, 3.1.3.8: the access token that came with it is the one it came with. Raises TokenRefused."""
    given = claims.values.get("at_hash")
    if given is None:
        return
    digest = _HASHES[str(claims.header["alg"])[-3:]](access_token.encode()).digest()
    expected = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), expected):
        raise TokenRefused("the access token is another one's")


def check_logout_token(claims: Claims, provider: IdentityProvider, now: datetime) -> LogoutNotice:
    """OpenID Connect Back-Channel Logout 1.0, section 2.6. Raises TokenRefused."""
    values = claims.values
    _check_addressed(values, provider)
    _check_times(values, now)
    kind = str(claims.header.get("typ", "logout+jwt")).lower().removeprefix("application/")
    events = values.get("events")
    if kind not in ("logout+jwt", "jwt") or not isinstance(events, dict) or not isinstance(events.get(_LOGOUT_EVENT), dict):
        raise TokenRefused("it reports no logout")
    if "nonce" in values:
        raise TokenRefused("it may be an ID token")
    token_id, subject, sid = (values.get(name, "") for name in ("jti", "sub", "sid"))
    if not all(isinstance(each, str) and len(each) <= _LONGEST_SUBJECT for each in (token_id, subject, sid)):
        raise TokenRefused("it names something that is no text")
    if not token_id or not (subject or sid):
        raise TokenRefused("it does not say whose session ended")
    return LogoutNotice(token_id, subject, sid)


def person_from(provider: IdentityProvider, values: Mapping[str, Any]) -> FederatedPerson:
    """Reads what a provider says of somebody. What is malformed counts as not said."""
    name = values.get("name")
    sid = values.get("sid")
    return FederatedPerson(
        subject=values["sub"],
        email=_verified_email(provider, values),
        display_name=shown_name(name) if isinstance(name, str) else "",
        claims={claim: _texts(values, claim) for claim in provider.claims},
        authenticated_at=_moment(values, "auth_time") if "auth_time" in values else None,
        session=sid if isinstance(sid, str) and len(sid) <= _LONGEST_SID else "",
    )


def _verified_email(provider: IdentityProvider, values: Mapping[str, Any]) -> str | None:
    email = values.get("email")
    if provider.kind is ProviderKind.MICROSOFT:
        # Anybody who runs a tenant can give its users any address: only the domain's owner, by this claim, makes it theirs.
        verified = values.get("xms_edov") in (True, 1, "1", "true")
    else:
        verified = values.get("email_verified") is True
    if not verified or not isinstance(email, str):
        return None
    try:
        return normalised_email(email, "email")
    except InvalidInput:
        return None


def _texts(values: Mapping[str, Any], path: str) -> frozenset[str]:
    """The texts that a claim holds: itself, or its members. A claim whose own name has dots comes before a path into objects."""
    found: Any = values.get(path)
    if found is None:
        found = values
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    listed = found[:_MOST_VALUES] if isinstance(found, list) else [found]
    return frozenset(_text(each) for each in listed if isinstance(each, str | bool))


def _text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value[:_LONGEST_CLAIM]


def _check_addressed(values: Mapping[str, Any], provider: IdentityProvider) -> None:
    if values.get("iss") != provider.issuer:
        raise TokenRefused("another issuer made it")
    audience = values.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if provider.client_id not in audiences:
        raise TokenRefused("it is for somebody else")
    party = values.get("azp")
    if (len(audiences) > 1 and party is None) or (party is not None and party != provider.client_id):
        raise TokenRefused("it was made for another party")


def _check_times(values: Mapping[str, Any], now: datetime) -> None:
    issued = _moment(values, "iat")
    if now >= _moment(values, "exp") + LEEWAY:
        raise TokenRefused("it has expired")
    if issued > now + LEEWAY or ("nbf" in values and _moment(values, "nbf") > now + LEEWAY):
        raise TokenRefused("it is from the future")
    if now - issued > LONGEST_AGE:
        raise TokenRefused("it is old")


def _moment(values: Mapping[str, Any], name: str) -> datetime:
    value = values.get(name)
    # bool is an int in Python; some providers write whole numbers with a point.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise TokenRefused(f"its {name} is no time")
    return datetime.fromtimestamp(int(value), UTC)


def _keys_in(listed: Any) -> dict[str, KeySet]:
    """The keys that can verify, by id; "" finds the only one there is, for tokens that name none. Others are passed over."""
    keys = listed.get("keys") if isinstance(listed, dict) else None
    found: dict[str, KeySet] = {}
    for each in keys[:_MOST_KEYS] if isinstance(keys, list) else ():
        if not isinstance(each, dict) or each.get("kty") not in ("RSA", "EC", "OKP") or each.get("use", "sig") != "sig":
            continue
        try:
            found[str(each.get("kid", ""))] = KeySet.import_key_set({"keys": [each]})
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if len(found) == 1:
        found.setdefault("", next(iter(found.values())))
    return found
