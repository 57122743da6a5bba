import re
from datetime import timedelta

import pytest
from hypothesis import given

from domain.scheduler.decide import Difficulties, decide
from domain.scheduler.explain import Audience, explain
from domain.scheduler.model import Decision, ReasonKind
from domain.scheduler.policy import PRACTICE_1
from domain.scheduler.pool import compiled
from domain.scheduler.reasons import ChosenView, ago, reason
from domain.scheduler.state import LearnerState
from tests.unit.scheduler.making import NOW, histories, publication, publications, request, update


def a_decision(size: int = 3) -> Decision:
    pool = compiled(publication(30))
    state = LearnerState.new().after([update(1, "item-0", at=NOW.timestamp() - 86_400 * 9), update(2, "item-3", correct=False)])
    return decide(pool, Difficulties.unknown(pool), state, PRACTICE_1, request(size), NOW)


def test_a_learner_reads_no_numbers_of_the_model() -> None:
    explanation = explain(a_decision(), Audience.LEARNER)
    for item in explanation.items:
        assert not re.search(r"\d\.\d|%", item.text + item.counterfactual)
        assert item.terms == ()
        assert item.counterfactual.startswith("If ")


def test_a_teacher_reads_the_evidence() -> None:
    explanation = explain(a_decision(), Audience.TEACHER)
    assert "Held back: " in explanation.summary
    for item in explanation.items:
        assert "Skill a: mastery 50% (90% interval 30% to 70%) after 2 attempts." in item.text
        assert "chance of a right answer" in item.text
        assert len(item.terms) == 4


def test_an_auditor_reads_everything_that_was_decided_with() -> None:
    decision = a_decision()
    explanation = explain(decision, Audience.AUDITOR)
    for fact in ("practice-1", str(decision.seed), "ability-mastery-1", "Publication 1"):
        assert fact in explanation.summary
    for item, choice in zip(explanation.items, decision.choices, strict=True):
        assert f"probability {choice.propensity:.6f}" in item.text
        assert "other recorded candidates" in item.counterfactual


def test_the_counterfactual_counts_who_would_have_gone_before() -> None:
    decision = a_decision(1)
    shown = next(each for each in decision.candidates if each.item == decision.choices[0].item)
    top = max(decision.terms(shown), key=lambda each: each.contribution)
    before = sum(each.score > shown.score - top.contribution for each in decision.candidates if each is not shown)
    assert (
        f"behind {before} of the {len(decision.candidates) - 1} " in explain(decision, Audience.AUDITOR).items[0].counterfactual
    )


def test_an_empty_decision_says_why() -> None:
    pool = compiled(publication(0))
    decision = decide(pool, Difficulties.unknown(pool), LearnerState.new(), PRACTICE_1, request(), NOW)
    assert explain(decision, Audience.LEARNER).summary == "Nothing could be chosen: This course has no items yet."


@given(publications(), histories())
def test_every_decision_can_be_explained_to_everybody(made, updates) -> None:
    pool = compiled(made)
    decision = decide(pool, Difficulties.unknown(pool), LearnerState.new().after(updates), PRACTICE_1, request(5), NOW)
    for audience in Audience:
        explanation = explain(decision, audience)
        assert [each.item for each in explanation.items] == [each.item for each in decision.choices]
        assert all(each.text and each.counterfactual for each in explanation.items)


@pytest.mark.parametrize("kind", ReasonKind)
@pytest.mark.parametrize(
    "view",
    [
        ChosenView("Adding fractions", 0.2, False, None, False),
        ChosenView("Adding fractions", 0.5, True, NOW - timedelta(days=3), True),
        ChosenView("Adding fractions", 0.9, True, NOW - timedelta(days=3), False),
    ],
)
def test_every_reason_is_one_sentence_that_names_the_skill(kind: ReasonKind, view: ChosenView) -> None:
    sentence = reason(kind, view, NOW)
    assert "Adding fractions" in sentence
    assert sentence.endswith(".")
    assert sentence.count(".") == 1


@pytest.mark.parametrize(
    ("elapsed", "words"),
    [
        (timedelta(minutes=-5), "a short while ago"),
        (timedelta(hours=5), "earlier today"),
        (timedelta(hours=20), "yesterday"),
        (timedelta(days=1, hours=3), "yesterday"),
        (timedelta(days=3), "3 days ago"),
    ],
)
def test_times_are_told_as_people_tell_them(elapsed: timedelta, words: str) -> None:
    assert ago(NOW - elapsed, NOW) == words
