"""A decision record in plain words, for whoever asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.scheduler.counterfactual import Counterfactual, Why, counterfactual
from domain.scheduler.model import Choice, Decision, Mode, SkillSnapshot, Term
from domain.scheduler.policy import Policy
from domain.scheduler.reasons import ago


class Audience(StrEnum):
    LEARNER = "learner"
    TEACHER = "teacher"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class ItemExplanation:
    """`counterfactual` says what would have changed the choice; `flips` has it in numbers."""

    item: str
    text: str
    terms: tuple[Term, ...]
    counterfactual: str
    flips: Counterfactual


@dataclass(frozen=True, slots=True)
class Explanation:
    decision: str
    summary: str
    items: tuple[ItemExplanation, ...]


_FOR = {
    Mode.PRACTICE: "for what helps {who} most right now",
    Mode.REVIEW: "because they are due for review, the most forgotten first",
    Mode.EXAM: "for an exam, evenly over the skills of the course and none twice",
    Mode.PLACEMENT: "for what they tell about where {who} {stand}, spread over the skills of the course",
}
_FALLBACKS = {
    "ability_unknown": "nothing was known of the learner's level in the course, so that of a new learner was assumed",
    "mastery_unknown": "a skill without attempts was taken at the policy's prior",
    "difficulty_unknown": "an item without answers was taken to be of middle difficulty",
    "goal_passed": "the goal's date had passed, so it counted for nothing",
    "balance_relaxed": "too few items were left, so skills that had had their share came again",
    "settled_relaxed": "too few items were left, so some came back before their review was due",
    "exposure_relaxed": "too few items were left, so some came back that had been answered very often",
    "recency_relaxed": "too few items were left, so some came back that were answered just before",
}
_HELD = {
    "prerequisites": "wait for skills that have to be mastered first",
    "balance": "are of skills that had their share of recent practice",
    "settled": "were answered right and are not due for review yet",
    "exposure": "had their share of all answers",
    "recency": "were answered just before",
    "unanswered": "were never answered, so there is nothing to review in them",
    "not_due": "are not due for review yet",
    "repetition": "were answered already",
}
_GAVE_WAY = {
    "balance": "its skill had had its share",
    "settled": "its review was not due yet",
    "exposure": "it had been answered very often",
    "recency": "it was answered just before",
}


def explain(decision: Decision, audience: Audience, policy: Policy | None = None) -> Explanation:
    """Returns the explanation of a decision; numbers of the model only for teachers and auditors. `policy` is the version that decided:
    without it, less can be said of what would have changed the choice."""
    return Explanation(
        decision=decision.id,
        summary=" ".join(_summary(decision, audience)),
        items=tuple(_item(decision, choice, audience, policy) for choice in decision.choices),
    )


def _summary(decision: Decision, audience: Audience) -> list[str]:
    learner = audience is Audience.LEARNER
    if decision.empty_reason:
        return [f"Nothing could be chosen: {decision.empty_reason}"]
    who, stand = ("you", "stand") if learner else ("the learner", "stands")
    count = len(decision.choices)
    purpose = _FOR[decision.mode].format(who=who, stand=stand)
    sentences = [f"{'One item was' if count == 1 else f'{count} items were'} chosen {purpose}."]
    held = [f"{number} {_HELD.get(name, f'were held back by {name}')}" for name, number in decision.constraints]
    if held and not learner:
        sentences.append(f"Held back: {', '.join(held)}.")
    elif dict(decision.constraints).get("prerequisites"):
        sentences.append("Some items wait until you have mastered what they build on.")
    if not learner:
        sentences.append(f"The decision knew the learner's first {decision.learner_sequence} attempts.")
        sentences += [f"Note: {_FALLBACKS.get(each, each)}." for each in decision.fallbacks]
    if audience is Audience.AUDITOR:
        arms = ", ".join(f"{arm} {probability:.4f}" for arm, probability in decision.arms)
        sentences.append(f"Mode {decision.mode}; arms with their probabilities: {arms}; {decision.arm} was drawn.")
        sentences.append(
            f"Publication {decision.publication}, policy {decision.policy_version}, model {decision.model_version}, "
            f"engine {decision.engine_version}, difficulties {decision.difficulty_epoch}, seed {decision.seed}, "
            f"{decision.size} asked for, decided at {decision.decided_at.isoformat()}."
        )
    return sentences


def _item(decision: Decision, choice: Choice, audience: Audience, policy: Policy | None) -> ItemExplanation:
    candidate = next(each for each in decision.candidates if each.item == choice.item)
    terms = decision.terms(candidate)
    flips = counterfactual(decision, choice, policy)
    sentences = [choice.reason]
    if audience is not Audience.LEARNER:
        skills = {each.skill: each for each in decision.skills}
        sentences += [_evidence(skills[each]) for each in choice.skills if each in skills]
        sentences.append(_history(decision, choice))
        sentences.append(f"The chance of a right answer was put at {choice.predicted_correct:.0%}.")
    if audience is Audience.AUDITOR:
        parts = " + ".join(f"{term.kind} {term.value:.3f} × {term.weight:.2f}" for term in terms if term.weight)
        sentences.append(
            f"Score {candidate.score:.4f} = {parts}. Shown here with probability {choice.propensity:.6f} "
            f"({choice.arm_propensity:.6f} by the drawn arm); to be put first: {candidate.propensity:.6f}."
        )
    words = _learner_words(flips, {each.skill: each for each in decision.skills})
    return ItemExplanation(
        item=choice.item,
        text=" ".join(sentences),
        terms=() if audience is Audience.LEARNER else terms,
        counterfactual=words if audience is Audience.LEARNER else " ".join(_numbers(flips, choice, audience)),
        flips=flips,
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
    times = "once" if choice.attempts == 1 else f"{choice.attempts} times"
    return f"Answered {times}, {choice.correct} of them right, last {last}."


def _learner_words(flips: Counterfactual, skills: Mapping[str, SkillSnapshot]) -> str:
    if flips.why is Why.ALONE:
        return "There was nothing else to choose from."
    if flips.why is Why.RELAXED:
        return "Everything else had come already, so this one came again."
    if flips.why is Why.SPREAD:
        return "The questions are spread over the skills of the course, so another skill's turn comes next."
    if flips.why is Why.CHANCE:
        return "Another item would have fitted just as well; chance decided between them."
    if flips.due is not None:
        return "If its review were not due yet, another item would have come first."
    if flips.mastery is not None:
        further = flips.mastery.after > flips.mastery.before
        return f"If you were {'further ahead' if further else 'less far'} in {flips.mastery.title}, another item would have come first."
    return "With other priorities, another item would have come first."


def _numbers(flips: Counterfactual, choice: Choice, audience: Audience) -> list[str]:
    if flips.why is Why.ALONE:
        return ["There was no other candidate."]
    if flips.why is Why.RELAXED:
        return [f"It came only because no free item was left: {_GAVE_WAY.get(choice.relaxed, choice.relaxed)}."]
    if flips.why is Why.SPREAD:
        return ["Places are spread over the skills; within a skill, the scores decide."]
    if flips.why is Why.CHANCE:
        return [f"{flips.rival} scored as high or higher; the draw put this one first."]
    sentences = []
    if flips.due is not None:
        sentences.append(
            f"Were it due for review only from {flips.due.after:%Y-%m-%d %H:%M:%S} UTC on, {flips.rival} would have come first."
        )
    if flips.mastery is not None:
        mastery = flips.mastery
        sentences.append(
            f"With a mastery of {mastery.after:.1%} in {mastery.title} instead of {mastery.before:.1%}, "
            f"{flips.rival} would have scored higher."
        )
    if flips.weight is not None and (audience is Audience.AUDITOR or not sentences):
        weight = flips.weight
        sentences.append(
            f"With the weight of {weight.term} at {weight.after:.4f} instead of {weight.before:.4f}, the others in proportion, "
            f"{flips.rival} would have scored higher."
        )
    return sentences or [f"No single weight, mastery or due date would have put {flips.rival} first."]
