from dataclasses import dataclass

from domain.identity.ports import NewUnit
from domain.identity.provisioning import Kind
from domain.identity.use_cases.provisioned_directory import Directories
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class DeleteProvisioned:
    """Out of the identity provider's sight; a user is deactivated, a class archived, and what they have done stays."""

    new_unit: NewUnit
    directories: Directories
    clock: Clock

    async def __call__(self, caller: Caller, kind: Kind, resource_id: str, etag: str) -> None:
        directory = self.directories[kind]
        async with self.new_unit(caller.organization) as unit:
            before = await directory.locked(unit, resource_id)
            before.check_etag(etag)
            await directory.remove(unit, caller, before, self.clock())
            await unit.commit()
