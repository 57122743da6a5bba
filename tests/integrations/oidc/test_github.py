"""GitHub's part of signing in, against answers written after GitHub's documentation: GitHub itself cannot be run here."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from adapters.identity.guarded_http import GuardedHttp
from adapters.identity.oidc_client import OidcClient
from domain.identity.federated_sign_in import AuthorizationRequest, FederationRefused
from domain.identity.federation import IdentityProvider, ProviderKind
from domain.shared.errors import InvalidInput

NOW = datetime.now(UTC)
REQUEST = AuthorizationRequest("north.state", "nonce", "verifier", "https://learn.example.org/sign-in/callback")


class Hub:
    """A GitHub Enterprise Server, as far as signing in asks it."""

    def __init__(self) -> None:
        self.url = ""
        self.token: dict[str, Any] = {"access_token": "gho_x", "token_type": "bearer", "scope": "read:user,user:email"}
        self.user: Any = {"id": 583231, "login": "octocat", "name": "The Octocat"}
        self.emails: Any = [
            {"email": "old@example.org", "verified": True, "primary": False},
            {"email": "Octo@Example.org", "verified": True, "primary": True},
        ]
        self.form: dict[str, str] = {}

    async def answers(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/login/oauth/access_token":
            assert request.headers["accept"] == "application/json"
            self.form = {name: str(value) for name, value in (await request.post()).items()}
            return web.json_response(self.token)
        if request.headers.get("authorization") != "Bearer gho_x":
            return web.Response(status=401)
        found = {"/api/v3/user": self.user, "/api/v3/user/emails": self.emails}
        return web.json_response(found[request.path])

    @property
    def provider(self) -> IdentityProvider:
        return IdentityProvider("hub", "GitHub", ProviderKind.GITHUB, self.url, "paideia", b"", NOW)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub, app = Hub(), web.Application()
    app.router.add_route("*", "/{path:.*}", hub.answers)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://localhost:{runner.addresses[0][1]}"
    yield hub
    await runner.cleanup()


@pytest.fixture
async def client() -> AsyncIterator[OidcClient]:
    http = GuardedHttp(private=True)
    yield OidcClient(http)
    await http.close()


async def test_a_person_is_an_id_with_the_primary_verified_address(hub: Hub, client: OidcClient) -> None:
    person = await client.person(hub.provider, "secret", "code", "", REQUEST, NOW)
    assert (person.subject, person.email, person.display_name) == ("583231", "octo@example.org", "The Octocat")
    assert hub.form["code_verifier"] == "verifier"
    assert hub.form["client_secret"] == "secret"


@pytest.mark.parametrize(
    "emails", [[], [{"email": "a@example.org", "verified": False, "primary": True}], {"message": "no"}, ["x"]]
)
async def test_without_a_verified_primary_address_there_is_none(hub: Hub, client: OidcClient, emails: Any) -> None:
    hub.emails = emails
    assert (await client.person(hub.provider, "secret", "code", "", REQUEST, NOW)).email is None


async def test_a_refused_code_and_an_answer_about_nobody_are_refused(hub: Hub, client: OidcClient) -> None:
    hub.token = {"error": "bad_verification_code"}
    with pytest.raises(FederationRefused):
        await client.person(hub.provider, "secret", "code", "", REQUEST, NOW)
    hub.token, hub.user = {"access_token": "gho_x"}, {"id": True, "login": "octocat"}
    with pytest.raises(FederationRefused):
        await client.person(hub.provider, "secret", "code", "", REQUEST, NOW)


async def test_the_browser_goes_to_github_and_nothing_logs_out_from_there(hub: Hub, client: OidcClient) -> None:
    url = await client.authorization_url(hub.provider, REQUEST)
    assert url.startswith(f"{hub.url}/login/oauth/authorize?")
    assert "nonce" not in url
    assert "scope=read%3Auser+user%3Aemail" in url
    with pytest.raises(InvalidInput):
        await client.logged_out(hub.provider, "x.y.z", NOW)
