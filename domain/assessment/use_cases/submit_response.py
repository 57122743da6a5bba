"""Grades an answer, keeps it and tells those who decide what comes next."""

from dataclasses import dataclass

from domain.assessment.model.grading import grade
from domain.assessment.model.responses import Response, Submission
from domain.assessment.model.texts import PatternMatcher
from domain.assessment.ports import AttemptListener, PublishedItems, Responses
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.errors import DomainError, InvalidInput


@dataclass(frozen=True, slots=True)
class SubmitResponse:
    items: PublishedItems
    responses: Responses
    listener: AttemptListener
    patterns: PatternMatcher
    clock: Clock

    async def __call__(self, caller: Caller, submission: Submission) -> Response:
        organization, now = caller.organization, self.clock()
        try:
            submission.check_times(now)
            if submission.answer is None:
                raise InvalidInput.of("answer", "must be given")
            item = await self.items.get(organization, submission.course, submission.item)
            response = Response.to(submission, submission.answer, item, grade(item, submission.answer, self.patterns), now)
        except DomainError:
            # What is refused today may repeat what was accepted before: the item may have left the course since.
            if first := await self.responses.find(organization, submission.id):
                return first.repeated_by(submission)
            raise
        kept = (await self.responses.keep(organization, response, item.skills)).repeated_by(submission)
        # A repeat tells them again: it may be a repeat because the first time broke off just before this.
        await self.listener.hear(organization, kept, item.skills)
        return kept
