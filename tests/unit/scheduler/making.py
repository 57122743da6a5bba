"""Makes publications, updates and learners for the scheduler's tests."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from domain.scheduler.model import (
    CourseAbility,
    DecisionRequest,
    Goal,
    LearnerUpdate,
    Mode,
    ProgressUpdate,
    Publication,
    PublishedItem,
    PublishedSkill,
    Repair,
    SkillMastery,
)
from domain.scheduler.policy import PRACTICE_2, Arm, Policy
from domain.scheduler.state import LearnerState

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ID = "8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e"


def publication(items: int = 12, skills: Sequence[str] = ("a", "b", "c"), course: str = "sql", number: int = 1) -> Publication:
    """Skills that build on each other in a chain; item n practises the skill n modulo their number."""
    return Publication(
        course,
        number,
        tuple(PublishedSkill(each, f"Skill {each}", tuple(skills[:n][-1:])) for n, each in enumerate(skills)),
        tuple(PublishedItem(f"item-{n}", n + 1, (skills[n % len(skills)],)) for n in range(items)),
    )


def update(
    sequence: int,
    item: str = "item-0",
    *,
    learner: str = "ada",
    correct: bool = True,
    skill: str = "a",
    mean: float = 0.5,
    at: float = NOW.timestamp(),
    ability: float = 0.0,
    difficulty: float = 0.0,
    response_seconds: float | None = None,
) -> ProgressUpdate:
    return ProgressUpdate(
        learner=learner,
        sequence=sequence,
        course="sql",
        item=item,
        score=float(correct),
        correct=correct,
        skills=(SkillMastery(skill, mean, max(0.0, mean - 0.2), min(1.0, mean + 0.2), sequence),),
        ability=ability,
        ability_error=0.5,
        item_difficulty=difficulty,
        answered_at=at,
        response_seconds=response_seconds,
    )


def repair(sequence: int, revision: int = 1, *, learner: str = "ada", ability: float = 0.0, **means: float) -> Repair:
    """A repair to these means and one ability."""
    return Repair(
        learner,
        sequence,
        revision,
        tuple(SkillMastery(each, mean, 0.5 * mean, 0.5 * mean + 0.5, sequence) for each, mean in sorted(means.items())),
        (CourseAbility("sql", ability, 0.25),),
    )


def learner_with(**mastery: float) -> LearnerState:
    """A learner with these means, who answered items outside every pool."""
    return LearnerState.new().after(
        update(n + 1, f"elsewhere-{n}", skill=skill, mean=mean) for n, (skill, mean) in enumerate(mastery.items())
    )


def request(
    size: int = 1,
    decision_id: str = ID,
    learner: str = "ada",
    course: str = "sql",
    mode: Mode = Mode.PRACTICE,
    goal: Goal | None = None,
) -> DecisionRequest:
    return DecisionRequest(decision_id, learner, course, size, mode, goal)


def policy_with(arm: Arm | None = None, **changes: object) -> Policy:
    """The first policy with other settings, `temperature` and `weights` being those of its arm."""
    own = arm or PRACTICE_2.arms[0]
    of_arm = {name: changes.pop(name) for name in ("temperature", "weights") if name in changes}
    return replace(PRACTICE_2, arms=(replace(own, **of_arm),), **changes)


@st.composite
def publications(draw: st.DrawFn) -> Publication:
    """Up to 8 skills without a cycle, up to 25 items of up to 3 skills, some skills without an item."""
    count = draw(st.integers(1, 8))
    names = [f"s{n}" for n in range(count)]

    def before(n: int) -> tuple[str, ...]:
        return tuple(sorted(draw(st.sets(st.sampled_from(names[:n]), max_size=3)))) if n else ()

    skills = tuple(PublishedSkill(each, f"Skill {n}", before(n)) for n, each in enumerate(names))
    items = tuple(
        PublishedItem(f"item-{n}", 1, tuple(sorted(draw(st.sets(st.sampled_from(names), min_size=1, max_size=3)))))
        for n in range(draw(st.integers(1, 25)))
    )
    return Publication("sql", 1, skills, items)


@st.composite
def histories(draw: st.DrawFn, most: int = 40) -> list[ProgressUpdate]:
    """A learner's updates in order, over the items and skills of `publications`."""
    at = NOW.timestamp() - 60 * 86_400
    updates = []
    for sequence in range(1, draw(st.integers(0, most)) + 1):
        at += draw(st.floats(0, 3 * 86_400))
        updates.append(
            update(
                sequence,
                f"item-{draw(st.integers(0, 24))}",
                correct=draw(st.booleans()),
                skill=f"s{draw(st.integers(0, 7))}",
                mean=draw(st.floats(0, 1)),
                at=at,
                ability=draw(st.floats(-3, 3)),
                difficulty=draw(st.floats(-3, 3)),
            )
        )
    return updates


@st.composite
def logs(draw: st.DrawFn, most: int = 12) -> list[LearnerUpdate]:
    """All that is told of a learner in the order of the log: updates, with repairs after some of them."""
    log: list[LearnerUpdate] = []
    revision = 0
    for each in draw(histories(most)):
        log.append(each)
        for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
            revision += 1
            means = draw(st.dictionaries(st.sampled_from([f"s{n}" for n in range(8)]), st.floats(0, 1)))
            log.append(repair(each.sequence, revision, ability=draw(st.floats(-3, 3)), **means))
    return log
