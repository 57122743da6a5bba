"""Repairs of learners' states: the last one that is in a state, and each of them for making decisions again."""

from alembic import op

from migrations.shared import tenant_table

revision = "scheduler_0005"
down_revision = "scheduler_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With a constant default no row is rewritten, and a release that does not know the column goes on.
    op.execute("ALTER TABLE learner_states ADD COLUMN revision bigint NOT NULL DEFAULT 0")
    tenant_table(
        "learner_repairs",
        "learner text NOT NULL",
        "sequence bigint NOT NULL",
        "revision bigint NOT NULL",
        "content bytea NOT NULL",
        "PRIMARY KEY (organization_id, learner, sequence, revision)",
    )
