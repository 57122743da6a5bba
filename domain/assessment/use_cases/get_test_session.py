"""Returns a test session as it stands: whoever lost the page goes on with the same item."""

from dataclasses import dataclass

from domain.assessment.use_cases.sitting import SessionView, Sittings
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetTestSession:
    sittings: Sittings

    async def __call__(self, caller: Caller, learner: str, session_id: str) -> SessionView:
        now = self.sittings.clock()
        async with self.sittings.new_unit(caller.organization) as unit:
            session, plan = await self.sittings.find(unit, caller, learner, session_id)
            if session.late(now):
                session = plan.as_of(session, now)
                await self.sittings.keep(unit, plan, session)
            view = await self.sittings.show(unit, caller, plan, session)
            await unit.commit()
        return view
