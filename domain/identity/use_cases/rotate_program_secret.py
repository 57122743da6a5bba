from dataclasses import dataclass
from datetime import timedelta

from domain.identity.events import Notice, SecurityNoticed, revocations
from domain.identity.ports import NewUnit
from domain.identity.programs import ClientId, Program, checked_overlap
from domain.identity.step_up import SignedIn
from domain.identity.use_cases.new_credential import NewCredential
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RotateProgramSecret:
    """Two credentials are good at once, so that a partner changes over without a gap; tokens of one that ends now end with it."""

    new_unit: NewUnit
    new_credential: NewCredential
    clock: Clock

    async def __call__(self, me: SignedIn, program_id: str, overlap: timedelta, public_key: str) -> tuple[Program, str]:
        now = self.clock()
        fresh, secret = self.new_credential(ClientId(me.organization, program_id), public_key)
        async with self.new_unit(me.organization) as unit:
            me.check_stepped_up(now, second_factor=(await unit.factors.of(me.user)).second)
            program, ended = (await unit.programs.get(program_id)).rotated(fresh, checked_overlap(overlap), now)
            await unit.programs.save(program)
            notice = SecurityNoticed(me.user, now, Notice.PROGRAM_SECRET_ROTATED)
            await unit.events.add([notice, *revocations(program.user, (each.id for each in ended), now)])
            await unit.commit()
        return program, secret
