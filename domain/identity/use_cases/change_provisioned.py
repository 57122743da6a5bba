from collections.abc import Callable
from dataclasses import dataclass

from domain.identity.ports import NewUnit
from domain.identity.provisioning import Kind, Resource
from domain.identity.provisioning_attributes import Tree
from domain.identity.use_cases.provisioned_directory import Directories
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ChangeProvisioned:
    """Replaces or patches, as `change` says; what changes nothing writes nothing."""

    new_unit: NewUnit
    directories: Directories
    clock: Clock

    async def __call__(self, caller: Caller, kind: Kind, resource_id: str, etag: str, change: Callable[[Tree], Tree]) -> Resource:
        directory = self.directories[kind]
        async with self.new_unit(caller.organization) as unit:
            before = await directory.locked(unit, resource_id)
            before.check_etag(etag)
            tree = change(before.attributes)
            if tree == before.attributes:
                return before
            await directory.write(unit, caller, resource_id, tree, self.clock())
            after = (await directory.read(unit, [resource_id]))[resource_id]
            await unit.commit()
        return after
