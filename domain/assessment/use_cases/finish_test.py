"""Ends a test session early; what was answered counts."""

from dataclasses import dataclass

from domain.assessment.testing.sessions import State
from domain.assessment.use_cases.sitting import SessionView, Sittings
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class FinishTest:
    sittings: Sittings

    async def __call__(self, caller: Caller, learner: str, session_id: str) -> SessionView:
        now = self.sittings.clock()
        async with self.sittings.new_unit(caller.organization) as unit:
            session, plan = await self.sittings.find(unit, caller, learner, session_id)
            if session.open:
                session = plan.as_of(session, now)
                session = plan.ended(session, State.FINISHED, now) if session.open else session
                await self.sittings.keep(unit, plan, session)
            view = await self.sittings.show(unit, caller, plan, session)
            await unit.commit()
        return view
