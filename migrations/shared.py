"""What every context's migrations share: tenant tables under row-level security, the outbox, the request ledger.

A migration runs in its context's schema (search_path) as the owner; the context's own role can only read and write rows.
"""

from alembic import op

TENANT = "current_setting('paideia.organization', true)"


def tenant_table(name: str, *parts: str, ddl_suffix: str = "") -> None:
    """Creates a table whose rows belong to organizations.

    `parts` are column definitions and constraints; `organization_id` is put before them. Row-level security is forced, so without a
    bound organization nobody, the owner included, sees or writes a row. `ddl_suffix` follows the closing parenthesis.
    """
    op.execute(f"CREATE TABLE {name} (organization_id text NOT NULL, {', '.join(parts)}) {ddl_suffix}")
    secure(name)


def secure(name: str) -> None:
    """Forces row-level security on a table that has `organization_id`."""
    op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON {name} USING (organization_id = {TENANT}) WITH CHECK (organization_id = {TENANT})")


def outbox_table() -> None:
    """Creates the outbox: events that committed and that the broker has not acknowledged yet.

    The context writes within its organization; only the relay's role reads and removes across organizations.
    """
    tenant_table(
        "outbox",
        "position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "event_id uuid NOT NULL",
        "type text NOT NULL",
        "topic text NOT NULL",
        "key text NOT NULL",
        "occurred_at timestamptz NOT NULL",
        "traceparent text NOT NULL",
        "payload bytea NOT NULL",
    )
    op.execute("CREATE POLICY relay ON outbox TO paideia_relay USING (true)")
    op.execute("GRANT SELECT, DELETE ON outbox TO paideia_relay")


def request_ledger_table() -> None:
    """Creates the ledger that remembers the answer to every `request_id`."""
    tenant_table(
        "request_ledger",
        "method text NOT NULL",
        "request_id uuid NOT NULL",
        "fingerprint bytea NOT NULL",
        "answer bytea NOT NULL",
        "create_time timestamptz NOT NULL DEFAULT now()",
        "PRIMARY KEY (organization_id, request_id)",
    )


def erased_people_table() -> None:
    """Creates the memory of whom the context has erased, and of how many messages about each were dropped since."""
    tenant_table(
        "erased_people",
        "digest bytea NOT NULL",
        "erased_at timestamptz NOT NULL DEFAULT now()",
        "dropped bigint NOT NULL DEFAULT 0",
        "dropped_at timestamptz",
        "PRIMARY KEY (organization_id, digest)",
    )
