"""Speaks to OpenID Connect providers (Core 1.0, Discovery 1.0, Back-Channel Logout 1.0) and, for GitHub, OAuth 2.0."""

import asyncio
import base64
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import structlog

from adapters.identity.github_client import GITHUB, github_person
from adapters.identity.guarded_http import FetchFailed, FetchRefused, GuardedHttp
from adapters.identity.oidc_tokens import (
    Claims,
    ProviderKeys,
    TokenRefused,
    check_at_hash,
    check_id_token,
    check_logout_token,
    person_from,
)
from domain.identity.federated_sign_in import AuthorizationRequest, FederationRefused, LogoutNotice
from domain.identity.federation import FederatedPerson, IdentityProvider, ProviderKind
from domain.identity.federation_ports import ProviderClient
from domain.shared.errors import InvalidInput, NotAllowedNow, Unavailable

log = structlog.get_logger()

_DISCOVERY = "/.well-known/openid-configuration"
_DISCOVERED_FOR_SECONDS = 600.0
_REMEMBERED = 500
_LONGEST_CODE = 4096
_LONGEST_LOGOUT_TOKEN = 16_384
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderUnusable(NotAllowedNow):
    """What the provider says of itself cannot be used: its administrator, or ours, has to mend it."""

    reason = "IDENTITY_PROVIDER_UNUSABLE"


