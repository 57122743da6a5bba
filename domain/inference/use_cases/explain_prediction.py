from dataclasses import dataclass

from domain.inference.model import RegisteredModel
from domain.inference.ports import Computing, NewInferenceUnit, Shelf
from domain.inference.response_model import Candidate, Explanation
from domain.inference.use_cases.asking import asked
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Explained:
    """What moved a prediction, and who made it from how many answers."""

    model: RegisteredModel
    history_size: int
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class ExplainPrediction:
    """Says what moved the prediction of one item."""

    new_unit: NewInferenceUnit
    shelf: Shelf
    compute: Computing
    clock: Clock

    async def __call__(self, caller: Caller, learner: str, item: Candidate, model_id: str | None = None) -> Explained:
        now = self.clock().timestamp()
        told = await asked(self.new_unit, caller, [learner], model_id)
        registered, history = told.assignments[learner].serving, told.histories[learner]
        model = await self.shelf.get(caller.organization, registered)
        return Explained(registered, len(history), await self.compute(lambda: model.explain(history, item, now)))
