from dataclasses import dataclass

from domain.identity.events import Notice, SecurityNoticed
from domain.identity.ports import NewUnit
from domain.identity.programs import Program, ProgramDraft
from domain.identity.step_up import SignedIn
from domain.shared.caller import Role
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class UpdateProgram:
    """Whoever changes a program answers for it from now on."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, me: SignedIn, roles: frozenset[Role], program_id: str, changes: ProgramDraft) -> Program:
        now = self.clock()
        async with self.new_unit(me.organization) as unit:
            me.check_stepped_up(now, second_factor=(await unit.factors.of(me.user)).second)
            before = await unit.programs.get(program_id)
            before.check_enabled()
            after = changes.applied_to(before, me.user, roles)
            await unit.programs.save(after)
            await unit.events.add([SecurityNoticed(me.user, now, Notice.PROGRAM_CHANGED)])
            await unit.commit()
        return after
