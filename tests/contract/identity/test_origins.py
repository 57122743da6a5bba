"""From where browsers may use an organization's tokens: the same answers from both stores."""

from dataclasses import replace
from uuid import uuid4

import pytest

from domain.identity.model import Organization
from domain.identity.people_settings import OrganizationSettings, is_origin
from domain.identity.use_cases.list_origin_organizations import ListOriginOrganizations
from domain.shared.errors import InvalidInput
from tests.contract.identity.conftest import NOW, Store


async def allowing(store: Store, organization: str, *origins: str) -> None:
    founded = Organization(organization, organization, NOW)
    async with store.new_unit(organization) as unit:
        await unit.organizations.found(founded)
        await unit.organizations.save(
            replace(founded, settings=OrganizationSettings(allowed_origins=origins).checked(), revision=1)
        )
        await unit.commit()


async def test_every_organization_that_allows_an_origin_is_found(store: Store) -> None:
    shared, own = f"https://{uuid4().hex}.test", f"https://{uuid4().hex}.test:8443"
    await allowing(store, store.north, shared, own)
    await allowing(store, store.south, shared)
    ask = ListOriginOrganizations(store.new_platform_unit)
    assert await ask(shared) == [store.north, store.south]
    assert await ask(own) == [store.north]
    assert await ask(own.removesuffix(":8443")) == []


@pytest.mark.parametrize(
    "origin", ["", "null", "*", "https://", "https://x.test/", "https://*.test", "https://X.test", "x" * 10_000]
)
async def test_what_is_no_origin_is_nobodys(store: Store, origin: str) -> None:
    assert await ListOriginOrganizations(store.new_platform_unit)(origin) == []


async def test_origins_are_kept_in_normal_form_and_taken_back(store: Store) -> None:
    origin = f"https://{uuid4().hex}.test"
    await allowing(store, store.north, f" {origin.upper()}/ ", origin)
    async with store.new_unit(store.north) as unit:
        organization = await unit.organizations.get()
        assert organization.settings.allowed_origins == (origin,)
        await unit.organizations.save(replace(organization, settings=OrganizationSettings(), revision=2))
        await unit.commit()
    assert await ListOriginOrganizations(store.new_platform_unit)(origin) == []


@pytest.mark.parametrize(
    "origin", ["http://learn.example.org", "https://x.test/path", "https://*.x.test", "javascript:alert(1)", "*"]
)
def test_an_origin_that_may_not_be_is_refused_by_the_name_of_the_field(origin: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        OrganizationSettings(allowed_origins=(origin,)).checked()
    assert [each.field for each in refusal.value.violations] == ["organization.allowed_origins"]


def test_ones_own_machine_needs_no_tls() -> None:
    assert is_origin("http://localhost:5173")
    assert not is_origin("http://localhost.evil.test")
