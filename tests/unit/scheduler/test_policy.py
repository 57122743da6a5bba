import json
from dataclasses import replace
from math import inf, nan

import pytest

from domain.scheduler.policy import CONTEXT, PRACTICE_2, Arm, Balance, Bandit, BanditKind, Policy, Posterior, SkillShare, Weights
from domain.shared.errors import InvalidInput

D = len(CONTEXT)
POSTERIOR = Posterior((0.1,) * D, tuple(tuple(float(i == j) for j in range(D)) for i in range(D)), 0.25)
TWO = (Arm("keep", Weights(review=1.0), share=0.25), Arm("grow", Weights(growth=0.5, challenge=0.5), 0.1, share=0.75))
FULL = replace(
    PRACTICE_2,
    version="full-1",
    arms=TWO,
    bandit=Bandit(BanditKind.THOMPSON, (POSTERIOR, POSTERIOR)),
    balance=Balance(10, 0.6, (SkillShare("a", 0.1, 0.5),)),
)


def field_of(refusal: pytest.ExceptionInfo[InvalidInput]) -> str:
    return refusal.value.violations[0].field


@pytest.mark.parametrize("policy", [PRACTICE_2, FULL])
def test_a_policy_comes_back_from_its_document(policy: Policy) -> None:
    assert Policy.from_document(json.loads(json.dumps(policy.to_document()))) == policy


@pytest.mark.parametrize("value", [nan, inf, -inf, -0.5, 1e300, "x", None, True])
@pytest.mark.parametrize(
    "name",
    [
        "met_mean",
        "mastered_mean",
        "prior_mean",
        "recency",
        "recency_hours",
        "exposure_share",
        "exposure_floor",
        "target_low",
        "target_high",
        "challenge_width",
        "skill_gain",
        "skill_evidence",
        "novelty_days",
        "recorded",
    ],
)
def test_a_number_that_cannot_be_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Policy.from_document(PRACTICE_2.to_document() | {name: value})
    assert field_of(refusal) == name


def changed(path: str, value: object) -> dict[str, object]:
    document = json.loads(json.dumps(FULL.to_document()))
    *way, last = path.split("/")
    at = document
    for each in way:
        at = at[int(each)] if each.isdigit() else at[each]
    at[int(last) if last.isdigit() else last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("version", "", "version"),
        ("version", 7, "version"),
        ("model_version", "other", "model_version"),
        ("model_version", [], "model_version"),
        ("arms", [], "arms"),
        ("arms", 3, "arms"),
        ("arms/0", 3, "arms[0]"),
        ("arms/1/name", "keep", "arms"),
        ("arms/1/name", "", "arms[1].name"),
        ("arms/1/temperature", 0.001, "arms[1].temperature"),
        ("arms/1/temperature", nan, "arms[1].temperature"),
        ("arms/1/share", -1, "arms[1].share"),
        ("arms/1/weights", None, "arms[1].weights"),
        ("arms/1/weights/growth", 0.9, "arms[1].weights.weights"),
        ("arms/1/weights/growth", -0.5, "arms[1].weights.growth"),
        ("arms/1/weights/luck", 0.0, "arms[1].weights.luck"),
        ("review/temperature", inf, "review.temperature"),
        ("bandit/kind", "greedy", "bandit.kind"),
        ("bandit/posteriors", [], "bandit.posteriors"),
        ("bandit/posteriors/1/mean", [0.0], "bandit.posteriors[1].mean"),
        ("bandit/posteriors/1/mean/2", nan, "bandit.posteriors[1].mean"),
        ("bandit/posteriors/1/covariance/0/0", -1.0, "bandit.posteriors[1].covariance"),
        ("bandit/posteriors/1/covariance/0/1", 0.5, "bandit.posteriors[1].covariance"),
        ("bandit/posteriors/1/covariance", [[1.0]], "bandit.posteriors[1].covariance"),
        ("bandit/posteriors/1/noise", 0.0, "bandit.posteriors[1].noise"),
        ("bandit/exploration", 0.0, "bandit.exploration"),
        ("balance/window", 33, "balance.window"),
        ("balance/most", 2.0, "balance.most"),
        ("balance/shares/0/least", 0.9, "balance.shares[0].least"),
        ("balance/shares/0/skill", None, "balance.shares[0].skill"),
        ("colour", "red", "colour"),
    ],
)
def test_a_document_that_cannot_be_is_refused_by_the_path_of_its_field(path: str, value: object, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        Policy.from_document(changed(path, value))
    assert field_of(refusal) == field


@pytest.mark.parametrize("missing", ["version", "model_version", "arms"])
def test_what_has_no_default_is_required(missing: str) -> None:
    document = {key: value for key, value in PRACTICE_2.to_document().items() if key != missing}
    with pytest.raises(InvalidInput) as refusal:
        Policy.from_document(document)
    assert field_of(refusal) == missing


def test_shares_of_arms_must_sum_to_one_where_no_bandit_chooses() -> None:
    with pytest.raises(InvalidInput, match="sum to 1"):
        replace(PRACTICE_2, arms=(TWO[0], replace(TWO[1], share=0.5)))


def test_least_shares_that_cannot_all_be_had_are_refused() -> None:
    with pytest.raises(InvalidInput, match="more than 1"):
        Balance(shares=(SkillShare("a", 0.6), SkillShare("b", 0.6)))
