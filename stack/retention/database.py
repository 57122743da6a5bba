"""What grows in PostgreSQL: months of attempts are made ahead, taken out and dropped; remembered answers are forgotten."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from stack.retention.policy import Policy

_MONTHS = """
SELECT c.relname AS name, pg_total_relation_size(c.oid) AS bytes, c.reltuples::bigint AS rows
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'progress.attempts'::regclass ORDER BY c.relname
"""
_LEDGERS = """
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'request_ledger' AND c.relkind = 'r' ORDER BY 1
"""
_COUNT = "SELECT count(*) FROM {schema}.request_ledger WHERE create_time < $1"
_FORGET = """
DELETE FROM {schema}.request_ledger WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {schema}.request_ledger WHERE create_time < $1 LIMIT 10000))
"""
_OLD = "attempts_old"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, or that was done."""

    what: str
    name: str
    rows: int
    bytes: int = 0


class UnderHold(Exception):
    """A legal hold is open; names whose."""


async def holds(connection: asyncpg.Connection) -> list[str]:
    """The organizations, and people of them, of whom nothing may be removed."""
    rows = await connection.fetch("SELECT organization_id, user_id FROM identity.holds WHERE released_at IS NULL ORDER BY 1, 2")
    return [f"{row[0]}/{row[1]}" if row[1] else row[0] for row in rows]


async def plan_database(connection: asyncpg.Connection, policy: Policy, now: datetime) -> list[Step]:
    """`connection` is a superuser's: row-level security hides nothing."""
    months = {row["name"]: row for row in await connection.fetch(_MONTHS)}
    steps = [Step("make", name, 0) for name in _ahead(policy, now) if name not in months]
    for name in _retiring(list(months), policy, now):
        steps.append(Step("retire", name, max(0, months[name]["rows"]), months[name]["bytes"]))
    for row in await connection.fetch(
        "SELECT name FROM progress.retired_months WHERE dropped_at IS NULL AND retired_at < now() - make_interval(days => $1)",
        policy.retired_days,
    ):
        steps.append(Step("drop", row["name"], 0))
    for ledger in await connection.fetch(_LEDGERS) if policy.answer_days else []:
        if count := await connection.fetchval(_COUNT.format(schema=ledger[0]), _before(policy.answer_days)):
            steps.append(Step("forget", f"{ledger[0]}.request_ledger", count))
    return steps


async def apply_database(connection: asyncpg.Connection, steps: list[Step], policy: Policy) -> None:
    """Does the steps, each by itself. Raises UnderHold before anything that a hold forbids."""
    held = await holds(connection)
    if held and any(each.what in ("retire", "drop") for each in steps):
        raise UnderHold(f"a legal hold is open: {', '.join(held)}; attempts stay (`paideia hold list`)")
    for step in steps:
        if step.what == "make":
            await connection.execute("SELECT progress.ensure_attempts_partition($1)", _month_of(step.name))
        elif step.what == "retire":
            await _retire(connection, step.name)
        elif step.what == "drop":
            async with connection.transaction():
                await connection.execute(f"DROP TABLE IF EXISTS progress_retired.{step.name}")
                await connection.execute("UPDATE progress.retired_months SET dropped_at = now() WHERE name = $1", step.name)
        else:
            schema = step.name.partition(".")[0]
            while await connection.execute(_FORGET.format(schema=schema), _before(policy.answer_days)) != "DELETE 0":
                continue


async def _retire(connection: asyncpg.Connection, name: str) -> None:
    """Takes a month out of `attempts`. Without CONCURRENTLY, so that it is done or not done; it waits for no more than its lock."""
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '5s'")
        await connection.execute(f"ALTER TABLE progress.attempts DETACH PARTITION progress.{name}")
        await connection.execute(f"ALTER TABLE progress.{name} SET SCHEMA progress_retired")
        await connection.execute(
            "INSERT INTO progress.retired_months (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET retired_at = now(), dropped_at = NULL",
            name,
        )


def _ahead(policy: Policy, now: datetime) -> list[str]:
    return [_name(now.year * 12 + now.month - 1 + each) for each in range(policy.months_ahead + 1)]


def _retiring(names: list[str], policy: Policy, now: datetime) -> list[str]:
    if not policy.attempts_months:
        return []
    first_kept = _name(now.year * 12 + now.month - 1 - policy.attempts_months)
    # The names of months sort as the months do; what is older than all of them goes with the first.
    return [each for each in names if (each < first_kept if each != _OLD else first_kept > "attempts_2025_01")]


def _name(month: int) -> str:
    return f"attempts_{month // 12:04}_{month % 12 + 1:02}"


def _month_of(name: str) -> datetime:
    _, year, month = name.split("_")
    return datetime(int(year), int(month), 1, tzinfo=UTC)


def _before(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
