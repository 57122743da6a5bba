from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.inference.model import (
    MOST_SHADOWS,
    IllegalStage,
    ModelChangedMeanwhile,
    ModelNotLive,
    NoModelServes,
    Rollout,
    Stage,
    StageTaken,
    rolling_back,
    staging,
)
from domain.shared.errors import InvalidInput
from tests.unit.inference.making import registered

LEARNERS = [f"learner-{n}" for n in range(2_000)]
LEGAL = {
    (Stage.DRAFT, Stage.SHADOW),
    (Stage.DRAFT, Stage.RETIRED),
    (Stage.SHADOW, Stage.SHADOW),
    (Stage.SHADOW, Stage.CANARY),
    (Stage.SHADOW, Stage.RETIRED),
    (Stage.CANARY, Stage.CANARY),
    (Stage.CANARY, Stage.SHADOW),
    (Stage.CANARY, Stage.LIVE),
    (Stage.CANARY, Stage.RETIRED),
}


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("to", Stage)
def test_a_model_moves_only_as_it_may(stage: Stage, to: Stage) -> None:
    model = registered("next", stage)
    share = 0.3 if to in (Stage.SHADOW, Stage.CANARY) else 0.0
    if (stage, to) in LEGAL:
        (moved,) = staging(model, to, share, [])
        assert (moved.standing.stage, moved.standing.share, moved.standing.revision) == (to, share, 2)
    else:
        with pytest.raises(IllegalStage):
            staging(model, to, share, [])


@pytest.mark.parametrize("share", [nan, inf, -0.1, 0.51, 1e300])
def test_a_share_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(InvalidInput) as refusal:
        registered("next", Stage.SHADOW).staged(Stage.CANARY, share)
    assert refusal.value.violations[0].field == "share"


def test_there_is_one_canary_and_a_few_shadows() -> None:
    with pytest.raises(StageTaken):
        staging(registered("next", Stage.SHADOW), Stage.CANARY, 0.1, [registered("other", Stage.CANARY, 0.1)])
    shadows = [registered(f"shadow-{n}", Stage.SHADOW, 0.1) for n in range(MOST_SHADOWS)]
    with pytest.raises(StageTaken):
        staging(registered("next"), Stage.SHADOW, 0.1, shadows)
    assert staging(shadows[0], Stage.SHADOW, 0.2, shadows)[0].standing.share == 0.2


def test_what_goes_live_retires_what_was_and_rollback_brings_it_back() -> None:
    old = registered("old", Stage.LIVE)
    retired, live = staging(registered("next", Stage.CANARY, 0.5), Stage.LIVE, 0.0, [old])
    assert (retired.id, retired.standing.stage, live.standing.replaced) == ("old", Stage.RETIRED, "old")
    gone, back = rolling_back(live, retired)
    assert (gone.standing.stage, back.id, back.standing.stage) == (Stage.RETIRED, "old", Stage.LIVE)
    with pytest.raises(ModelNotLive):
        rolling_back(gone, back)
    with pytest.raises(ModelChangedMeanwhile):
        live.must_be_at(1)


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


@given(st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_growing_share_keeps_the_learners_it_has(one: float, other: float) -> None:
    small, large = sorted((one, other))
    before = {each for each in LEARNERS[:200] if registered("next", Stage.SHADOW, small).predicts_for(each)}
    after = {each for each in LEARNERS[:200] if registered("next", Stage.SHADOW, large).predicts_for(each)}
    assert before <= after
