from dataclasses import dataclass

from domain.inference.model import ModelChange, RegisteredModel
from domain.inference.ports import ArtifactStore, Computing, NewInferenceUnit
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class NewModel:
    """What a model is registered from; `digest` is the SHA-256 that the caller says the artifact has."""

    id: str
    artifact: bytes
    digest: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class RegisterModel:
    """Keeps a model for ever, as a draft that predicts for nobody yet. The artifact is stored before anything names it."""

    new_unit: NewInferenceUnit
    artifacts: ArtifactStore
    compute: Computing
    clock: Clock

    async def __call__(self, caller: Caller, new: NewModel) -> RegisteredModel:
        now = self.clock()
        model = await self.compute(lambda: RegisteredModel.of(new.id, new.artifact, new.digest, new.description, now))
        await self.artifacts.put(caller.organization, model.digest, new.artifact)
        async with self.new_unit(caller.organization) as unit:
            await unit.models.hold()
            await unit.models.add(model)
            await unit.models.save(model, ModelChange(model.id, model.standing, caller.user, now))
            await unit.commit()
        return model
