"""Paths as documents, and their revisions."""

from alembic import op

from migrations.shared import outbox_table, request_ledger_table, tenant_table

revision = "paths_0001"
down_revision = None
branch_labels = None
depends_on = None

# Ids are ordered as their code points, as page cursors expect, whatever the database's locale.
ID = 'text COLLATE "C" NOT NULL'


def upgrade() -> None:
    tenant_table(
        "paths",
        f"learner {ID}",
        f"id {ID}",
        f"course {ID}",
        "publication bigint NOT NULL",
        "archived boolean NOT NULL",
        "document jsonb NOT NULL",
        "PRIMARY KEY (organization_id, learner, id)",
    )
    # What a new publication concerns.
    op.execute("CREATE INDEX paths_by_course ON paths (organization_id, course, learner, id) WHERE NOT archived")
    tenant_table(
        "path_revisions",
        f"learner {ID}",
        f"path_id {ID}",
        "number bigint NOT NULL",
        "cause text NOT NULL",
        "at timestamptz NOT NULL",
        "reason text NOT NULL",
        "by text NOT NULL",
        "changes text[] NOT NULL",
        "PRIMARY KEY (organization_id, learner, path_id, number)",
        "FOREIGN KEY (organization_id, learner, path_id) REFERENCES paths",
    )
    outbox_table()
    request_ledger_table()


def downgrade() -> None:
    op.execute("DROP TABLE path_revisions, paths, outbox, request_ledger")
