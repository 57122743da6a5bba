from dataclasses import dataclass, replace

from domain.identity.events import Notice, SecurityNoticed, UserCreated
from domain.identity.federated_sign_in import FederatedIdentity, FederationRefused
from domain.identity.federation import FederatedPerson, IdentityProvider, NotAdmitted, Provisioning, shown_name
from domain.identity.mail import Template, tell
from domain.identity.model import User, check_administrator_remains
from domain.identity.ports import IdentityUnit
from domain.identity.use_cases.room import room_for
from domain.shared.caller import Role
from domain.shared.clock import Clock
from domain.shared.ids import NewId
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class RecognisePerson:
    """Finds or makes the user whom a person at a provider is."""

    new_id: NewId
    clock: Clock

    async def __call__(self, unit: IdentityUnit, provider: IdentityProvider, person: FederatedPerson) -> User | None:
        """None if a user there is already must be connected first. Raises NotAdmitted, FederationRefused, QuotaReached."""
        provider.check_admits(person)
        known = await unit.federation.find(provider.id, person.subject)
        if known is not None:
            return await self._known(unit, provider, person, known.user)
        account = await unit.accounts.find(person.email) if person.email is not None else None
        if account is None:
            return await self._made(unit, provider, person)
        user = await unit.users.get(account.user.id)
        if not user.active:
            raise FederationRefused
        if not provider.links_by_email(user) or not await self._link(unit, provider, person, user):
            return None
        await unit.events.add([SecurityNoticed(user.id, self.clock(), Notice.IDENTITY_LINKED)])
        await tell(unit.mails, user, Template.SECOND_FACTOR_CHANGED, change=Notice.IDENTITY_LINKED)
        return user

    async def _known(self, unit: IdentityUnit, provider: IdentityProvider, person: FederatedPerson, user_id: str) -> User:
        # Administrators first, then the user: the order of everybody who takes a role away.
        administrators = await unit.users.administrators() if provider.roles_follow else frozenset()
        user = await unit.users.get(user_id)
        if not user.active:
            raise FederationRefused
        roles = provider.roles_now(user, person)
        if roles != user.roles:
            if Role.ADMIN not in roles and user.administers:
                check_administrator_remains(administrators, user.id)
            user = replace(user, roles=roles)
            await unit.users.save(user)
        await unit.federation.used(provider.id, person.subject, self.clock())
        return user

    async def _made(self, unit: IdentityUnit, provider: IdentityProvider, person: FederatedPerson) -> User:
        if provider.provisioning is not Provisioning.CREATE or not await unit.organizations.exists():
            raise NotAdmitted
        (await room_for(unit, Quota.PEOPLE)).check()
        now = self.clock()
        # No part of a name or an address: an id is what remains in the records of somebody who has been forgotten.
        user_id = f"u-{self.new_id().replace('-', '')[:16]}"
        user = User(user_id, shown_name(person.display_name), person.email, provider.roles_of(person), now)
        await unit.users.add([user])
        if person.email is not None:
            await unit.links.verify_email(user.id, person.email, now)
        await self._link(unit, provider, person, user)
        await unit.events.add([UserCreated(user.id, now)])
        return user

    async def _link(self, unit: IdentityUnit, provider: IdentityProvider, person: FederatedPerson, user: User) -> bool:
        now = self.clock()
        return await unit.federation.link(FederatedIdentity(provider.id, person.subject, user.id, now, now))
