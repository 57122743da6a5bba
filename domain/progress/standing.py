"""How a learner stands as of a moment: what time has retained of what the answers left."""

from collections.abc import Sequence
from datetime import datetime

from domain.progress.fold import days_since
from domain.progress.model import Ability, LearnerState, Mastery, SkillState, Standing
from domain.progress.versions import ModelVersion


def standings(model: ModelVersion, states: Sequence[SkillState], moment: datetime) -> list[Standing]:
    """Returns how the skills stand; a moment before the last answer to one is that of the answer."""
    if not states:
        return []
    adopted = [model.tracing.adopted(each.knowledge) for each in states]
    days = [days_since(each.mastery.last_answered_at, moment) for each in states]
    retained = model.tracing.retained(adopted, days, [each.mastery.skill for each in states])
    return [Standing(state.mastery, found) for state, found in zip(states, model.tracing.estimates(retained), strict=True)]


def mastery(model: ModelVersion, state: LearnerState, moment: datetime) -> Mastery:
    """Returns all that is known of a learner as of a moment."""
    skills = [state.skills[each] for each in sorted(state.skills)]
    abilities = [Ability.of(course, state.courses[course].ability) for course in sorted(state.courses)]
    return Mastery(state.learner, moment, standings(model, skills, moment), abilities, state.attempt_count)
