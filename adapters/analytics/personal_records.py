"""Learners in analytics: facts stay under a pseudonym, files that name people end, and the lake's pseudonym follows from nothing any more."""

from collections.abc import Mapping

import asyncpg

from adapters.shared.personal_records import Edit, Fate, Held, TablesOfPeople
from domain.analytics.lake import Pseudonyms

TABLES = (
    Held("attempts", "learner", Fate.RENAMED),
    Held("learner_days", "learner", Fate.RENAMED_ONCE),
    Held("skill_days", "learner", Fate.RENAMED_ONCE),
    Held("mastery_days", "learner", Fate.RENAMED_ONCE),
    Held("first_totals", "learner", Fate.RENAMED_ONCE),
    Held("answer_totals", "learner", Fate.RENAMED_ONCE),
    Held("answer_days", "learner", Fate.RENAMED_ONCE),
    Held("decision_answers", "learner", Fate.RENAMED_ONCE),
    Held("sessions", "learner", Fate.RENAMED_ONCE),
    Held("decisions", "learner", Fate.RENAMED),
    Held("exports", "creator", Fate.RENAMED, exported=False),
    Held("lake_learners", "learner", Fate.DELETED, hidden=("secret",), exported=False),
)
EDITS = (
    Edit(
        "due_exports",
        "UPDATE due_exports SET due_at = now() WHERE organization_id = $1 AND $2::text <> $3::text AND id IN "
        "(SELECT id FROM exports WHERE organization_id = $1 AND state = 'SUCCEEDED')",
    ),
    Edit(
        "exports.learners",
        "UPDATE exports SET learners = array_replace(learners, $2, $3) WHERE organization_id = $1 AND $2 = ANY (learners)",
    ),
)


class LearnersInAnalytics(TablesOfPeople):
    """Reports in files may name the person: each that is there is due at once, so that its writer removes it."""

    def __init__(self, pool: asyncpg.Pool, pseudonyms: Pseudonyms) -> None:
        super().__init__(pool, TABLES, EDITS, ledger=True)
        self._pseudonyms = pseudonyms

    async def erase(self, organization: str, person: str, pseudonym: str) -> Mapping[str, int]:
        counts = await super().erase(organization, person, pseudonym)
        await self._pseudonyms.forget(organization, person)
        return counts
