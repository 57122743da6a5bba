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
        if response is None or response.learner != learner:
            raise ResponseNotFound(f"learner {learner} has no response {response_id}")
        return response
