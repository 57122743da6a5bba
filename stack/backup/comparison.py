"""Whether a restored home is what its source was: tables row by row, objects byte by byte, answers of the running platforms."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from stack.backup import topics
from stack.parts.broker import BUCKET

_TABLES = """
SELECT n.nspname || '.' || c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY 1
"""
# A sum of hashes does not depend on the order of rows, and unlike an exclusive or it sees a row that is there twice.
_FINGERPRINT = "SELECT count(*) AS rows, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text AS sum FROM {table} t"

Fingerprint = Mapping[str, tuple[int, str]]
"""By table: its rows, and the sum of their hashes."""


@dataclass(slots=True)
class Comparison:
    """What was equal, what had changed in the source meanwhile, so that nothing can be said of it, and what differs."""

    equal: int = 0
    rows: int = 0
    changed_meanwhile: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)


async def fingerprint(connection: asyncpg.Connection) -> Fingerprint:
    """Of every table, at one moment."""
    found: dict[str, tuple[int, str]] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for table in await connection.fetch(_TABLES):
            row = await connection.fetchrow(_FINGERPRINT.format(table=table["quoted"]))
            found[table["name"]] = (row["rows"], row["sum"])
    return found


def _is_empty_outbox(name: str, tables: Fingerprint) -> bool:
    return name.endswith(".outbox") and name in tables and tables[name][0] == 0


def compare_tables(before: Fingerprint, after: Fingerprint, restored: Fingerprint) -> Comparison:
    """`before` and `after` are the source's, on both sides of the moment that was restored.

    An outbox that is empty on both sides may have held something at that moment: what is on its way changes meanwhile.
    """
    result = Comparison()
    for name in sorted({*before, *after, *restored}):
        found = restored.get(name)
        if found is not None and found in (before.get(name), after.get(name)):
            result.equal += 1
            result.rows += found[0]
        elif before.get(name) != after.get(name) or _is_empty_outbox(name, before):
            result.changed_meanwhile.append(name)
        else:
            result.different.append(name)
    return result


def compare_objects(source: Path, restored: Path) -> Comparison:
    """Compares what never changes once it is written: batches of the topics, files of the lake and of reports.

    What the source got or lost since counts as changed meanwhile.
    """
    result = Comparison()
    theirs, ours = _unchanging(source), _unchanging(restored)
    for name in sorted(ours):
        if name not in theirs:
            result.changed_meanwhile.append(name)
        elif _digest(source / name) == _digest(restored / name):
            result.equal += 1
        else:
            result.different.append(name)
    result.changed_meanwhile += sorted(theirs - ours)
    return result


def _unchanging(objects: Path) -> set[str]:
    names = {
        each.relative_to(objects).as_posix()
        for each in objects.rglob("*")
        if each.is_file() and not each.name.startswith(".tmp.")
    }
    return {
        name
        for name in names
        if ".nanio" not in name and (not name.startswith(f"{BUCKET}/") or topics.place_of(name) is not None)
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
