from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from domain.inference.model import RegisteredModel
from domain.inference.ports import Computing, NewInferenceUnit, Shelf
from domain.inference.response_model import Candidate
from domain.inference.shadowing import Served, Shadowing
from domain.inference.use_cases.asking import asked
from domain.shared.caller import Caller
from domain.shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Predicted:
    """P(correct) of each item for one learner; `known` says which items the model was trained on."""

    learner: str
    model: RegisteredModel
    history_size: int
    probabilities: tuple[float, ...]
    known: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class PredictResponses:
    """Predicts every item for every learner, each learner by the model that serves them."""

    new_unit: NewInferenceUnit
    shelf: Shelf
    compute: Computing
    shadowing: Shadowing
    clock: Clock

    async def __call__(
        self, caller: Caller, learners: Sequence[str], items: Sequence[Candidate], model_id: str | None = None
    ) -> list[Predicted]:
        now = self.clock()
        told = await asked(self.new_unit, caller, learners, model_id)
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for each in learners:
            groups[told.assignments[each].serving.id].append(each)
        found: dict[str, Predicted] = {}
        for group in groups.values():
            registered = told.assignments[group[0]].serving
            model = await self.shelf.get(caller.organization, registered)
            predict = partial(model.predict, [told.histories[each] for each in group], items, now.timestamp())
            known = tuple([model.knows(each.item) for each in items])
            for learner, row in zip(group, (await self.compute(predict)).tolist(), strict=True):
                history = told.histories[learner]
                found[learner] = Predicted(learner, registered, len(history), tuple(row), known)
                served = Served(learner, tuple(items), history, registered, tuple(row), told.assignments[learner].shadows, now)
                self.shadowing(caller.organization, served)
        return [found[each] for each in learners]
