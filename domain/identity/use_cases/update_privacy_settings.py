from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain.identity.model import OrganizationNotFound
from domain.identity.ports import NewUnit
from domain.identity.privacy_settings import PrivacySettings
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class UpdatePrivacySettings:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, organization_id: str, changes: Mapping[str, Any]) -> PrivacySettings:
        """Raises OrganizationNotFound for any but the caller's own, InvalidInput."""
        if organization_id != caller.organization:
            raise OrganizationNotFound(f"no organization {organization_id}")
        async with self.new_unit(caller.organization) as unit:
            changed = replace(await unit.retention.settings(), **changes).checked()
            await unit.retention.save(changed)
            await unit.commit()
        return changed
