"""Chains of acts and their signed ends, to which is only ever added."""

from alembic import op

from migrations.shared import outbox_table, tenant_table

revision = "audit_0001"
down_revision = None
branch_labels = None
depends_on = None


def _only_added_to(table: str) -> None:
    """Nobody changes or removes rows: the context has no right to, and a trigger refuses whoever has."""
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM paideia_audit")
    for event, each in (("UPDATE OR DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
        name = f"{table}_{each.lower()}_stays"
        op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH {each} EXECUTE FUNCTION refuse_change()")


def upgrade() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege'; END $$"
    )
    tenant_table(
        "acts",
        "sequence bigint NOT NULL",
        "event_id uuid NOT NULL",
        "occurred_at timestamptz NOT NULL",
        "recorded_at timestamptz NOT NULL",
        "actor text NOT NULL",
        "act text NOT NULL",
        "target text NOT NULL",
        "outcome text NOT NULL",
        "reason text NOT NULL",
        "address text NOT NULL",
        "trace_id text NOT NULL",
        "count bigint NOT NULL",
        "previous bytea NOT NULL",
        "hash bytea NOT NULL",
        "PRIMARY KEY (organization_id, sequence)",
        "UNIQUE (organization_id, event_id)",
    )
    op.execute("CREATE INDEX acts_by_actor ON acts (organization_id, actor, sequence)")
    op.execute("CREATE INDEX acts_by_time ON acts (organization_id, recorded_at)")
    tenant_table(
        "heads",
        "sequence bigint NOT NULL",
        "signature text NOT NULL",
        "PRIMARY KEY (organization_id, sequence)",
    )
    _only_added_to("acts")
    _only_added_to("heads")
    outbox_table()


def downgrade() -> None:
    op.execute("DROP TABLE acts, heads, outbox")
    op.execute("DROP FUNCTION refuse_change")
