"""Whom the context has erased: what comes of them later is dropped."""

from alembic import op

from migrations.shared import erased_people_table

revision = "analytics_0004"
down_revision = "analytics_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    erased_people_table()


def downgrade() -> None:
    op.execute("DROP TABLE erased_people")
