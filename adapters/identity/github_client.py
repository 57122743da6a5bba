"""Signing in with GitHub: OAuth 2.0, and two questions to its API. There is no ID token, so nothing is signed: what holds is that the code
was exchanged by us, over TLS, with our secret and the verifier of this very sign-in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from adapters.identity.guarded_http import FetchFailed, GuardedHttp
from adapters.identity.oidc_tokens import TokenRefused
from domain.identity.federated_sign_in import AuthorizationRequest
from domain.identity.federation import FederatedPerson, IdentityProvider, shown_name
from domain.identity.model import normalised_email
from domain.shared.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class _Paths:
    authorize: str = "/login/oauth/authorize"
    token: str = "/login/oauth/access_token"  # noqa: S105  # a path


GITHUB = _Paths()


async def github_person(
    http: GuardedHttp, provider: IdentityProvider, secret: str, code: str, request: AuthorizationRequest
) -> FederatedPerson:
    """Raises TokenRefused, FetchRefused, FetchFailed."""
    form = {
        "client_id": provider.client_id,
        "client_secret": secret,
        "code": code,
        "redirect_uri": request.redirect_uri,
        "code_verifier": request.verifier,
    }
    answer = await http.post(f"{provider.issuer}{GITHUB.token}", form)
    token = answer.body.get("access_token")
    if answer.status >= 500:
        raise FetchFailed(f"the token endpoint answered {answer.status}")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise TokenRefused(f"the token endpoint refused: {str(answer.body.get('error'))[:100]}")
    headers = {"authorization": f"Bearer {token}", "x-github-api-version": "2022-11-28", "user-agent": "paideia"}
    api = _api(provider.issuer)
    user = await http.get(f"{api}/user", headers)
    if not isinstance(user, dict) or type(user.get("id")) is not int:
        raise TokenRefused("the API names nobody")
    name = user.get("name") or user.get("login") or ""
    return FederatedPerson(
        subject=str(user["id"]),  # a login can change hands, an id cannot
        email=_primary(await http.get(f"{api}/user/emails", headers)),
        display_name=shown_name(name) if isinstance(name, str) else "",
        claims={claim: _text(user, claim) for claim in provider.claims},
    )


def _api(issuer: str) -> str:
    """github.com has its API at a host of its own, GitHub Enterprise Server below its own address."""
    return "https://api.github.com" if urlsplit(issuer).hostname == "github.com" else f"{issuer}/api/v3"


def _primary(listed: Any) -> str | None:
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("primary") is True and each.get("verified") is True:
            try:
                return normalised_email(str(each.get("email")), "email")
            except InvalidInput:
                return None
    return None


def _text(user: Mapping[str, Any], claim: str) -> frozenset[str]:
    value = user.get(claim)
    return frozenset({value}) if isinstance(value, str) else frozenset()
