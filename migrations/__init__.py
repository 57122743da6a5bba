"""Brings the database of each context to its newest version: a schema and a role a context.

`<context>/versions` expands: the release before goes on over what they change. What only that release needs is taken away by
`<context>/contract`, whose revisions each depend on the one that expanded, and run only when told.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

HERE = Path(__file__).parent
RELAY_ROLE = "paideia_relay"


def contexts() -> list[str]:
    """The contexts that have migrations."""
    return sorted(each.parent.name for each in HERE.glob("*/versions"))


def roles() -> list[str]:
    """Every database role that a running platform signs in with."""
    return [*(f"paideia_{each}" for each in contexts()), RELAY_ROLE]


async def upgrade(
    owner_dsn: str,
    password: Callable[[str], str],
    only: Sequence[str] = (),
    report: Callable[[str], None] = lambda line: None,
    *,
    contract: bool = False,
) -> None:
    """Creates or updates the roles and schemas of the contexts named in `only`, or of all.

    `owner_dsn` is a `postgresql://` URL of a role that may create roles and schemas; `password` returns a role's password by its name.
    `contract` also takes away what only the release before needs: no process of it may run any more, or come back.
    May run again at any time, and from several processes at once: they take turns.
    """
    engine = create_async_engine(owner_dsn.replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_lock(7205759403792793)"))
            await connection.commit()
            await connection.run_sync(_create_role, RELAY_ROLE, password(RELAY_ROLE))
            for name in only or contexts():
                await connection.run_sync(_upgrade_context, name, password(f"paideia_{name}"), contract)
                report(f"{name}: schema is up to date{', and contracted' if contract else ''}")
            await connection.execute(text("SELECT pg_advisory_unlock(7205759403792793)"))
            await connection.commit()
    finally:
        await engine.dispose()


def _create_role(connection: Connection, role: str, password: str) -> None:
    there = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).scalar()
    quoted = connection.execute(text("SELECT quote_literal(:password)"), {"password": password}).scalar_one()
    connection.exec_driver_sql(f"{'ALTER' if there else 'CREATE'} ROLE {role} LOGIN PASSWORD {quoted}")
    connection.commit()


def _upgrade_context(connection: Connection, name: str, password: str, contract: bool) -> None:
    role = f"paideia_{name}"
    _create_role(connection, role, password)
    for statement in (
        f"CREATE SCHEMA IF NOT EXISTS {name}",
        f"GRANT USAGE ON SCHEMA {name} TO {role}, {RELAY_ROLE}",
        f"ALTER ROLE {role} SET search_path = {name}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT USAGE ON SEQUENCES TO {role}",
        f"SET search_path = {name}",
    ):
        connection.exec_driver_sql(statement)
    connection.commit()
    config = Config()
    config.set_main_option("script_location", str(HERE))
    expanding, contracting = HERE / name / "versions", HERE / name / "contract"
    config.set_main_option("version_locations", os.pathsep.join(map(str, (expanding, contracting))))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, schema=name)
    scripts = ScriptDirectory.from_config(config)
    for head in scripts.get_heads():
        if contract or Path(scripts.get_revision(head).path).parent == expanding:
            command.upgrade(config, head)
    connection.exec_driver_sql("RESET search_path")
    connection.commit()


def main() -> None:
    """`python -m migrations [--contract] [context ...]`: reads PAIDEIA_POSTGRES_OWNER_DSN and PAIDEIA_SECRETS_DIR."""
    parser = argparse.ArgumentParser(prog="python -m migrations", description="Bring the schemas of the contexts up to date.")
    parser.add_argument("contexts", nargs="*", metavar="context", help="all unless some are named")
    parser.add_argument(
        "--contract",
        action="store_true",
        help="take away what only the release before needs: no process of it may run any more, or come back",
    )
    options = parser.parse_args()
    owner_dsn = os.environ.get("PAIDEIA_POSTGRES_OWNER_DSN")
    secrets = os.environ.get("PAIDEIA_SECRETS_DIR")
    if not owner_dsn or not secrets:
        sys.exit("set PAIDEIA_POSTGRES_OWNER_DSN and PAIDEIA_SECRETS_DIR")
    asyncio.run(
        upgrade(
            owner_dsn,
            lambda role: (Path(secrets) / f"postgres_{role}").read_text().strip(),
            only=options.contexts,
            report=lambda line: print(line, flush=True),
            contract=options.contract,
        )
    )
