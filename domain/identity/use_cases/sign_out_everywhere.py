from dataclasses import dataclass

from domain.identity.events import Notice, SecurityNoticed, revocations
from domain.identity.ports import NewUnit
from domain.identity.step_up import SignedIn
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class SignOutEverywhere:
    """Ends the caller's sessions, with or without the one they ask from. Returns how many."""

    new_unit: NewUnit
    clock: Clock

    async def __call__(self, me: SignedIn, *, keep_this: bool) -> int:
        now = self.clock()
        async with self.new_unit(me.organization) as unit:
            me.check_stepped_up(now, second_factor=(await unit.factors.of(me.user)).second)
            ended = await unit.sessions.end_all(me.user, but=me.session if keep_this else None)
            notice = SecurityNoticed(me.user, now, Notice.SIGNED_OUT_EVERYWHERE)
            await unit.events.add([notice, *revocations(me.user, ended, now)])
            await unit.commit()
        return len(ended)
