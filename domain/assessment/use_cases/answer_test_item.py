"""Grades the answer to a test's current item, keeps it and serves the next one, all in one transaction."""

from dataclasses import dataclass, replace

from domain.assessment.model.grading import grade
from domain.assessment.model.responses import Response, Submission
from domain.assessment.model.texts import PatternMatcher
from domain.assessment.ports import AttemptListener
from domain.assessment.use_cases.sitting import SessionView, Sittings
from domain.shared.caller import Caller
from domain.shared.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class AnswerTestItem:
    sittings: Sittings
    listener: AttemptListener
    patterns: PatternMatcher

    async def __call__(self, caller: Caller, submission: Submission) -> SessionView:
        """The submission names its session; its course is the blueprint's, whatever it says."""
        now = self.sittings.clock()
        submission.check_times(now)
        if (answer := submission.answer) is None:
            raise InvalidInput.of("answer", "must be given")
        async with self.sittings.new_unit(caller.organization) as unit:
            session, plan = await self.sittings.find(unit, caller, submission.learner, submission.test_session)
            session = plan.as_of(session, now)
            submission = replace(submission, course=plan.blueprint.course)
            if first := await unit.answers.find(submission.id):
                response = first.repeated_by(submission)
                item = await unit.items.get(first.item, first.item_revision)
            else:
                step = session.to_answer(submission.item)
                item = await unit.items.get(step.item, step.revision)
                response = Response.to(submission, answer, item, grade(item, answer, self.patterns), now)
                session = plan.advanced(session.with_answer(response), now)
                await unit.answers.add(response, item.skills)
                await self.sittings.keep(unit, plan, session)
            view = await self.sittings.show(unit, caller, plan, session)
            await unit.commit()
        # A repeat tells them again: it may be a repeat because the first time broke off just before this.
        await self.listener.hear(caller.organization, response, item.skills)
        return view
