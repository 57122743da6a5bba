"""Names and addresses sealed, consents, jobs of privacy, and how long an organization keeps what."""

from alembic import op

from migrations.shared import tenant_table

revision = "identity_0006"
down_revision = "identity_0005"
branch_labels = None
depends_on = None

_USER = "FOREIGN KEY (organization_id, user_id) REFERENCES users ON DELETE CASCADE"
_WORKER = "current_setting('paideia.organization', true) = '-'"


def upgrade() -> None:
    tenant_table(
        "organization_keys",
        "id uuid NOT NULL",
        "purpose text NOT NULL",
        "wrapped bytea NOT NULL",
        "vault_key text NOT NULL",
        "created_at timestamptz NOT NULL DEFAULT clock_timestamp()",
        "PRIMARY KEY (organization_id, id)",
    )
    # What addresses are found by never changes, so there is one.
    op.execute("CREATE UNIQUE INDEX organization_keys_index ON organization_keys (organization_id) WHERE purpose = 'index'")
    # Who delivers mails has to read to whom.
    op.execute(f"CREATE POLICY deliverer ON organization_keys FOR SELECT USING ({_WORKER})")
    # Rows of the release before have no value in these; whoever reads takes the plain column then.
    op.execute("ALTER TABLE users ADD COLUMN data_key bytea, ADD COLUMN sealed_display_name bytea, ADD COLUMN sealed_email bytea")
    op.execute("ALTER TABLE users DROP CONSTRAINT users_check")
    op.execute("ALTER TABLE invitations ADD COLUMN sealed_email bytea")
    op.execute("ALTER TABLE mails ADD COLUMN sealed_recipient bytea")
    op.execute("ALTER TABLE links ADD COLUMN sealed_email bytea")
    tenant_table(
        "consent_purposes",
        'id text COLLATE "C" NOT NULL',
        "version bigint NOT NULL",
        "text text NOT NULL",
        "published_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, id, version)",
    )
    tenant_table(
        "consents",
        "position bigint GENERATED ALWAYS AS IDENTITY",
        'user_id text COLLATE "C" NOT NULL',
        "purpose text NOT NULL",
        "version bigint NOT NULL",
        "given boolean NOT NULL",
        "by_user text NOT NULL",
        "at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, user_id, position)",
        "FOREIGN KEY (organization_id, purpose, version) REFERENCES consent_purposes",
        _USER,
    )
    # A history: what was said stays said. Only the erasure of the user takes it along, or makes a pseudonym of who said it.
    op.execute("REVOKE UPDATE, DELETE ON consents, consent_purposes FROM paideia_identity")
    op.execute("GRANT UPDATE (by_user) ON consents TO paideia_identity")
    tenant_table(
        "privacy_settings",
        "erasure_grace_days integer NOT NULL",
        "inactive_account_days integer NOT NULL",
        "mail_days integer NOT NULL",
        "sign_in_days integer NOT NULL",
        "PRIMARY KEY (organization_id)",
    )
    tenant_table(
        "privacy_jobs",
        "id uuid NOT NULL",
        "kind text NOT NULL",
        'user_id text COLLATE "C" NOT NULL',
        "requested_by text NOT NULL",
        "state text NOT NULL",
        "created_at timestamptz NOT NULL",
        "due_at timestamptz NOT NULL",
        "finished_at timestamptz",
        "expires_at timestamptz",
        "receipts jsonb NOT NULL",
        "digest text NOT NULL",
        "byte_count bigint NOT NULL",
        "PRIMARY KEY (organization_id, id)",
    )
    op.execute("CREATE INDEX privacy_jobs_user ON privacy_jobs (organization_id, user_id)")
    op.execute("CREATE INDEX privacy_jobs_due ON privacy_jobs (due_at) WHERE state IN ('WAITING', 'SUCCEEDED')")
    op.execute(f"CREATE POLICY worker ON privacy_jobs FOR SELECT USING ({_WORKER})")


def downgrade() -> None:
    op.execute("DROP TABLE privacy_jobs, privacy_settings, consents, consent_purposes")
    op.execute("ALTER TABLE links DROP COLUMN sealed_email")
    op.execute("ALTER TABLE mails DROP COLUMN sealed_recipient")
    op.execute("ALTER TABLE invitations DROP COLUMN sealed_email")
    op.execute("ALTER TABLE users DROP COLUMN data_key, DROP COLUMN sealed_display_name, DROP COLUMN sealed_email")
    op.execute("DROP TABLE organization_keys")
