"""Whose directory information is withheld, and whom an erasure was of, sealed, until the contexts are told of it a second time."""

from alembic import op

revision = "identity_0009"
down_revision = "identity_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE privacy_settings ADD COLUMN directory_information text NOT NULL DEFAULT 'SHARED'")
    # Empty: what the organization has chosen.
    op.execute("ALTER TABLE users ADD COLUMN directory_information text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE privacy_jobs ADD COLUMN sealed_subject bytea")


def downgrade() -> None:
    op.execute("ALTER TABLE privacy_jobs DROP COLUMN sealed_subject")
    op.execute("ALTER TABLE users DROP COLUMN directory_information")
    op.execute("ALTER TABLE privacy_settings DROP COLUMN directory_information")
