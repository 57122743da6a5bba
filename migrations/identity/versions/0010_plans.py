"""Which plan an organization has, and tokens of programs that were revoked before they expired."""

from alembic import op

from migrations.shared import tenant_table

revision = "identity_0010"
down_revision = "identity_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE organizations ADD COLUMN plan text NOT NULL DEFAULT 'standard'")
    # Whoever adds people counts those there are.
    op.execute("CREATE INDEX users_active ON users (organization_id) WHERE deactivated_at IS NULL")
    tenant_table(
        "revoked_tokens",
        "token_id uuid NOT NULL",
        "expires_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, token_id)",
    )
    op.execute("CREATE INDEX revoked_tokens_expiry ON revoked_tokens (organization_id, expires_at)")


def downgrade() -> None:
    op.execute("DROP TABLE revoked_tokens")
    op.execute("DROP INDEX users_active")
    op.execute("ALTER TABLE organizations DROP COLUMN plan")
