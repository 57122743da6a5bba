from dataclasses import dataclass

from domain.identity.ports import NewUnit
from domain.identity.provisioning import Kind, Resource, ResourceNotFound
from domain.identity.use_cases.provisioned_directory import Directories
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetProvisioned:
    new_unit: NewUnit
    directories: Directories

    async def __call__(self, caller: Caller, kind: Kind, resource_id: str) -> Resource:
        async with self.new_unit(caller.organization) as unit:
            found = (await self.directories[kind].read(unit, [resource_id])).get(resource_id)
        if found is None:
            raise ResourceNotFound(kind, resource_id)
        return found
