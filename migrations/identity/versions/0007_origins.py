"""From which origins browsers may use the API with an organization's tokens."""

from alembic import op

revision = "identity_0007"
down_revision = "identity_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE organizations ADD COLUMN allowed_origins text[] NOT NULL DEFAULT '{}'")
    op.execute("CREATE INDEX organizations_allowed_origins ON organizations USING gin (allowed_origins)")


def downgrade() -> None:
    op.execute("ALTER TABLE organizations DROP COLUMN allowed_origins")
