from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from domain.identity.classes import Class, ClassNotFound, Member, Part
from domain.identity.model import User
from domain.identity.ports import IdentityUnit
from domain.identity.provisioning import Kind, Resource, ResourceNotFound, group_resource, record_from
from domain.identity.provisioning_attributes import InvalidValue, Tree
from domain.identity.provisioning_filter import All, Compare, Filter
from domain.identity.use_cases.room import room_for
from domain.identity.use_cases.teaching import tell_of_sight
from domain.shared.caller import Caller, Role
from domain.shared.ids import NewId
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class ProvisionedGroups:
    """The classes of an organization, as groups. Every method works inside a unit that its caller commits."""

    new_id: NewId
    kind = Kind.GROUP

    async def read(self, unit: IdentityUnit, ids: Sequence[str]) -> Mapping[str, Resource]:
        """Those there are and nobody has archived."""
        records = await unit.provisioned.find(Kind.GROUP, ids)
        known = await unit.provisioned.classes(ids)
        return {each: group_resource(group, records.get(each), members) for each, (group, members) in known.items()}

    async def locked(self, unit: IdentityUnit, class_id: str) -> Resource:
        """Keeps others from changing the class until the unit ends. Raises ResourceNotFound."""
        try:
            await unit.classes.get(class_id)
        except ClassNotFound:
            raise ResourceNotFound(Kind.GROUP, class_id) from None
        found = (await self.read(unit, [class_id])).get(class_id)
        if found is None:
            raise ResourceNotFound(Kind.GROUP, class_id)
        return found

    async def create(self, unit: IdentityUnit, caller: Caller, tree: Tree, now: datetime) -> str:
        group = Class.create(self.new_id(), tree["displayName"], now)
        (await room_for(unit, Quota.CLASSES)).check()
        await unit.classes.add(group)
        await self.write(unit, caller, group.id, tree, now)
        return group.id

    async def write(self, unit: IdentityUnit, caller: Caller, class_id: str, tree: Tree, now: datetime) -> None:
        await unit.classes.save((await unit.classes.get(class_id)).renamed(tree["displayName"]))
        before = set((await unit.provisioned.classes([class_id]))[class_id][1])
        after = {str(each.get("value", "")) for each in tree.get("members", [])}
        affected = await unit.classes.teachers(class_id)
        gone, new = sorted(before - after), sorted(after - before)
        await unit.classes.withdraw(class_id, gone)
        users = {each.id: each for each in await unit.users.find(new)}
        await unit.classes.enrol(class_id, [Member(each, _part(users.get(each), each), now) for each in new])
        if gone or new:
            await tell_of_sight(unit, affected | await unit.classes.teachers(class_id), now)
        await unit.provisioned.save(record_from(Kind.GROUP, class_id, tree, now))

    async def remove(self, unit: IdentityUnit, caller: Caller, before: Resource, now: datetime) -> None:
        group = await unit.classes.get(before.id)
        await unit.classes.save(group.archive(now))
        await tell_of_sight(unit, await unit.classes.teachers(before.id), now)
        record = record_from(Kind.GROUP, before.id, before.attributes, now)
        await unit.provisioned.save(replace(record, removed_at=now))

    async def candidates(self, unit: IdentityUnit, wanted: Filter) -> frozenset[str] | None:
        """The classes among which are all that match; None when only looking at each tells."""
        match wanted:
            case All(parts):
                narrowed = [each for part in parts if (each := await self.candidates(unit, part)) is not None]
                return min(narrowed, key=len, default=None)
            case Compare(path, "eq", str(value)) if path.attribute is not None and path.attribute.name == "id":
                return frozenset({value})
            case Compare(path, "eq", str(value)) if path.attribute is not None and path.attribute.name == "externalId":
                return frozenset(await unit.provisioned.with_external_id(Kind.GROUP, value))
        return None


def _part(user: User | None, user_id: str) -> Part:
    """A teacher comes to teach, as one who is invited does. Raises InvalidValue."""
    if user is None:
        raise InvalidValue.of("members", f"there is no user {user_id[:128]}")
    if Role.TEACHER in user.roles:
        return Part.TEACHER
    if Role.LEARNER not in user.roles:
        raise InvalidValue.of("members", f"user {user_id} needs the role LEARNER or TEACHER")
    return Part.LEARNER
