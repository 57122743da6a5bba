"""Learners in progress: attempts and estimates stay, under a pseudonym."""

import asyncpg

from adapters.shared.personal_records import Fate, Held, TablesOfPeople

TABLES = (
    Held("attempts", "learner_id", Fate.RENAMED, hidden=("item_evidence",)),
    Held("attempt_ids", "learner_id", Fate.RENAMED, exported=False),
    Held("courses", "learner_id", Fate.RENAMED_ONCE),
    Held("skills", "learner_id", Fate.RENAMED_ONCE, hidden=("knowledge",)),
    Held("learners", "learner_id", Fate.RENAMED_ONCE),
)


def learners_in_progress(pool: asyncpg.Pool) -> TablesOfPeople:
    return TablesOfPeople(pool, TABLES, ledger=True)
