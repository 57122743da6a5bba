from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from domain.identity.events import UserCreated
from domain.identity.model import (
    Organization,
    OrganizationAlreadyExists,
    User,
    UserDraft,
    checked_name,
    checked_organization_id,
)
from domain.identity.ports import NewUnit, PasswordHasher
from domain.identity.use_cases.hash_new_password import hash_new_password
from domain.shared.caller import Role
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class FoundOrganization:
    """An organization and its first administrator, together or not at all."""

    new_unit: NewUnit
    passwords: PasswordHasher
    clock: Clock

    async def __call__(
        self, organization_id: str, display_name: str, admin_id: str, admin_password: str, roles: frozenset[Role]
    ) -> Organization:
        return await (await self.prepare(organization_id, display_name, admin_id, admin_password, roles))()

    async def prepare(
        self, organization_id: str, display_name: str, admin_id: str, admin_password: str, roles: frozenset[Role]
    ) -> Callable[[], Awaitable[Organization]]:
        """Checks and hashes, and returns what is left to do."""
        now = self.clock()
        checked_organization_id(organization_id, "organization_id")
        name = checked_name(display_name, "organization.display_name", required=True)
        admin = UserDraft(admin_id, "", None, roles).user(now, id_field="admin_user_id")
        organization = Organization(organization_id, name, now)
        async with self.new_unit(organization_id) as unit:
            if await unit.organizations.exists():  # before the slow hash; `found` decides a race
                raise OrganizationAlreadyExists(f"there is an organization {organization_id} already")
        password_hash = await hash_new_password(self.passwords, admin_password, "admin_password", admin.id, organization_id)
        return partial(self._found, organization, admin, password_hash, now)

    async def _found(self, organization: Organization, admin: User, password_hash: str, now: datetime) -> Organization:
        async with self.new_unit(organization.id) as unit:
            await unit.organizations.found(organization)
            await unit.users.add([admin])
            await unit.accounts.set_password(admin.id, password_hash, now)
            await unit.events.add([UserCreated(admin.id, now)])
            await unit.commit()
        return organization
