import pytest

from domain.inference.model import NoModelServes, Rollout
from domain.shared.rollout import Stage
from tests.unit.inference.making import registered

LEARNERS = [f"learner-{n}" for n in range(2_000)]


def test_without_a_live_model_only_the_canarys_share_is_predicted_for() -> None:
    with pytest.raises(NoModelServes):
        Rollout().assigned("ada")
    rollout = Rollout((registered("next", Stage.CANARY, 0.5),))
    served = 0
    for learner in LEARNERS:
        try:
            served += rollout.assigned(learner).serving.id == "next"
        except NoModelServes:
            continue
    assert 900 < served < 1_100


def test_a_canary_has_its_share_of_learners_with_the_live_model_beside_it() -> None:
    live, canary = registered("old", Stage.LIVE), registered("next", Stage.CANARY, 0.2)
    assigned = {each: Rollout((canary, live)).assigned(each) for each in LEARNERS}
    tried = [each for each in LEARNERS if assigned[each].serving.id == "next"]
    assert 320 < len(tried) < 480
    assert all([each.id for each in assigned[learner].shadows] == ["old"] for learner in tried)
