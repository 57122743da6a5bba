"""The laws of a rollout, for everything that is rolled out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, nan, sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.inference.model import MODELS, ModelChangedMeanwhile, ModelNotLive
from domain.scheduler.policies import POLICIES, PolicyChangedMeanwhile, PolicyNotLive, PolicyVersion, digest_of
from domain.scheduler.policy import PRACTICE_2
from domain.shared.errors import Conflict, InvalidInput, NotAllowedNow
from domain.shared.rollout import (
    DEFAULT_SHADOW_SHARE,
    MOST_SHADOWS,
    IllegalStage,
    Kind,
    Stage,
    StageTaken,
    Standing,
    is_for,
)
from tests.unit.inference.making import NOW, registered

LEARNERS = [f"learner-{n}" for n in range(2_000)]
IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
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


def version(name: str, stage: Stage, share: float) -> PolicyVersion:
    policy = replace(PRACTICE_2, version=name)
    return PolicyVersion(policy, digest_of(policy), NOW, standing=Standing(stage, share))


@dataclass(frozen=True)
class Rolled:
    """A kind with what it is a kind of."""

    kind: Kind
    make: Callable[[str, Stage, float], Any]
    here: str
    anew: str
    changed: type[Conflict]
    not_live: type[NotAllowedNow]

    def __call__(self, name: str = "next", stage: Stage = Stage.DRAFT, share: float = 0.0) -> Any:
        return self.make(name, stage, share)


POLICY = Rolled(POLICIES, version, " here", "create a new one with its definition", PolicyChangedMeanwhile, PolicyNotLive)
MODEL = Rolled(MODELS, registered, "", "register its artifact under another id", ModelChangedMeanwhile, ModelNotLive)


@pytest.fixture(params=[POLICY, MODEL], ids=["policy", "model"], scope="session")
def rolled(request: pytest.FixtureRequest) -> Rolled:
    found: Rolled = request.param
    return found


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("to", Stage)
def test_only_these_moves_are_legal(rolled: Rolled, stage: Stage, to: Stage) -> None:
    share = 0.2 if to in (Stage.SHADOW, Stage.CANARY) else 0.0
    if (stage, to) in LEGAL:
        (moved,) = rolled.kind.staging(rolled(stage=stage), to, share, [])
        assert moved.standing == Standing(to, share, None, revision=2)
    else:
        with pytest.raises(IllegalStage, match=f"^{rolled.kind.noun} next is {stage}: "):
            rolled.kind.staging(rolled(stage=stage), to, share, [])


def test_a_refused_move_says_what_may_follow(rolled: Rolled) -> None:
    for stage, told in {
        Stage.DRAFT: "it may become shadow, retired",
        Stage.LIVE: f"another {rolled.kind.noun} that becomes live retires it, and {rolled.kind.roll_back} brings back the one before it",
        Stage.RETIRED: f"that is for good, {rolled.anew}",
    }.items():
        with pytest.raises(IllegalStage) as refusal:
            rolled.kind.staging(rolled(stage=stage), Stage.LIVE, 0.0, [])
        assert refusal.value.message == f"{rolled.kind.noun} next is {stage}: {told}"


@pytest.mark.parametrize(
    ("stage", "share"),
    [
        (Stage.CANARY, 0.0),
        (Stage.CANARY, 0.500001),
        (Stage.CANARY, -0.1),
        (Stage.CANARY, nan),
        (Stage.CANARY, inf),
        (Stage.CANARY, 1e300),
        (Stage.SHADOW, 1.01),
        (Stage.SHADOW, -1.0),
        (Stage.SHADOW, nan),
        (Stage.LIVE, 0.3),
        (Stage.RETIRED, 0.3),
        (Stage.RETIRED, nan),
    ],
)
def test_a_share_that_cannot_be_is_refused_by_its_name(rolled: Rolled, stage: Stage, share: float) -> None:
    with pytest.raises(InvalidInput) as refusal:
        rolled.kind.staging(rolled(stage=Stage.CANARY), stage, share, [])
    assert [each.field for each in refusal.value.violations] == ["share"]


def test_a_shadow_has_a_tenth_of_the_learners_unless_more_is_asked_for(rolled: Rolled) -> None:
    assert rolled.kind.staging(rolled(), Stage.SHADOW, 0.0, [])[0].standing.share == DEFAULT_SHADOW_SHARE


def test_what_becomes_live_retires_what_was_and_remembers_it(rolled: Rolled) -> None:
    before = rolled("before", Stage.LIVE)
    retired, live = rolled.kind.staging(rolled(stage=Stage.CANARY, share=0.5), Stage.LIVE, 0.0, [before])
    assert (retired.id, retired.standing) == ("before", Standing(Stage.RETIRED, revision=2))
    assert (live.id, live.standing) == ("next", Standing(Stage.LIVE, replaced="before", revision=2))


def test_there_is_one_canary_and_a_few_shadows(rolled: Rolled) -> None:
    noun, nouns = rolled.kind.noun, rolled.kind.nouns
    with pytest.raises(StageTaken) as refusal:
        rolled.kind.staging(rolled(stage=Stage.SHADOW), Stage.CANARY, 0.1, [rolled("other", Stage.CANARY, 0.1)])
    assert refusal.value.message == f"{noun} other is the canary{rolled.here}: finish or retire it first"
    shadows = [rolled(f"shadow-{n}", Stage.SHADOW, 0.1) for n in range(MOST_SHADOWS)]
    with pytest.raises(StageTaken) as refusal:
        rolled.kind.staging(rolled(), Stage.SHADOW, 0.1, shadows)
    assert refusal.value.message == f"3 {nouns} are in the shadow{rolled.here}, which is the most: retire one first"
    assert rolled.kind.staging(shadows[0], Stage.SHADOW, 0.5, shadows)[0].standing.share == 0.5


def test_rolling_back_twice_walks_back_twice(rolled: Rolled) -> None:
    first = rolled("first", Stage.LIVE)
    first, second = rolled.kind.staging(rolled("second", Stage.CANARY, 0.1), Stage.LIVE, 0.0, [first])
    second, third = rolled.kind.staging(rolled("third", Stage.CANARY, 0.1), Stage.LIVE, 0.0, [second])
    third, second = rolled.kind.rolling_back(third, second)
    assert (third.standing.stage, second.standing.stage) == (Stage.RETIRED, Stage.LIVE)
    second, first = rolled.kind.rolling_back(second, first)
    assert (second.standing.stage, first.standing.stage) == (Stage.RETIRED, Stage.LIVE)
    assert [each.standing.stage for each in rolled.kind.rolling_back(first, None)] == [Stage.RETIRED]


@pytest.mark.parametrize("stage", [each for each in Stage if each is not Stage.LIVE])
def test_only_what_is_live_is_rolled_back(rolled: Rolled, stage: Stage) -> None:
    with pytest.raises(rolled.not_live, match=f"^{rolled.kind.noun} next is {stage}: only what is live can be rolled back$"):
        rolled.kind.rolling_back(rolled(stage=stage), None)


def test_what_was_changed_meanwhile_is_read_again(rolled: Rolled) -> None:
    (moved,) = rolled.kind.staging(rolled(), Stage.SHADOW, 0.0, [])
    rolled.kind.must_be_at(moved, None)
    rolled.kind.must_be_at(moved, 2)
    with pytest.raises(rolled.changed, match=f"^{rolled.kind.noun} next was changed meanwhile; read it again$"):
        rolled.kind.must_be_at(moved, 1)


@given(IDS, IDS, st.floats(0.001, 0.5), st.floats(0.001, 0.5))
def test_a_growing_share_keeps_the_learners_it_has(name: str, learner: str, one: float, another: float) -> None:
    small, large = sorted((one, another))
    if is_for(registered(name, Stage.CANARY, small), learner):
        assert is_for(registered(name, Stage.CANARY, large), learner)
    assert is_for(registered(name, Stage.LIVE), learner)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5])
def test_a_share_has_its_share_of_the_learners(share: float) -> None:
    count = sum(is_for(registered("new", Stage.CANARY, share), each) for each in LEARNERS)
    # Four standard deviations of a binomial: the places are fixed, so that it holds always or never.
    assert abs(count - share * len(LEARNERS)) < 4 * sqrt(len(LEARNERS) * share * (1 - share))


def test_two_of_them_have_learners_of_their_own() -> None:
    one, other = registered("one", Stage.CANARY, 0.5), registered("other", Stage.CANARY, 0.5)
    both = sum(is_for(one, each) and is_for(other, each) for each in LEARNERS)
    assert abs(both - 0.25 * len(LEARNERS)) < 4 * sqrt(len(LEARNERS) * 0.25 * 0.75)
