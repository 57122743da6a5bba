from collections.abc import Sequence
from dataclasses import dataclass

from domain.inference.model import ModelChange, RegisteredModel
from domain.inference.ports import NewInferenceUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class GetModel:
    """Returns a model with the changes of its standing."""

    new_unit: NewInferenceUnit

    async def __call__(self, caller: Caller, model_id: str) -> tuple[RegisteredModel, Sequence[ModelChange]]:
        async with self.new_unit(caller.organization) as unit:
            return await unit.models.get(model_id), await unit.models.changes(model_id)
