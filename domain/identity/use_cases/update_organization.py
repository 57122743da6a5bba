from dataclasses import dataclass, replace

from domain.identity.events import SightChanged
from domain.identity.model import Organization, OrganizationNotFound, checked_name
from domain.identity.people import StaleOrganization
from domain.identity.people_settings import OrganizationSettings
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class OrganizationChanges:
    """The fields to change, as `fields` names them (`sign_up_policy` for `sign_up`); the others are not looked at.

    `revision` is the one that the caller has read, None if they do not care.
    """

    fields: frozenset[str]
    display_name: str
    settings: OrganizationSettings
    revision: int | None

    def applied_to(self, organization: Organization) -> Organization:
        """Raises InvalidInput, StaleOrganization."""
        if self.revision is not None and self.revision != organization.revision:
            raise StaleOrganization
        name, settings, given = organization.display_name, organization.settings, self.settings
        if "display_name" in self.fields:
            name = checked_name(self.display_name, "organization.display_name", required=True)
        settings = OrganizationSettings(
            locale=given.locale if "locale" in self.fields else settings.locale,
            time_zone=given.time_zone if "time_zone" in self.fields else settings.time_zone,
            sign_up=given.sign_up if "sign_up_policy" in self.fields else settings.sign_up,
            sign_up_domains=given.sign_up_domains if "sign_up_domains" in self.fields else settings.sign_up_domains,
            teachers_see=given.teachers_see if "teachers_see" in self.fields else settings.teachers_see,
            allowed_origins=given.allowed_origins if "allowed_origins" in self.fields else settings.allowed_origins,
        )
        return replace(organization, display_name=name, settings=settings.checked(), revision=organization.revision + 1)


@dataclass(frozen=True, slots=True)
class UpdateOrganization:
    """The caller's own; any other is not found, whether or not it exists."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, organization_id: str, changes: OrganizationChanges) -> Organization:
        if organization_id != caller.organization:
            raise OrganizationNotFound(f"no organization {organization_id}")
        async with self.new_unit(caller.organization) as unit:
            before = await unit.organizations.get()
            changed = changes.applied_to(before)
            await unit.organizations.save(changed)
            if changed.settings.teachers_see is not before.settings.teachers_see:
                await unit.events.add([SightChanged("-", self.clock())])
            await unit.commit()
        return changed
