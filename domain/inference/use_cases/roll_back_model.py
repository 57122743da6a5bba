from dataclasses import dataclass

from domain.inference.model import MODELS, ModelChange, RegisteredModel
from domain.inference.ports import NewInferenceUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class RollBackModel:
    """Retires a live model and makes the one that it replaced live again. Returns it, and the other one if there was one."""

    new_unit: NewInferenceUnit
    clock: Clock

    async def __call__(
        self, caller: Caller, model_id: str, revision: int | None
    ) -> tuple[RegisteredModel, RegisteredModel | None]:
        async with self.new_unit(caller.organization) as unit:
            await unit.models.hold()
            held = await unit.models.get(model_id)
            MODELS.must_be_at(held, revision)
            before = await unit.models.get(held.standing.replaced) if held.standing.replaced else None
            changed = MODELS.rolling_back(held, before)
            for each in changed:
                await unit.models.save(each, ModelChange(each.id, each.standing, caller.user, self.clock()))
            await unit.commit()
        return changed[0], changed[1] if len(changed) > 1 else None
