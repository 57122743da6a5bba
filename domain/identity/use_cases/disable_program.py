from dataclasses import dataclass

from domain.identity.events import Notice, SecurityNoticed, revocations
from domain.identity.ports import NewUnit
from domain.identity.programs import Program
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class DisableProgram:
    """Takes no fresh proof: whoever finds a secret in the wrong hands must not lose time."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, caller: Caller, program_id: str) -> Program:
        now = self.clock()
        async with self.new_unit(caller.organization) as unit:
            before = await unit.programs.get(program_id)
            after = before.disable(now)
            await unit.programs.save(after)
            notice = SecurityNoticed(caller.user, now, Notice.PROGRAM_DISABLED)
            await unit.events.add([notice, *revocations(after.user, (each.id for each in before.credentials), now)])
            await unit.commit()
        return after
