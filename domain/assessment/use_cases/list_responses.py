"""Lists a learner's responses, newest first; learners do not see what is sealed."""

from dataclasses import dataclass

from domain.assessment.model.responses import Response
from domain.assessment.ports import Responses
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListResponses:
    responses: Responses

    async def __call__(self, caller: Caller, learner: str, request: PageRequest) -> Page[Response]:
        return await self.responses.page(caller.organization, learner, request, sealed=caller.may_see_others())
