from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.identity.events import IdentityEvent, UserCreated, UserDeactivated, revocations
from domain.identity.model import OperatorRoleReserved, User, UserNotFound, check_administrator_remains
from domain.identity.ports import IdentityUnit
from domain.identity.provisioning import (
    Kind,
    Resource,
    ResourceNotFound,
    UserNameTaken,
    record_from,
    user_from,
    user_resource,
)
from domain.identity.provisioning_attributes import Tree
from domain.identity.provisioning_filter import All, Compare, Filter
from domain.identity.use_cases.room import room_for
from domain.shared.caller import Caller, Role
from domain.shared.ids import NewId
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class ProvisionedUsers:
    """The users of an organization, as resources. Every method works inside a unit that its caller commits."""

    new_id: NewId
    kind = Kind.USER

    async def read(self, unit: IdentityUnit, ids: Sequence[str]) -> Mapping[str, Resource]:
        """Those there are and the identity provider has not removed."""
        records = await unit.provisioned.find(Kind.USER, ids)
        gone = {each.id for each in records.values() if each.removed_at is not None}
        users = [each for each in await unit.users.find(ids) if each.id not in gone]
        groups = await unit.provisioned.groups_of([each.id for each in users])
        return {each.id: user_resource(each, records.get(each.id), groups.get(each.id, ())) for each in users}

    async def locked(self, unit: IdentityUnit, user_id: str) -> Resource:
        """Keeps others from changing the user until the unit ends. Raises ResourceNotFound."""
        try:
            await unit.quotas.hold(Quota.PEOPLE)  # who changes one may bring them back
            await unit.users.administrators()  # first, as everybody does who may make or unmake one
            await unit.users.get(user_id)
        except UserNotFound:
            raise ResourceNotFound(Kind.USER, user_id) from None
        found = (await self.read(unit, [user_id])).get(user_id)
        if found is None:
            raise ResourceNotFound(Kind.USER, user_id)
        return found

    async def create(self, unit: IdentityUnit, caller: Caller, tree: Tree, now: datetime) -> str:
        room = await room_for(unit, Quota.PEOPLE)
        name = tree["userName"]
        if (known := await unit.provisioned.named(name)) is not None:
            return await self._revive(unit, caller, known, tree, now)
        if await unit.accounts.find(name) is not None:
            raise UserNameTaken
        user = user_from(tree, User(self.new_id(), "", None, frozenset(), now))
        if not tree.get("active", True):
            user = user.deactivate(now)
        room.check(int(user.active))
        await unit.users.add([user])
        await unit.provisioned.save(record_from(Kind.USER, user.id, tree, now))
        await unit.events.add([UserCreated(user.id, now)])
        return user.id

    async def write(self, unit: IdentityUnit, caller: Caller, user_id: str, tree: Tree, now: datetime) -> None:
        administrators = await unit.users.administrators()
        before = await unit.users.get(user_id)
        if Role.OPERATOR in before.roles and Role.OPERATOR not in caller.roles:
            raise OperatorRoleReserved
        after = user_from(tree, before)
        active = tree.get("active", before.active)
        events: list[IdentityEvent] = []
        if before.active and not active:
            after = after.deactivate(now)
            ended = await unit.sessions.end_all(user_id)
            events = [UserDeactivated(user_id, now), *revocations(user_id, ended, now)]
        elif active and not before.active:
            (await room_for(unit, Quota.PEOPLE)).check()
            after = after.reactivate()
        if before.administers and not after.administers:
            check_administrator_remains(administrators, user_id)
        await unit.users.save(after)
        await unit.provisioned.save(record_from(Kind.USER, user_id, tree, now))
        await unit.events.add(events)

    async def remove(self, unit: IdentityUnit, caller: Caller, before: Resource, now: datetime) -> None:
        await self.write(unit, caller, before.id, before.attributes | {"active": False}, now)
        record = record_from(Kind.USER, before.id, before.attributes, now)
        await unit.provisioned.save(replace(record, removed_at=now))

    async def candidates(self, unit: IdentityUnit, wanted: Filter) -> frozenset[str] | None:
        """The users among whom are all that match; None when only looking at everybody tells."""
        match wanted:
            case All(parts):
                narrowed = [each for part in parts if (each := await self.candidates(unit, part)) is not None]
                return min(narrowed, key=len, default=None)
            case Compare(path, "eq", str(value)) if path.attribute is not None:
                match path.attribute.name:
                    case "id":
                        return frozenset({value})
                    case "externalId":
                        return frozenset(await unit.provisioned.with_external_id(Kind.USER, value))
                    case "userName":
                        account = await unit.accounts.find(value)
                        found = {await unit.provisioned.named(value), account.user.id if account is not None else None}
                        return frozenset(each for each in found if each is not None)
        return None

    async def _revive(self, unit: IdentityUnit, caller: Caller, user_id: str, tree: Tree, now: datetime) -> str:
        """Who was removed and comes back under the same name and external id is the same person, with all their data."""
        await unit.users.administrators()
        await unit.users.get(user_id)
        record = (await unit.provisioned.find(Kind.USER, [user_id]))[user_id]
        if record.removed_at is None or record.external_id != tree.get("externalId"):
            raise UserNameTaken
        await self.write(unit, caller, user_id, tree | {"active": tree.get("active", True)}, now)
        return user_id
