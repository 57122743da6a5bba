"""Starts a test for a learner and serves its first item."""

from dataclasses import dataclass

from domain.assessment.testing.blueprints import BlueprintRetired
from domain.assessment.testing.sessions import Session, check_retake
from domain.assessment.use_cases.sitting import SessionView, Sittings
from domain.shared.caller import Caller
from domain.shared.errors import RequestIdReused


@dataclass(frozen=True, slots=True)
class StartTest:
    sittings: Sittings

    async def __call__(self, caller: Caller, request_id: str, learner: str, blueprint_id: str) -> SessionView:
        now = self.sittings.clock()
        async with self.sittings.new_unit(caller.organization) as unit:
            await unit.sessions.lock(learner, blueprint_id)
            if first := await unit.sessions.find(request_id):
                if (first.learner, first.blueprint) != (learner, blueprint_id):
                    raise RequestIdReused(f"request_id {request_id} was used for another test session")
                session, plan = await self.sittings.find(unit, caller, learner, request_id)
                session = plan.as_of(session, now)
            else:
                plan = await self.sittings.plans.find(caller.organization, blueprint_id, unit.blueprints.get)
                # The plan may be older than the end of its blueprint.
                if retired := await unit.blueprints.retired_at(blueprint_id):
                    raise BlueprintRetired(f"test {blueprint_id} is retired since {retired:%Y-%m-%d %H:%M} UTC")
                check_retake(plan.blueprint, await unit.sessions.takings(learner, blueprint_id), now)
                session = plan.advanced(Session.of(request_id, learner, plan.blueprint, now), now)
            await self.sittings.keep(unit, plan, session)
            view = await self.sittings.show(unit, caller, plan, session)
            await unit.commit()
        return view
