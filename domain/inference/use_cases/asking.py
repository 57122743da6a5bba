"""What every prediction begins with: which model answers for whom, and what is known of the learners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.inference.history import History
from domain.inference.model import Assignment, Rollout
from domain.inference.ports import NewInferenceUnit
from domain.shared.caller import Caller


@dataclass(frozen=True, slots=True)
class Asked:
    """Of each learner who predicts for them and the newest answers."""

    assignments: Mapping[str, Assignment]
    histories: Mapping[str, History]


async def asked(new_unit: NewInferenceUnit, caller: Caller, learners: Sequence[str], model_id: str | None) -> Asked:
    """Reads what the learners are predicted from. A model that is named answers for all of them, alone and in whatever stage.

    Raises ModelNotFound, NoModelServes or Unavailable.
    """
    async with new_unit(caller.organization) as unit:
        if model_id is not None:
            named = Assignment(await unit.models.get(model_id))
            assignments = dict.fromkeys(learners, named)
        else:
            rollout = Rollout(tuple(await unit.models.in_use()))
            assignments = {each: rollout.assigned(each) for each in learners}
        kept = await unit.histories.of(learners)
    return Asked(assignments, {each: [entry.answered() for entry in kept.get(each, ())] for each in learners})
