"""Models and their rollout, the newest answers of each learner."""

from alembic import op

from migrations.shared import outbox_table, request_ledger_table, tenant_table

revision = "inference_0001"
down_revision = None
branch_labels = None
depends_on = None

# Ids are ordered as their code points, as page cursors expect, whatever the database's locale.
ID = 'text COLLATE "C" NOT NULL'


def upgrade() -> None:
    tenant_table(
        "models",
        f"id {ID}",
        "kind text NOT NULL",
        "version text NOT NULL",
        "digest text NOT NULL",
        "size bigint NOT NULL",
        "created_at timestamptz NOT NULL",
        "description text NOT NULL",
        "evaluation jsonb NOT NULL",
        "stage text NOT NULL",
        "share double precision NOT NULL",
        "replaced text",
        "revision bigint NOT NULL",
        "PRIMARY KEY (organization_id, id)",
    )
    # What is promised whatever the code does: one live model and one canary.
    op.execute("CREATE UNIQUE INDEX models_live ON models (organization_id) WHERE stage = 'live'")
    op.execute("CREATE UNIQUE INDEX models_canary ON models (organization_id) WHERE stage = 'canary'")
    tenant_table(
        "model_changes",
        "model text NOT NULL",
        "revision bigint NOT NULL",
        "after jsonb NOT NULL",
        "changed_by text NOT NULL",
        "changed_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, model, revision)",
    )
    # The newest answers of a learner in one row: a prediction reads all of them and an answer rewrites them.
    tenant_table(
        "learner_histories",
        f"learner {ID}",
        "entries bytea NOT NULL",
        "PRIMARY KEY (organization_id, learner)",
    )
    outbox_table()
    request_ledger_table()


def downgrade() -> None:
    op.execute("DROP TABLE learner_histories, model_changes, models, outbox, request_ledger")
