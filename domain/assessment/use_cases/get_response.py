"""Returns one response of a learner."""

from dataclasses import dataclass

from domain.assessment.model.responses import Response, ResponseNotFound
from domain.assessment.ports import Responses
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetResponse:
    responses: Responses

    async def __call__(self, caller: Caller, learner: str, response_id: str) -> Response:
        response = await self.responses.find(caller.organization, response_id)
        hidden = response is not None and response.sealed and not caller.may_see_others()
        if response is None or response.learner != learner or hidden:
            raise ResponseNotFound(f"learner {learner} has no response {response_id}")
        return response
