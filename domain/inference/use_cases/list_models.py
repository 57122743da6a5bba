from dataclasses import dataclass

from domain.inference.model import RegisteredModel
from domain.inference.ports import NewInferenceUnit
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class ListModels:
    """Returns the models that the organization registered."""

    new_unit: NewInferenceUnit

    async def __call__(self, caller: Caller, request: PageRequest) -> Page[RegisteredModel]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.models.page(request)
