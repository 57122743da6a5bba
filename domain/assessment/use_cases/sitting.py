"""What the use cases of a test session share: finding it as of now, keeping it, and showing it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from domain.assessment.model.presenting import body_for
from domain.assessment.model.responses import ItemView
from domain.assessment.ports import SittingUnit
from domain.assessment.testing.blueprints import Visibility
from domain.assessment.testing.plans import Plan, Plans
from domain.assessment.testing.sessions import Session, SessionNotFound
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as one caller may see it: what is hidden from the caller is not in it. `item` is the current one."""

    session: Session
    item: ItemView | None


@dataclass(frozen=True, slots=True)
class Sittings:
    """Where sessions are found and kept; `plans` is shared by all use cases of a process."""

    new_unit: Callable[[str], SittingUnit]
    plans: Plans
    clock: Clock

    async def find(self, unit: SittingUnit, caller: Caller, learner: str, session_id: str) -> tuple[Session, Plan]:
        """Returns the session as it is kept, with its plan. Raises SessionNotFound."""
        session = await unit.sessions.find(session_id)
        if session is None or session.learner != learner:
            raise SessionNotFound(f"learner {learner} has no test session {session_id}")
        return session, await self.plans.find(caller.organization, session.blueprint, unit.blueprints.get)

    async def keep(self, unit: SittingUnit, plan: Plan, session: Session) -> None:
        """Saves the session; when it has ended, its learner may see the responses if the blueprint says so."""
        await unit.sessions.save(session)
        if not session.open and plan.blueprint.visibility is Visibility.ITEMS:
            await unit.answers.unseal(session.id)

    async def show(self, unit: SittingUnit, caller: Caller, plan: Plan, session: Session) -> SessionView:
        """Returns what this caller may see of the session."""
        view = None
        if (step := session.current) is not None:
            item = await unit.items.get(step.item, step.revision)
            view = ItemView(
                session.learner, plan.blueprint.course, item.id, item.revision, body_for(item, session.learner), 0, ()
            )
        if caller.may_see_others():
            shown = replace(session, result=plan.result(session)) if session.open else session
        else:
            shown = for_learner(session, plan.blueprint.visibility)
        return SessionView(shown, view)


def for_learner(session: Session, visibility: Visibility) -> Session:
    """What the learner sees: before the end nothing of how it goes, after it what the blueprint allows."""
    if session.open or visibility is Visibility.NONE:
        return replace(session, result=None, steps=())
    return replace(session, steps=session.answered if visibility is Visibility.ITEMS else ())
