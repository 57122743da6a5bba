"""Skills, items with every revision, courses with what each publication pinned."""

from alembic import op

from migrations.shared import outbox_table, request_ledger_table, tenant_table

revision = "catalog_0001"
down_revision = None
branch_labels = None
depends_on = None

# Ids are ordered as their code points, as page cursors expect, whatever the database's locale.
ID = 'text COLLATE "C" NOT NULL'


def upgrade() -> None:
    tenant_table(
        "skills",
        f"id {ID}",
        "title text NOT NULL",
        "description text NOT NULL",
        "prerequisites text[] NOT NULL",
        "created_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, id)",
    )
    tenant_table(
        "items",
        f"id {ID}",
        "revision bigint NOT NULL",
        "created_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, id)",
    )
    tenant_table(
        "item_revisions",
        f"item_id {ID}",
        "revision bigint NOT NULL",
        "title text NOT NULL",
        "skills text[] NOT NULL",
        "body bytea NOT NULL",
        "key bytea NOT NULL",
        "saved_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, item_id, revision)",
        "FOREIGN KEY (organization_id, item_id) REFERENCES items",
    )
    # The skills of current revisions once more, as rows: under row-level security an index serves equality, but not array operators.
    tenant_table(
        "item_skills",
        f"skill_id {ID}",
        f"item_id {ID}",
        "PRIMARY KEY (organization_id, skill_id, item_id)",
        "FOREIGN KEY (organization_id, skill_id) REFERENCES skills",
        "FOREIGN KEY (organization_id, item_id) REFERENCES items",
    )
    op.execute("CREATE INDEX item_skills_by_item ON item_skills (organization_id, item_id)")
    tenant_table(
        "courses",
        f"id {ID}",
        "title text NOT NULL",
        "description text NOT NULL",
        "skills text[] NOT NULL",
        "created_at timestamptz NOT NULL",
        "publication bigint NOT NULL DEFAULT 0",
        "PRIMARY KEY (organization_id, id)",
    )
    tenant_table(
        "publications",
        f"course_id {ID}",
        "number bigint NOT NULL",
        "published_at timestamptz NOT NULL",
        "title text NOT NULL",
        "description text NOT NULL",
        "skills jsonb NOT NULL",
        "item_count integer NOT NULL",
        "fingerprint bytea NOT NULL",
        "PRIMARY KEY (organization_id, course_id, number)",
        "FOREIGN KEY (organization_id, course_id) REFERENCES courses",
    )
    tenant_table(
        "publication_items",
        f"course_id {ID}",
        "number bigint NOT NULL",
        f"item_id {ID}",
        "revision bigint NOT NULL",
        "skills text[] NOT NULL",
        "PRIMARY KEY (organization_id, course_id, number, item_id)",
        "FOREIGN KEY (organization_id, course_id, number) REFERENCES publications",
        "FOREIGN KEY (organization_id, item_id, revision) REFERENCES item_revisions",
    )
    outbox_table()
    request_ledger_table()


def downgrade() -> None:
    for table in ("publication_items", "publications", "courses", "item_skills", "item_revisions", "items", "skills"):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP TABLE outbox, request_ledger")
    op.execute("DROP FUNCTION announce_outbox")
