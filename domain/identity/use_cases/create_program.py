from dataclasses import dataclass

from domain.identity.events import Notice, SecurityNoticed
from domain.identity.ports import NewUnit
from domain.identity.programs import ClientId, Program, ProgramDraft, checked_program_id
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.new_credential import NewCredential
from domain.identity.use_cases.room import room_for
from domain.shared.caller import Role
from domain.shared.clock import Clock
from domain.shared.plans import Quota


@dataclass(frozen=True, slots=True)
class CreateProgram:
    """Returns the program and its secret, empty if it brought a public key. Whoever creates it answers for it as its sponsor."""

    new_unit: NewUnit
    new_credential: NewCredential
    clock: Clock

    async def __call__(
        self, me: SignedIn, roles: frozenset[Role], program_id: str, draft: ProgramDraft, public_key: str
    ) -> tuple[Program, str]:
        now = self.clock()
        empty = Program(checked_program_id(program_id), "", frozenset(), frozenset(), me.user, now)
        program = draft.applied_to(empty, me.user, roles)
        credential, secret = self.new_credential(ClientId(me.organization, program.id), public_key)
        program = program.with_first(credential)
        async with self.new_unit(me.organization) as unit:
            room = await room_for(unit, Quota.PROGRAMS)
            me.check_stepped_up(now, second_factor=(await unit.factors.of(me.user)).second)
            await unit.programs.add(program)
            room.check()
            await unit.events.add([SecurityNoticed(me.user, now, Notice.PROGRAM_CREATED)])
            await unit.commit()
        return program, secret
