from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.identity.ports import NewUnit
from domain.identity.provisioning import Kind, Resource, checked_tree
from domain.identity.use_cases.provisioned_directory import Directories
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class CreateProvisioned:
    new_unit: NewUnit
    directories: Directories
    clock: Clock

    async def __call__(self, caller: Caller, kind: Kind, attributes: Mapping[str, Any]) -> Resource:
        tree = checked_tree(kind, attributes)
        directory = self.directories[kind]
        async with self.new_unit(caller.organization) as unit:
            made = await directory.create(unit, caller, tree, self.clock())
            resource = (await directory.read(unit, [made]))[made]
            await unit.commit()
        return resource
