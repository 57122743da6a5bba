"""What decisions are made again from: every counted attempt, and the epochs of item difficulties."""

from alembic import op

from migrations.shared import tenant_table

revision = "scheduler_0004"
down_revision = "scheduler_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        "learner_updates",
        "learner text NOT NULL",
        "sequence bigint NOT NULL",
        "content bytea NOT NULL",
        "PRIMARY KEY (organization_id, learner, sequence)",
    )
    tenant_table(
        "difficulty_epochs",
        "course text NOT NULL",
        "number bigint NOT NULL",
        "complete boolean NOT NULL",
        "content bytea NOT NULL",
        "create_time timestamptz NOT NULL DEFAULT now()",
        "PRIMARY KEY (organization_id, course, number)",
    )
    # Whoever begins reads back to the newest complete epoch.
    op.execute("CREATE INDEX complete_difficulty_epochs ON difficulty_epochs (organization_id, course, number) WHERE complete")
