"""People in the tables of a context: their export and their erasure, from a list of where they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import asyncpg

from adapters.shared.asyncpg_unit import AsyncpgUnit
from adapters.shared.erased_people import REMEMBER, digest_of
from domain.shared.personal_data import PersonalRecords, Records


class Fate(Enum):
    """What becomes of a table's rows when their person is erased."""

    DELETED = auto()
    """They are about nothing but the person."""
    RENAMED = auto()
    """They are facts: the pseudonym takes the place of the person."""
    RENAMED_ONCE = auto()
    """Facts as well, of which there is one for each person and thing: what comes after the erasure is dropped."""


@dataclass(frozen=True, slots=True)
class Held:
    """A table with a column that says whose a row is. `cleared` are columns and the SQL expressions that take their place in renamed rows;
    `hidden` are columns that are no information for people: states of models, in bytes."""

    table: str
    person: str
    fate: Fate
    hidden: tuple[str, ...] = ()
    cleared: Mapping[str, str] = field(default_factory=dict)
    exported: bool = True


@dataclass(frozen=True, slots=True)
class Edit:
    """What a list of tables cannot say: a statement with $1 the organization, $2 the person, $3 the pseudonym."""

    name: str
    statement: str


class TablesOfPeople(PersonalRecords):
    """Statements run in the order of the lists, the edits first, in one transaction."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        tables: Sequence[Held],
        edits: Sequence[Edit] = (),
        *,
        ledger: bool = False,
        hears_late: bool = True,
    ) -> None:
        """`ledger`: the context remembers answers to requests, and they may name people. `hears_late`: it takes messages about people from the
        log, and has to know whom it has erased."""
        self._pool = pool
        self._tables = tables
        self._hears_late = hears_late
        self._edits = (*edits, _FORGET_ANSWERS) if ledger else tuple(edits)

    async def export(self, organization: str, person: str) -> Records:
        found: dict[str, Sequence[str]] = {}
        async with AsyncpgUnit(self._pool, organization) as unit:
            for held in self._tables:
                if held.exported:
                    rows = await unit.connection.fetch(_export(held), organization, person)
                    found[held.table] = [*found.get(held.table, ()), *(row[0] for row in rows)]
        return {table: rows for table, rows in found.items() if rows}

    async def erase(self, organization: str, person: str, pseudonym: str) -> Mapping[str, int]:
        counts: dict[str, int] = {}
        async with AsyncpgUnit(self._pool, organization) as unit:
            for name, statement in _erasure(self._tables, self._edits):
                status = await unit.connection.execute(statement, organization, person, pseudonym)
                counts[name] = counts.get(name, 0) + int(status.rpartition(" ")[2])
            if self._hears_late:
                await unit.connection.execute(REMEMBER, organization, digest_of(organization, person))
            await unit.commit()
        return {name: count for name, count in counts.items() if count}


def _export(held: Held) -> str:
    hidden = ", ".join(f"'{each}'" for each in ("organization_id", *held.hidden))
    return (
        f"SELECT (to_jsonb(t) - ARRAY[{hidden}])::text FROM {held.table} t "  # noqa: S608  # names are ours
        f"WHERE organization_id = $1 AND {held.person} = $2"
    )


def _erasure(tables: Iterable[Held], edits: Iterable[Edit]) -> Iterable[tuple[str, str]]:
    for edit in edits:
        yield edit.name, edit.statement
    for held in tables:
        whose = f"organization_id = $1 AND {held.person} = $2"
        unused = "$3::text IS NOT NULL"  # every statement has the same parameters
        if held.fate is Fate.DELETED:
            yield held.table, f"DELETE FROM {held.table} WHERE {whose} AND {unused}"  # noqa: S608  # names are ours
            continue
        if held.fate is Fate.RENAMED_ONCE:
            late = f"EXISTS (SELECT FROM {held.table} WHERE organization_id = $1 AND {held.person} = $3)"
            yield held.table, f"DELETE FROM {held.table} WHERE {whose} AND {late}"  # noqa: S608  # names are ours
        changes = ", ".join(f"{column} = {value}" for column, value in {held.person: "$3", **held.cleared}.items())
        yield held.table, f"UPDATE {held.table} SET {changes} WHERE {whose}"  # noqa: S608  # names are ours


_FORGET_ANSWERS = Edit(
    "request_ledger",
    "DELETE FROM request_ledger WHERE organization_id = $1 AND $3::text IS NOT NULL AND ("
    "position(convert_to('learners/' || $2::text, 'UTF8') in answer) > 0 OR position(convert_to('users/' || $2::text, 'UTF8') in answer) > 0)",
)
