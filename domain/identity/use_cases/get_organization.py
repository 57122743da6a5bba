from dataclasses import dataclass

from domain.identity.model import Organization, OrganizationNotFound
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetOrganization:
    """The caller's own; any other is not found, whether or not it exists."""

    new_unit: NewUnit

    async def __call__(self, caller: Caller, organization_id: str) -> Organization:
        if organization_id != caller.organization:
            raise OrganizationNotFound(f"no organization {organization_id}")
        async with self.new_unit(caller.organization) as unit:
            return await unit.organizations.get()
