"""Learners in inference: their newest answers go. The same answers are exported by the contexts that they came from."""

import asyncpg

from adapters.shared.personal_records import Fate, Held, TablesOfPeople

TABLES = (
    Held("learner_histories", "learner", Fate.DELETED, hidden=("entries",)),
    Held("model_changes", "changed_by", Fate.RENAMED, exported=False),
)


def learners_in_inference(pool: asyncpg.Pool) -> TablesOfPeople:
    return TablesOfPeople(pool, TABLES, ledger=True)
