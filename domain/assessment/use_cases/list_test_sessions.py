"""Lists a learner's test sessions, newest first."""

from dataclasses import dataclass, replace

from domain.assessment.ports import SittingUnit
from domain.assessment.testing.sessions import Session
from domain.assessment.use_cases.sitting import SessionView, Sittings, for_learner
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListTestSessions:
    sittings: Sittings

    async def __call__(self, caller: Caller, learner: str, request: PageRequest) -> Page[SessionView]:
        async with self.sittings.new_unit(caller.organization) as unit:
            page = await unit.sessions.page(learner, request)
            views = [SessionView(await self._shown(unit, caller, each), None) for each in page.elements]
            await unit.commit()
        return Page(tuple(views), page.next)

    async def _shown(self, unit: SittingUnit, caller: Caller, session: Session) -> Session:
        if session.late(now := self.sittings.clock()):
            session, plan = await self.sittings.find(unit, caller, session.learner, session.id)
            session = plan.as_of(session, now)
            await self.sittings.keep(unit, plan, session)
        if not caller.may_see_others():
            plan = await self.sittings.plans.find(caller.organization, session.blueprint, unit.blueprints.get)
            session = for_learner(session, plan.blueprint.visibility)
        return replace(session, steps=())
