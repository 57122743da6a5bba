from dataclasses import dataclass

from domain.identity.ports import NewUnit
from domain.identity.programs import Program, ProgramNotFound
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetProgram:
    new_unit: NewUnit

    async def __call__(self, caller: Caller, program_id: str) -> Program:
        async with self.new_unit(caller.organization) as unit:
            program = await unit.programs.find(program_id)
        if program is None:
            raise ProgramNotFound(program_id)
        return program
