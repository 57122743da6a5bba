"""Learners in assessment: scores stay under a pseudonym, what somebody typed does not."""

import asyncpg

from adapters.shared.personal_records import Fate, Held, TablesOfPeople

_TYPED = ("ShortTextAnswer", "NumericAnswer", "ClozeAnswer")
_BLANK = """'{"type": "ShortTextAnswer", "text": ""}'::json"""
_ANSWER = f"CASE WHEN answer->>'type' IN ({', '.join(f'{each!r}' for each in _TYPED)}) THEN {_BLANK} ELSE answer END"

TABLES = (
    Held("responses", "learner_id", Fate.RENAMED, cleared={"answer": _ANSWER}),
    Held("hint_reveals", "learner_id", Fate.RENAMED),
    Held("test_sessions", "learner_id", Fate.RENAMED),
)


def learners_in_assessment(pool: asyncpg.Pool) -> TablesOfPeople:
    return TablesOfPeople(pool, TABLES, hears_late=False)
