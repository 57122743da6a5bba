from dataclasses import dataclass
from typing import Any

from domain.inference.ports import NewInferenceUnit


@dataclass(frozen=True, slots=True)
class ExportLearner:
    """Returns what is kept of a learner, as plain values, oldest first."""

    new_unit: NewInferenceUnit

    async def __call__(self, organization: str, learner: str) -> list[dict[str, Any]]:
        async with self.new_unit(organization) as unit:
            kept = (await unit.histories.of([learner])).get(learner, ())
        return [each._asdict() for each in kept]
