from collections.abc import Sequence
from dataclasses import dataclass

from domain.identity.consents import Purpose
from domain.identity.ports import NewUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class ListPurposes:
    new_unit: NewUnit

    async def __call__(self, caller: Caller) -> Sequence[Purpose]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.consents.purposes()
