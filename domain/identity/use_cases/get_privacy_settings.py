from dataclasses import dataclass

from domain.identity.model import OrganizationNotFound
from domain.identity.ports import NewUnit
from domain.identity.privacy_settings import PrivacySettings
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetPrivacySettings:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, organization_id: str) -> PrivacySettings:
        """Raises OrganizationNotFound for any but the caller's own."""
        if organization_id != caller.organization:
            raise OrganizationNotFound(f"no organization {organization_id}")
        async with self.new_unit(caller.organization) as unit:
            return await unit.retention.settings()