class OidcClient(ProviderClient):
    """Remembers what providers say of themselves for ten minutes, and their keys, until a token names another one."""

    def __init__(self, http: GuardedHttp, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._monotonic = monotonic
        self._discovered: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()
        self._keys: OrderedDict[str, ProviderKeys] = OrderedDict()
        self._discovering: dict[str, asyncio.Lock] = {}

    async def authorization_url(self, provider: IdentityProvider, request: AuthorizationRequest) -> str:
        parameters = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": request.redirect_uri,
            "scope": " ".join(provider.asks_for()),
            "state": request.state,
            "code_challenge": _sha256(request.verifier),
            "code_challenge_method": "S256",
        }
        if provider.kind is ProviderKind.GITHUB:
            return f"{provider.issuer}{GITHUB.authorize}?{urlencode(parameters)}"
        metadata = await self._metadata(provider)
        parameters["nonce"] = request.nonce
        if request.fresh:
            parameters |= {"prompt": "login", "max_age": "0"}
        endpoint = metadata["authorization_endpoint"]
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(parameters, quote_via=quote)}"

    async def person(
        self, provider: IdentityProvider, secret: str, code: str, issuer: str, request: AuthorizationRequest, now: datetime
    ) -> FederatedPerson:
        if not 1 <= len(code) <= _LONGEST_CODE:
            raise InvalidInput.of("code", f"must be 1 to {_LONGEST_CODE} characters")
        try:
            if provider.kind is ProviderKind.GITHUB:
                return await github_person(self._http, provider, secret, code, request)
            return await self._openid_person(provider, secret, code, issuer, request, now)
        except TokenRefused as refusal:
            # The provider's or an attacker's doing: the log says what, the browser does not learn it.
            log.warning("a federated sign-in was refused", provider=provider.id, issuer=provider.issuer, cause=str(refusal))
            raise FederationRefused from refusal
        except FetchRefused as refusal:
            raise ProviderUnusable(f"an address of the identity provider {refusal}") from refusal
        except FetchFailed as failure:
            log.warning("an identity provider failed", provider=provider.id, issuer=provider.issuer, cause=str(failure))
            raise Unavailable("the identity provider does not answer as it should", timedelta(seconds=5)) from failure

    async def logged_out(self, provider: IdentityProvider, token: str, now: datetime) -> LogoutNotice:
        if not 1 <= len(token) <= _LONGEST_LOGOUT_TOKEN or provider.kind is ProviderKind.GITHUB:
            raise InvalidInput.of("logout_token", "is no logout token of this provider for this platform")
        metadata = await self._metadata(provider)
        try:
            claims = await self._keys_of(metadata).verified(token, _algorithms(metadata))
            return check_logout_token(claims, provider, now)
        except TokenRefused as refusal:
            log.warning("a logout token was refused", provider=provider.id, issuer=provider.issuer, cause=str(refusal))
            raise InvalidInput.of("logout_token", "is no logout token of this provider for this platform") from refusal
        except (FetchRefused, FetchFailed) as failure:
            raise Unavailable("the identity provider's keys cannot be fetched", timedelta(seconds=5)) from failure

    async def _openid_person(
        self, provider: IdentityProvider, secret: str, code: str, issuer: str, request: AuthorizationRequest, now: datetime
    ) -> FederatedPerson:
        metadata = await self._metadata(provider)
        named = metadata.get("authorization_response_iss_parameter_supported") is True
        if (issuer or named) and issuer != provider.issuer:  # RFC 9207: the answer of another provider was mixed in
            raise TokenRefused("the answer names another issuer")
        tokens = await self._exchange(provider, secret, code, request, metadata)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise TokenRefused("the answer lacks a token")
        claims = await self._keys_of(metadata).verified(id_token, _algorithms(metadata))
        check_id_token(claims, provider, request, now)
        check_at_hash(claims, access_token)
        return person_from(provider, {**await self._more(claims, metadata, access_token), **claims.values})

    async def _exchange(
        self, provider: IdentityProvider, secret: str, code: str, request: AuthorizationRequest, metadata: dict[str, Any]
    ) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": request.redirect_uri,
            "code_verifier": request.verifier,
        }
        headers = {}
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" in methods:
            # Each part is form-encoded first: RFC 6749, section 2.3.1.
            pair = f"{quote(provider.client_id, safe='')}:{quote(secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif "client_secret_post" in methods:
            form |= {"client_id": provider.client_id, "client_secret": secret}
        else:
            raise ProviderUnusable("the identity provider takes no client secret")
        answer = await self._http.post(metadata["token_endpoint"], form, headers)
        if answer.status >= 500:
            raise FetchFailed(f"the token endpoint answered {answer.status}")
        if answer.status != 200:
            raise TokenRefused(f"the token endpoint answered {answer.status} {str(answer.body.get('error'))[:100]}")
        if str(answer.body.get("token_type")).lower() != "bearer":
            raise TokenRefused("the access token is no bearer token")
        return answer.body

    async def _more(self, claims: Claims, metadata: dict[str, Any], access_token: str) -> Mapping[str, Any]:
        """What the ID token does not say; many providers put no more than the subject into it."""
        endpoint = metadata.get("userinfo_endpoint")
        if not isinstance(endpoint, str) or "email" in claims.values:
            return {}
        found = await self._http.get(endpoint, {"authorization": f"Bearer {access_token}"})
        # The ID token says who it is: what is said of somebody else is not to be taken for theirs (Core, 5.3.2).
        if not isinstance(found, dict) or found.get("sub") != claims.values["sub"]:
            raise TokenRefused("userinfo speaks of somebody else")
        return found

    async def _metadata(self, provider: IdentityProvider) -> dict[str, Any]:
        issuer = provider.issuer
        found = self._discovered.get(issuer)
        if found is not None and self._monotonic() - found[0] < _DISCOVERED_FOR_SECONDS:
            return found[1]
        async with self._discovering.setdefault(issuer, asyncio.Lock()):
            found = self._discovered.get(issuer)
            if found is not None and self._monotonic() - found[0] < _DISCOVERED_FOR_SECONDS:
                return found[1]
            try:
                metadata = await self._discover(issuer)
            except FetchFailed as failure:
                if found is not None:  # what it said before still holds, as far as anybody knows
                    return found[1]
                raise Unavailable("the identity provider does not answer", timedelta(seconds=5)) from failure
            finally:
                self._discovering.pop(issuer, None)
            _remember(self._discovered, issuer, (self._monotonic(), metadata))
            return metadata

    async def _discover(self, issuer: str) -> dict[str, Any]:
        try:
            metadata = await self._http.get(issuer.rstrip("/") + _DISCOVERY)
            if not isinstance(metadata, dict) or metadata.get("issuer") != issuer:
                raise ProviderUnusable("the identity provider names another issuer than it was added under")
            for name in _ENDPOINTS:
                self._http.check(str(metadata.get(name, "")))
        except FetchRefused as refusal:
            raise ProviderUnusable(f"an address of the identity provider {refusal}") from refusal
        return metadata

    def _keys_of(self, metadata: dict[str, Any]) -> ProviderKeys:
        address = metadata["jwks_uri"]
        if address not in self._keys:
            _remember(self._keys, address, ProviderKeys(lambda: self._http.get(address), self._monotonic))
        return self._keys[address]


def _algorithms(metadata: dict[str, Any]) -> frozenset[str]:
    listed = metadata.get("id_token_signing_alg_values_supported")
    return frozenset(map(str, listed)) if isinstance(listed, list) else frozenset({"RS256"})


def _sha256(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _remember(cache: "OrderedDict[str, Any]", key: str, value: Any) -> None:
    cache[key] = value
    cache.move_to_end(key)
    if len(cache) > _REMEMBERED:
        cache.popitem(last=False)
