"""Whom the context has erased: what comes of them later is dropped."""

from alembic import op

from migrations.shared import erased_people_table

revision = "paths_0002"
down_revision = "paths_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    erased_people_table()


def downgrade() -> None:
    op.execute("DROP TABLE erased_people")
