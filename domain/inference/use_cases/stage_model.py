from dataclasses import dataclass

from domain.inference.model import MODELS, ModelChange, RegisteredModel
from domain.inference.ports import NewInferenceUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock
from domain.shared.rollout import Stage


@dataclass(frozen=True, slots=True)
class StageOrder:
    """What to do with a model; with a `revision`, only while it is the current one."""

    model: str
    stage: Stage
    share: float = 0.0
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class StageModel:
    """Moves a model to another stage. What becomes live retires what was live, in the same transaction."""

    new_unit: NewInferenceUnit
    clock: Clock

    async def __call__(self, caller: Caller, order: StageOrder) -> RegisteredModel:
        async with self.new_unit(caller.organization) as unit:
            await unit.models.hold()
            held = await unit.models.get(order.model)
            MODELS.must_be_at(held, order.revision)
            changed = MODELS.staging(held, order.stage, order.share, await unit.models.in_use())
            for each in changed:
                await unit.models.save(each, ModelChange(each.id, each.standing, caller.user, self.clock()))
            await unit.commit()
        return changed[-1]
