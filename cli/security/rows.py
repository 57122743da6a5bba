"""Row-level security as the database has it: every table of every context."""

from urllib.parse import quote

import asyncpg

from cli.security.findings import Finding
from cli.security.world import World
from stack.record import read_record

# A partition has no policy of its own: forced security without one shows nobody anything, and its table's policy holds through the table.
_TABLES_OF = """
SELECT n.nspname || '.' || c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
       c.relispartition OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS narrowed
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY($1) AND c.relname <> 'schema_version'
ORDER BY 1
"""
_SCHEMAS = """
SELECT r.rolname, n.nspname FROM pg_roles r, pg_namespace n
WHERE r.rolname LIKE 'paideia\\_%' AND r.rolname <> 'paideia_relay' AND n.nspname = ANY($1)
  AND 'paideia_' || n.nspname <> r.rolname AND has_schema_privilege(r.rolname, n.oid, 'USAGE')
"""
_CONTEXTS = "SELECT substr(rolname, 9) FROM pg_roles WHERE rolname LIKE 'paideia\\_%' AND rolname <> 'paideia_relay'"
_MIGHTY = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'paideia\\_%' AND (rolsuper OR rolbypassrls OR rolcreaterole)"


async def rows(world: World) -> Finding:
    """Every table forces row-level security; no context's role reaches another's schema or past the policies."""
    finding = Finding("rows")
    record = read_record(world.home / "stack.json")
    secret = world.home / "secrets" / "postgres_paideia_audit"
    address = (
        record.addresses.get("postgres") or record.parts["postgres"].address if record and "postgres" in record.parts else ""
    )
    if not address or not secret.exists():
        finding.note = "nothing tried: the database of this platform cannot be reached from here"
        return finding
    password = quote(secret.read_text().strip(), safe="")
    connection = await asyncpg.connect(f"postgresql://paideia_audit:{password}@{address}/paideia", timeout=10)
    try:
        contexts = [row[0] for row in await connection.fetch(_CONTEXTS)]
        existing = [
            row[0] for row in await connection.fetch("SELECT nspname FROM pg_namespace WHERE nspname = ANY($1::text[])", contexts)
        ]
        tables = await connection.fetch(_TABLES_OF, existing)
        for row in tables:
            finding.expect(row["forced"] and row["narrowed"], f"{row['name']} does not force row-level security")
        reached = {(row[0], row[1]) for row in await connection.fetch(_SCHEMAS, existing)}
        for context in existing:
            for other in existing:
                if other != context:
                    finding.expect((f"paideia_{context}", other) not in reached, f"paideia_{context} reaches the schema {other}")
        mighty = {row[0] for row in await connection.fetch(_MIGHTY)}
        for context in existing:
            finding.expect(f"paideia_{context}" not in mighty, f"paideia_{context} is more than a context's role")
    finally:
        await connection.close()
    finding.note = f"{len(tables)} tables in {len(existing)} schemas"
    return finding
