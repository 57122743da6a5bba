from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from domain.identity.challenges import Factors
from domain.identity.events import Notice, SecurityNoticed
from domain.identity.mail import Template, tell
from domain.identity.ports import IdentityUnit, NewUnit
from domain.identity.step_up import SignedIn
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ChangeFactors:
    """What changing one's second factors always takes: a fresh proof, a notice for the auditor and a mail to the owner.

    Recovery codes go with the last second factor: they stand in for one, and alone they would be a second password.
    """

    new_unit: NewUnit
    clock: Clock

    @asynccontextmanager
    async def __call__(self, me: SignedIn, notice: Notice) -> AsyncIterator[tuple[IdentityUnit, Factors]]:
        """Yields the unit to change them in, committed at the end. Raises StepUpRequired."""
        now = self.clock()
        async with self.new_unit(me.organization) as unit:
            user = await unit.users.get(me.user)
            factors = await unit.factors.of(me.user)
            me.check_stepped_up(now, second_factor=factors.second)
            yield unit, factors
            if not (await unit.factors.of(me.user)).second:
                await unit.factors.replace_recovery_codes(me.user, ())
            await unit.events.add([SecurityNoticed(me.user, now, notice)])
            await tell(unit.mails, user, Template.SECOND_FACTOR_CHANGED, change=notice)
            await unit.commit()
