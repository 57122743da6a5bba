"""A decision record in plain words, for whoever asks."""

from dataclasses import dataclass
from enum import StrEnum

from domain.scheduler.model import Candidate, Choice, Decision, ReasonKind, SkillSnapshot, Term
from domain.scheduler.reasons import ago


class Audience(StrEnum):
    LEARNER = "learner"
    TEACHER = "teacher"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class ItemExplanation:
    """`counterfactual` says what would have changed the choice."""

    item: str
    text: str
    terms: tuple[Term, ...]
    counterfactual: str


@dataclass(frozen=True, slots=True)
class Explanation:
    decision: str
    summary: str
    items: tuple[ItemExplanation, ...]


_NAMES = {
    ReasonKind.REVIEW: "review",
    ReasonKind.GROWTH: "growth",
    ReasonKind.CHALLENGE: "challenge",
    ReasonKind.NOVELTY: "novelty",
}
_IF_NOT = {
    ReasonKind.REVIEW: "it were still fresh in your memory",
    ReasonKind.GROWTH: "you had already mastered what it practises",
    ReasonKind.CHALLENGE: "it were much easier or much harder for you",
    ReasonKind.NOVELTY: "you had just seen it",
}
_FALLBACKS = {
    "ability_unknown": "nothing was known of the learner's level in the course, so that of a new learner was assumed",
    "mastery_unknown": "a skill without attempts was taken at the policy's prior",
    "difficulty_unknown": "an item without answers was taken to be of middle difficulty",
    "exposure_relaxed": "too few items were left, so some came back before their review was due",
    "recency_relaxed": "too few items were left, so some came back that were answered just before",
}
_HELD = {
    "prerequisites": "wait for skills that have to be mastered first",
    "recency": "were answered just before",
    "exposure": "were answered right and are not due for review yet",
}


def explain(decision: Decision, audience: Audience) -> Explanation:
    """Returns the explanation of a decision; numbers of the model only for teachers and auditors."""
    return Explanation(
        decision=decision.id,
        summary=" ".join(_summary(decision, audience)),
        items=tuple(_item(decision, choice, audience) for choice in decision.choices),
    )


def _summary(decision: Decision, audience: Audience) -> list[str]:
    learner = audience is Audience.LEARNER
    if decision.empty_reason:
        return [f"Nothing could be chosen: {decision.empty_reason}"]
    who = "you" if learner else "the learner"
    count = len(decision.choices)
    sentences = [f"{'One item was' if count == 1 else f'{count} items were'} chosen for what helps {who} most right now."]
    held = [f"{number} {_HELD.get(name, f'were held back by {name}')}" for name, number in decision.constraints if number]
    if held and not learner:
        sentences.append(f"Held back: {', '.join(held)}.")
    elif decision.constraints and dict(decision.constraints).get("prerequisites"):
        sentences.append("Some items wait until you have mastered what they build on.")
    if not learner:
        sentences.append(f"The decision knew the learner's first {decision.learner_sequence} attempts.")
        sentences += [f"Note: {_FALLBACKS.get(each, each)}." for each in decision.fallbacks]
    if audience is Audience.AUDITOR:
        sentences.append(
            f"Publication {decision.publication}, policy {decision.policy_version}, model {decision.model_version}, "
            f"seed {decision.seed}, {decision.size} asked for, decided at {decision.decided_at.isoformat()}."
        )
    return sentences


def _item(decision: Decision, choice: Choice, audience: Audience) -> ItemExplanation:
    candidate = next(each for each in decision.candidates if each.item == choice.item)
    terms = decision.terms(candidate)
    top = max(terms, key=lambda term: term.contribution)
    sentences = [choice.reason]
    if audience is not Audience.LEARNER:
        skills = {each.skill: each for each in decision.skills}
        sentences += [_evidence(skills[each]) for each in choice.skills if each in skills]
        sentences.append(_history(decision, choice))
        sentences.append(f"The chance of a right answer was put at {choice.predicted_correct:.0%}.")
    if audience is Audience.AUDITOR:
        parts = ", ".join(f"{_NAMES[term.kind]} {term.value:.3f} × {term.weight:.2f}" for term in terms)
        sentences.append(
            f"Score {candidate.score:.4f} = {parts}. Shown here with probability {choice.propensity:.6f}; "
            f"to be put first: {candidate.propensity:.6f}."
        )
    return ItemExplanation(
        item=choice.item,
        text=" ".join(sentences),
        terms=() if audience is Audience.LEARNER else terms,
        counterfactual=_counterfactual(decision, candidate, top, audience),
    )


def _evidence(skill: SkillSnapshot) -> str:
    if not skill.attempts:
        return f"{skill.title}: no attempts yet."
    return (
        f"{skill.title}: mastery {skill.mean:.0%} (90% interval {skill.lower:.0%} to {skill.upper:.0%}) after "
        f"{skill.attempts} {'attempt' if skill.attempts == 1 else 'attempts'}."
    )


def _history(decision: Decision, choice: Choice) -> str:
    if not choice.attempts:
        return "The learner had not answered this item before."
    last = ago(choice.last_answered_at, decision.decided_at)
    return f"Answered {choice.attempts} times, {choice.correct} of them right, last {last}."


def _counterfactual(decision: Decision, candidate: Candidate, top: Term, audience: Audience) -> str:
    """Says how the item would have ranked among the recorded candidates without the term that weighed most."""
    rivals = [each for each in decision.candidates if each.item != candidate.item]
    without = candidate.score - top.contribution
    before = sum(each.score > without for each in rivals)
    if audience is Audience.LEARNER:
        if not rivals:
            return "There was nothing else to choose from."
        outcome = "another item would more likely have come" if before else "it might still have come"
        return f"If {_IF_NOT[top.kind]}, {outcome}."
    if not rivals:
        return "There was no other candidate."
    return (
        f"Without {_NAMES[top.kind]} its score would have been {without:.3f} instead of {candidate.score:.3f}, "
        f"behind {before} of the {len(rivals)} other recorded candidates."
    )
