"""Organizations, users and accounts in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from adapters.identity.memory_tenant import OfTenant, Tenant
from domain.identity.directory import DirectoryInformation
from domain.identity.model import (
    Account,
    EmailTaken,
    Organization,
    OrganizationAlreadyExists,
    OrganizationNotFound,
    User,
    UserNotFound,
)
from domain.identity.people import StaleOrganization
from domain.identity.ports import (
    AccountRepository,
    OrganizationRepository,
    OriginDirectory,
    UserRepository,
)
from domain.shared.page import Page, PageRequest


class MemoryOrigins(OriginDirectory):
    def __init__(self, tenants: Mapping[str, Tenant]) -> None:
        self._tenants = tenants

    async def allowing(self, origin: str) -> Sequence[str]:
        there = ((id, tenant.organization) for id, tenant in sorted(self._tenants.items()))
        return [id for id, organization in there if organization and origin in organization.settings.allowed_origins]


class MemoryOrganizations(OrganizationRepository):
    def __init__(self, tenant: Tenant, organization: str) -> None:
        self._tenant = tenant
        self._organization = organization

    async def found(self, organization: Organization) -> None:
        if self._tenant.organization is not None:
            raise OrganizationAlreadyExists(f"there is an organization {organization.id} already")
        self._tenant.organization = organization

    async def get(self) -> Organization:
        if self._tenant.organization is None:
            raise OrganizationNotFound(f"no organization {self._organization}")
        return self._tenant.organization

    async def exists(self) -> bool:
        return self._tenant.organization is not None

    async def save(self, organization: Organization) -> None:
        if organization.revision != (await self.get()).revision + 1:
            raise StaleOrganization
        self._tenant.organization = organization


class MemoryUsers(OfTenant, UserRepository):
    async def add(self, users: Sequence[User]) -> frozenset[str]:
        taken = self._tenant.users.keys() | self._tenant.privacy.erased
        free = [user for user in users if user.id not in taken]
        for user in free:
            self._put(user)
        return frozenset(user.id for user in free)

    async def get(self, user_id: str) -> User:
        try:
            return self._tenant.users[user_id]
        except KeyError:
            raise UserNotFound(f"no user {user_id}") from None

    async def find(self, user_ids: Sequence[str]) -> Sequence[User]:
        return [self._tenant.users[each] for each in user_ids if each in self._tenant.users]

    async def page(self, request: PageRequest, only: frozenset[str] | None = None) -> Page[User]:
        after = request.after[0] if request.after is not None else ""
        shown_ids = (each for each in sorted(self._tenant.users) if only is None or each in only)
        found = [self._tenant.users[each] for each in shown_ids if each > after]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)

    async def save(self, user: User) -> None:
        self._put(user)

    async def with_emails(self, emails: Sequence[str]) -> frozenset[str]:
        return frozenset(emails) & {user.email for user in self._tenant.users.values() if user.email is not None}

    async def directory_choices(self, user_ids: Sequence[str]) -> Mapping[str, DirectoryInformation]:
        return {each.id: each.directory for each in await self.find(user_ids) if each.directory is not None}

    async def administrators(self) -> frozenset[str]:
        return frozenset(user.id for user in self._tenant.users.values() if user.administers)

    def _put(self, user: User) -> None:
        others = (other.email for other in self._tenant.users.values() if other.id != user.id)
        if user.email is not None and user.email in others:
            raise EmailTaken("another user has this e-mail address")
        self._tenant.users[user.id] = user


class MemoryAccounts(OfTenant, AccountRepository):
    async def find(self, login: str) -> Account | None:
        if "@" in login:
            user = next((each for each in self._tenant.users.values() if each.email == login.lower()), None)
        else:
            user = self._tenant.users.get(login)
        return None if user is None else Account(user, self._tenant.hashes.get(user.id))

    async def set_password(self, user_id: str, password_hash: str, now: datetime) -> None:
        self._tenant.hashes[user_id] = password_hash

    async def replace_hash(self, user_id: str, old: str, new: str) -> None:
        if self._tenant.hashes.get(user_id) == old:
            self._tenant.hashes[user_id] = new
