"""A real identity provider beside the pages, known to `north` as `school`."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from paideia.identity.v1 import federation_pb2 as pb

from tests.integrations.idp.running import CLIENT, SECRET, running_provider
from tests.integrations.world import Browser, Page, World, running_world
from tests.rpc.identity.people import PASSWORD, Person
from tests.stores import free_port


@dataclass
class Federated:
    world: World
    issuer: str
    ada: Person

    async def changes(self, **fields: Any) -> None:
        provider = pb.IdentityProvider(name="identityProviders/school", **fields)
        await self.ada.call("UpdateIdentityProvider", identity_provider=provider, update_mask={"paths": list(fields)})

    async def signs_in(self, browser: Browser, name: str, path: str = "/sign-in/with/north/school") -> Page:
        """Goes to the provider, signs in there as `name` with any password, agrees, and comes back."""
        page = await browser.opens(path)
        return await self.goes_on(browser, page, name)

    async def goes_on(self, browser: Browser, page: Page, name: str) -> Page:
        for _ in range(3):
            if not page.url.startswith(self.issuer):
                return page
            action = page.text.partition('action="')[2].partition('"')[0]
            fields = {"login": name, "password": "any"} if 'name="login"' in page.text else {}
            page = await browser.sends(action, **fields)
        return page


@pytest.fixture(scope="session")
def provider_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def pages_port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def issuer(provider_port: int, pages_port: int) -> Any:
    client = {
        "redirect_uris": [f"http://localhost:{pages_port}/sign-in/callback"],
        "backchannel_logout_uri": f"http://localhost:{pages_port}/sign-in/logout/north/school",
        "backchannel_logout_session_required": True,
        "post_logout_redirect_uris": [f"http://localhost:{pages_port}/sign-in"],
        "scope": "openid email profile",
    }
    with running_provider(provider_port, client) as provider:
        yield provider.issuer


@pytest.fixture
async def federated(valkey_url: str, issuer: str, pages_port: int) -> AsyncIterator[Federated]:
    async with running_world(valkey_url, pages_port) as world:
        ada = await world.north.signs_in("ada", PASSWORD)
        await ada.call(
            "CreateIdentityProvider",
            identity_provider_id="school",
            identity_provider=pb.IdentityProvider(
                display_name="the school",
                kind=pb.PROVIDER_KIND_OPENID,
                issuer=issuer,
                client_id=CLIENT,
                client_secret=SECRET,
                provisioning=pb.PROVISIONING_CREATE,
                role_rules=[
                    pb.RoleRule(claim="groups", value="teachers", role="ROLE_TEACHER"),
                    pb.RoleRule(claim="groups", value="operators", role="ROLE_ADMIN"),
                ],
            ),
        )
        yield Federated(world, issuer, ada)
