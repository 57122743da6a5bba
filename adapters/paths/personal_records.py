"""Learners in paths: plans go with the person. Who planned for others is called by the pseudonym in those plans."""

import asyncpg

from adapters.shared.personal_records import Edit, Fate, Held, TablesOfPeople

TABLES = (
    Held("path_revisions", "learner", Fate.DELETED),
    Held("paths", "learner", Fate.DELETED),
    Held("path_revisions", "by", Fate.RENAMED, exported=False),
)
_BY = """replace(replace(document::text,
    '"by": ' || to_json($2::text)::text, '"by": ' || to_json($3::text)::text),
    '"creator": ' || to_json($2::text)::text, '"creator": ' || to_json($3::text)::text)::jsonb"""
EDITS = (
    Edit(
        "paths.by",
        f"UPDATE paths SET document = {_BY} WHERE organization_id = $1 AND learner <> $2 "  # noqa: S608  # names are ours
        "AND position(to_json($2::text)::text in document::text) > 0",
    ),
)


def learners_in_paths(pool: asyncpg.Pool) -> TablesOfPeople:
    return TablesOfPeople(pool, TABLES, EDITS, ledger=True)
