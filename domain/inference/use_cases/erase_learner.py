from dataclasses import dataclass

from domain.inference.ports import NewInferenceUnit


@dataclass(frozen=True, slots=True)
class EraseLearner:
    """Forgets a learner's answers. Returns how many there were; a repeat finds none."""

    new_unit: NewInferenceUnit

    async def __call__(self, organization: str, learner: str) -> int:
        async with self.new_unit(organization) as unit:
            erased = await unit.histories.erase(learner)
            await unit.commit()
        return erased
