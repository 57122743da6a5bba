from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from domain.identity.events import Notice, SecurityNoticed
from domain.identity.ports import IdentityUnit, NewUnit
from domain.identity.step_up import SignedIn
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ChangeProviders:
    """What changing an organization's identity providers always takes: a fresh proof and a notice for the auditor."""

    new_unit: NewUnit
    clock: Clock

    @asynccontextmanager
    async def __call__(self, me: SignedIn, notice: Notice) -> AsyncIterator[IdentityUnit]:
        """Yields the unit to change them in, committed at the end. Raises StepUpRequired."""
        now = self.clock()
        async with self.new_unit(me.organization) as unit:
            factors = await unit.factors.of(me.user)
            me.check_stepped_up(now, second_factor=factors.second)
            yield unit
            await unit.events.add([SecurityNoticed(me.user, now, notice)])
            await unit.commit()
