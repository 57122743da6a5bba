from dataclasses import replace
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scheduler.policies import (
    BY_DEFAULT,
    PolicyAlreadyExists,
    PolicyDraft,
    PolicyVersion,
    Rollout,
    built_in,
    digest_of,
    plain,
)
from domain.scheduler.policy import PRACTICE_2, Policy
from domain.shared.errors import InvalidInput
from domain.shared.rollout import Stage, Standing
from tests.unit.scheduler.making import NOW

LEARNERS = [f"learner-{n}" for n in range(2_000)]
DEFINITION: dict[str, Any] = PRACTICE_2.to_document() | {"version": "next"}
IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)


def version(name: str = "next", stage: Stage = Stage.DRAFT, share: float = 0.0, course: str = "") -> PolicyVersion:
    policy = replace(PRACTICE_2, version=name)
    return PolicyVersion(policy, digest_of(policy), NOW, course, standing=Standing(stage, share))


def serving(rollout: Rollout, learner: str, course: str = "sql") -> str:
    return rollout.assigned(course, learner).serving.version


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5])
def test_a_canary_has_its_share_of_the_learners(share: float) -> None:
    rollout = Rollout.of([version("old", Stage.LIVE), version("new", Stage.CANARY, share)])
    count = sum(serving(rollout, each) == "new" for each in LEARNERS)
    # Four standard deviations of a binomial: the places are fixed, so that it holds always or never.
    assert abs(count - share * len(LEARNERS)) < 4 * sqrt(len(LEARNERS) * share * (1 - share))


def test_the_policies_of_the_course_come_first_then_those_of_all_then_the_built_in_one() -> None:
    everywhere, course = version("everywhere", Stage.LIVE), version("course", Stage.LIVE, course="sql")
    assert Rollout.of([]).assigned("sql", "ada") == BY_DEFAULT
    assert serving(Rollout.of([everywhere]), "ada") == "everywhere"
    assert serving(Rollout.of([everywhere, course]), "ada") == "course"
    assert serving(Rollout.of([everywhere, course]), "ada", "art") == "everywhere"


def test_a_course_with_only_a_canary_leaves_the_others_to_the_policies_of_all_courses() -> None:
    rollout = Rollout.of([version("canary", Stage.CANARY, 0.3, "sql"), version("everywhere", Stage.LIVE)])
    assert {serving(rollout, each) for each in LEARNERS} == {"canary", "everywhere"}
    assert {serving(rollout, each, "art") for each in LEARNERS} == {"everywhere"}


@given(st.lists(st.tuples(IDS, st.sampled_from(Stage), st.floats(0.001, 0.5)), unique_by=lambda each: each[0], max_size=8), IDS)
def test_shadows_never_change_what_is_served(made: list[tuple[str, Stage, float]], learner: str) -> None:
    versions = [version(*each) for each in made]
    with_shadows = Rollout.of(versions).assigned("sql", learner)
    without = Rollout.of(each for each in versions if each.standing.stage is not Stage.SHADOW).assigned("sql", learner)
    assert (with_shadows.serving, with_shadows.stage) == (without.serving, without.stage)
    assert without.shadows == ()


def test_a_shadow_decides_for_its_share_of_the_learners() -> None:
    rollout = Rollout.of([version("shadow", Stage.SHADOW, 0.1)])
    count = sum(bool(rollout.assigned("sql", each).shadows) for each in LEARNERS)
    assert abs(count - 0.1 * len(LEARNERS)) < 4 * sqrt(len(LEARNERS) * 0.1 * 0.9)


def test_where_a_course_has_a_live_policy_the_shadows_of_all_courses_are_idle() -> None:
    everywhere, own = version("everywhere", Stage.SHADOW, 1.0), version("own", Stage.SHADOW, 1.0, "sql")
    rollout = Rollout.of([everywhere, own, version("live", Stage.LIVE, course="sql")])
    assert [each.version for each in rollout.assigned("sql", "ada").shadows] == ["own"]
    assert [each.version for each in rollout.assigned("art", "ada").shadows] == ["everywhere"]


def test_a_definition_makes_the_policy_and_what_is_left_out_is_usual() -> None:
    arms = DEFINITION["arms"]
    draft = PolicyDraft("next", {"model_version": "ability-mastery-1", "arms": arms})
    made = draft.version(NOW)
    assert made.policy == replace(PRACTICE_2, version="next")
    assert made.digest == PolicyDraft("next", DEFINITION).version(NOW).digest
    assert made.standing == Standing()


def test_a_digest_is_of_the_numbers_not_of_how_they_are_written() -> None:
    written = PolicyDraft("next", plain(DEFINITION) | {"skill_evidence": 4}).version(NOW)
    assert written.digest == PolicyDraft("next", DEFINITION | {"skill_evidence": 4.0}).version(NOW).digest
    assert written.digest != PolicyDraft("next", DEFINITION | {"skill_evidence": 5}).version(NOW).digest


def test_the_plain_form_makes_the_same_policy() -> None:
    assert Policy.from_document(plain(PRACTICE_2.to_document())) == PRACTICE_2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "another"}, "version"),
        ({"met_mean": 1.5}, "met_mean"),
        ({"met_mean": "high"}, "met_mean"),
        ({"met_mean": None}, "met_mean"),
        ({"novelty_days": 1e300}, "novelty_days"),
        ({"recency": 2.5}, "recency"),
        ({"wieghts": {}}, "wieghts"),
        ({"arms": []}, "arms"),
        ({"arms": "all"}, "arms"),
        ({"arms": [{"name": "a"}]}, "arms[0].weights"),
        ({"arms": [{"name": "a", "weights": {"review": -1}}]}, "arms[0].weights.review"),
        ({"balance": {"window": 0}}, "balance.window"),
    ],
)
def test_a_definition_that_cannot_be_is_refused_by_the_name_of_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        PolicyDraft("next", DEFINITION | changes).version(NOW)
    assert [each.field for each in refusal.value.violations] == [f"policy.definition.{field}"]


def test_an_empty_definition_and_a_long_description_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"policy\.definition"):
        PolicyDraft("next", {}).version(NOW)
    with pytest.raises(InvalidInput, match=r"policy\.description"):
        PolicyDraft("next", DEFINITION, description="x" * 1_001).version(NOW)


def test_the_built_in_policy_is_a_resource_whose_id_is_taken() -> None:
    found = built_in("practice-2")
    assert found is not None
    assert (found.policy, found.built_in, found.standing.stage) == (PRACTICE_2, True, Stage.LIVE)
    assert built_in("next") is None
    with pytest.raises(PolicyAlreadyExists):
        PolicyDraft("practice-2", {}).version(NOW)
