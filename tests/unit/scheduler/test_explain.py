import re
from dataclasses import replace
from datetime import datetime, timedelta
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given

from domain.scheduler.counterfactual import Why
from domain.scheduler.decide import Difficulties, decide
from domain.scheduler.explain import Audience, explain
from domain.scheduler.model import KINDS, Decision, Mode, ReasonKind
from domain.scheduler.policy import PRACTICE_2, Policy, Weights
from domain.scheduler.pool import compiled
from domain.scheduler.reasons import ChosenView, ago, reason, until
from domain.scheduler.state import LearnerState, key_of
from tests.unit.scheduler.making import NOW, histories, publication, publications, request, update
from tests.unit.scheduler.worlds import World, worlds


@pytest.fixture(scope="module")
def thousand() -> list[World]:
    return worlds(1_000)


def a_decision(size: int = 3, mode: Mode = Mode.PRACTICE) -> Decision:
    pool = compiled(publication(30))
    state = LearnerState.new().after([update(1, "item-0", at=NOW.timestamp() - 86_400 * 9), update(2, "item-3", correct=False)])
    return decide(pool, Difficulties.unknown(pool), state, PRACTICE_2, request(size, mode=mode), NOW)


def again(world: World, policy: Policy | None = None, state: LearnerState | None = None) -> dict[str, float]:
    """The scores of all first candidates when the world's decision is made again with something changed."""
    asked = replace(world.decision.request(), size=1)
    made = decide(
        world.pool,
        world.difficulties,
        state or world.state(),
        replace(policy or world.policy, recorded=200),
        asked,
        world.decision.decided_at,
    )
    return {each.item: each.score for each in made.candidates}


def only_arm(world: World, weights: Weights | None = None) -> Policy:
    """The world's policy with the drawn arm alone."""
    if world.decision.mode is Mode.REVIEW:
        return world.policy if weights is None else replace(world.policy, review=replace(world.policy.review, weights=weights))
    arm = next(each for each in world.policy.arms if each.name == world.decision.arm)
    own = replace(arm, share=1.0, weights=weights or arm.weights)
    return replace(world.policy, arms=(own,), bandit=None)


def test_what_is_said_to_change_a_choice_does_change_it(thousand: list[World]) -> None:
    """Each change is made and the decision made again: the runner-up then stands before the item, or the item is held back."""
    made = {"weight": 0, "mastery": 0, "due": 0}
    for world in thousand:
        before: dict[str, float] | None = None
        for choice, item in zip(
            world.decision.choices, explain(world.decision, Audience.AUDITOR, world.policy).items, strict=True
        ):
            flips = item.flips
            if flips.why is not Why.SCORE:
                assert flips.weight is flips.mastery is flips.due is None
                continue
            before = before or again(world, only_arm(world))
            assert before[choice.item] > before[flips.rival]
            if flips.weight is not None:
                made["weight"] += 1
                at = KINDS.index(flips.weight.term)
                old = world.decision.weights
                rest = (1.0 - flips.weight.after) / (1.0 - old[at])
                new = [flips.weight.after if n == at else each * rest for n, each in enumerate(old)]
                weights = Weights(**dict(zip(KINDS, new, strict=True)))
                scores = again(world, only_arm(world, weights))
                assert scores[flips.rival] > scores[choice.item]
            if flips.mastery is not None:
                made["mastery"] += 1
                state = world.state()
                skills = state.skills.copy()
                skills["mean"][skills["key"] == np.uint64(key_of(flips.mastery.skill))] = flips.mastery.after
                scores = again(world, only_arm(world), replace(state, skills=skills))
                assert scores[flips.rival] > scores[choice.item]
            if flips.due is not None:
                made["due"] += 1
                state = world.state()
                items = state.items.copy()
                items["due_at"][items["key"] == np.uint64(key_of(choice.item))] = flips.due.after.timestamp()
                scores = again(world, only_arm(world), replace(state, items=items))
                assert choice.item not in scores or scores[flips.rival] > scores[choice.item]
    assert min(made.values()) > 100


def test_a_smaller_change_of_the_weight_would_not_have_done(thousand: list[World]) -> None:
    for world in thousand[:300]:
        for choice, item in zip(
            world.decision.choices, explain(world.decision, Audience.AUDITOR, world.policy).items, strict=True
        ):
            if (flip := item.flips.weight) is None:
                continue
            at, old = KINDS.index(flip.term), world.decision.weights
            nearer = flip.after + (flip.before - flip.after) * 0.5
            if abs(flip.after - flip.before) < 4e-4:
                continue
            rest = (1.0 - nearer) / (1.0 - old[at])
            new = [nearer if n == at else each * rest for n, each in enumerate(old)]
            scores = {
                each.item: sum(value * weight for value, weight in zip(each.values, new, strict=True))
                for each in world.decision.candidates
            }
            assert scores[choice.item] > scores[item.flips.rival]


def test_the_words_of_a_thousand_decisions_agree_with_their_numbers(thousand: list[World]) -> None:
    for world in thousand:
        decision = world.decision
        teacher, auditor, learner = (
            explain(decision, audience, world.policy) for audience in (Audience.TEACHER, Audience.AUDITOR, Audience.LEARNER)
        )
        if decision.empty_reason:
            assert {each.summary for each in (teacher, auditor, learner)} == {f"Nothing could be chosen: {decision.empty_reason}"}
            continue
        count = len(decision.choices)
        assert teacher.summary.startswith("One item was chosen " if count == 1 else f"{count} items were chosen ")
        for _, number in decision.constraints:
            assert re.search(rf"\b{number} (wait|are|were|had)", teacher.summary)
        assert f"{decision.arm} was drawn" in auditor.summary
        for choice, told, audited, plain in zip(decision.choices, teacher.items, auditor.items, learner.items, strict=True):
            candidate = next(each for each in decision.candidates if each.item == choice.item)
            usual = [fmean(values) for values in zip(*(each.values for each in decision.candidates), strict=True)]
            terms = decision.terms(candidate)
            leads = {each.kind: (each.value - other) * each.weight for each, other in zip(terms, usual, strict=True)}
            contributions = {each.kind: each.contribution for each in terms}
            told_of = leads if max(leads.values()) > 1e-9 else contributions
            assert told_of[choice.reason_kind] == pytest.approx(max(told_of.values()), abs=1e-12)
            assert f"was put at {candidate.predicted_correct:.0%}" in told.text
            assert ("had not answered this item before" in told.text) == (choice.attempts == 0)
            for skill in (each for each in decision.skills if each.skill in choice.skills):
                assert f"{skill.title}: {f'mastery {skill.mean:.0%}' if skill.attempts else 'no attempts yet'}" in told.text
            assert f"Score {candidate.score:.4f} = " in audited.text
            parts = re.findall(r"([a-z]+) (\d\.\d{3}) × (\d\.\d{2})", audited.text)
            assert sum(float(value) * float(weight) for _, value, weight in parts) == pytest.approx(candidate.score, abs=0.03)
            assert f"with probability {choice.propensity:.6f}" in audited.text
            assert not re.search(r"\d\.\d|%", plain.text + plain.counterfactual)
            assert ("chance decided" in plain.counterfactual) == (told.flips.why is Why.CHANCE)


def test_a_learner_reads_no_numbers_of_the_model() -> None:
    explanation = explain(a_decision(), Audience.LEARNER, PRACTICE_2)
    for item in explanation.items:
        assert not re.search(r"\d\.\d|%", item.text + item.counterfactual)
        assert item.terms == ()


def test_a_learner_in_an_exam_reads_nothing_of_their_standing() -> None:
    explanation = explain(a_decision(3, Mode.EXAM), Audience.LEARNER, PRACTICE_2)
    for item in explanation.items:
        assert re.fullmatch(r"This is your exam's next question on Skill [abc]\.", item.text)
        assert "spread over the skills" in item.counterfactual


def test_a_teacher_reads_the_evidence() -> None:
    explanation = explain(a_decision(), Audience.TEACHER, PRACTICE_2)
    assert "Held back: " in explanation.summary
    for item in explanation.items:
        assert "Skill a: mastery 50% (90% interval 30% to 70%) after 2 attempts." in item.text
        assert "chance of a right answer" in item.text
        assert [each.kind for each in item.terms] == list(ReasonKind)


def test_an_auditor_reads_everything_that_was_decided_with() -> None:
    decision = a_decision()
    explanation = explain(decision, Audience.AUDITOR, PRACTICE_2)
    for fact in ("practice-2", str(decision.seed), "ability-mastery-1", "Publication 1", "decide-2"):
        assert fact in explanation.summary
    for item, choice in zip(explanation.items, decision.choices, strict=True):
        assert f"probability {choice.propensity:.6f}" in item.text


def test_without_the_policy_the_record_alone_still_explains(thousand: list[World]) -> None:
    for world in thousand[:200]:
        for item in explain(world.decision, Audience.TEACHER).items:
            assert item.flips.mastery is None
            assert item.counterfactual


def test_a_record_from_before_there_were_arms_is_still_explained() -> None:
    decision = a_decision()
    old = replace(
        decision,
        candidates=tuple(each._replace(values=each.values[:4]) for each in decision.candidates),
        weights=(0.35, 0.35, 0.2, 0.1),
        arms=(),
        arm="",
        engine_version="",
        runner_up_skills=(),
    )
    for audience in Audience:
        for item in explain(old, audience, PRACTICE_2).items:
            assert item.text
            assert item.counterfactual


def test_an_empty_decision_says_why() -> None:
    pool = compiled(publication(0))
    decision = decide(pool, Difficulties.unknown(pool), LearnerState.new(), PRACTICE_2, request(), NOW)
    assert explain(decision, Audience.LEARNER).summary == "Nothing could be chosen: This course has no items yet."


@given(publications(), histories())
def test_every_decision_can_be_explained_to_everybody(made, updates) -> None:
    pool = compiled(made)
    decision = decide(pool, Difficulties.unknown(pool), LearnerState.new().after(updates), PRACTICE_2, request(5), NOW)
    for audience in Audience:
        explanation = explain(decision, audience, PRACTICE_2)
        assert [each.item for each in explanation.items] == [each.item for each in decision.choices]
        assert all(each.text and each.counterfactual for each in explanation.items)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("kind", ReasonKind)
@pytest.mark.parametrize(
    "view",
    [
        ChosenView("Adding fractions", 0.2, False, None, False),
        ChosenView("Adding fractions", 0.5, True, NOW - timedelta(days=3), True),
        ChosenView("Adding fractions", 0.9, True, NOW - timedelta(days=3), False),
    ],
)
def test_every_reason_is_one_sentence_that_names_the_skill(kind: ReasonKind, view: ChosenView, mode: Mode) -> None:
    sentence = reason(kind, view, NOW, mode)
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


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(minutes=-5), "within an hour"),
        (timedelta(hours=5), "within a day"),
        (timedelta(hours=30), "tomorrow"),
        (timedelta(days=3), "in 3 days"),
    ],
)
def test_times_ahead_are_told_as_people_tell_them(ahead: timedelta, words: str) -> None:
    assert until(datetime.fromtimestamp(NOW.timestamp(), NOW.tzinfo) + ahead, NOW) == words
