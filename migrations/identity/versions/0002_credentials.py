"""Second factors, challenges, links sent by mail; what a session's owner sees of it."""

from alembic import op

from migrations.shared import tenant_table

revision = "identity_0002"
down_revision = "identity_0001"
branch_labels = None
depends_on = None

_USER = "FOREIGN KEY (organization_id, user_id) REFERENCES users ON DELETE CASCADE"


def upgrade() -> None:
    # With defaults, so that a release that does not know the columns goes on starting sessions.
    op.execute(
        "ALTER TABLE sessions ADD COLUMN last_used_at timestamptz, ADD COLUMN authenticated_at timestamptz, "
        "ADD COLUMN methods text[] NOT NULL DEFAULT '{pwd}', ADD COLUMN device text NOT NULL DEFAULT ''"
    )
    tenant_table(
        "totp_factors",
        'user_id text COLLATE "C" NOT NULL',
        "sealed_secret bytea NOT NULL",
        "enrolled_at timestamptz NOT NULL",
        "confirmed_at timestamptz",
        "last_step bigint NOT NULL",
        "PRIMARY KEY (organization_id, user_id)",
        _USER,
    )
    tenant_table(
        "recovery_codes",
        'user_id text COLLATE "C" NOT NULL',
        "digest bytea NOT NULL",
        "used_at timestamptz",
        "PRIMARY KEY (organization_id, user_id, digest)",
        _USER,
    )
    tenant_table(
        "passkeys",
        "id uuid NOT NULL",
        'user_id text COLLATE "C" NOT NULL',
        "credential_id bytea NOT NULL",
        "public_key bytea NOT NULL",
        "sign_count bigint NOT NULL",
        "display_name text NOT NULL",
        "created_at timestamptz NOT NULL",
        "last_used_at timestamptz",
        "PRIMARY KEY (organization_id, id)",
        "CONSTRAINT passkeys_credential UNIQUE (organization_id, credential_id)",
        _USER,
    )
    op.execute("CREATE INDEX passkeys_user ON passkeys (organization_id, user_id)")
    # A challenge for whichever passkey answers is nobody's yet, so it may lie under an organization that does not exist.
    tenant_table(
        "challenges",
        "id uuid NOT NULL",
        "digest bytea NOT NULL",
        "kind text NOT NULL",
        'user_id text COLLATE "C"',
        "session_id uuid",
        "methods text[] NOT NULL",
        "expires_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, id)",
        _USER,
    )
    op.execute("CREATE INDEX challenges_age ON challenges (organization_id, expires_at)")
    tenant_table(
        "links",
        "digest bytea NOT NULL",
        "purpose text NOT NULL",
        'user_id text COLLATE "C" NOT NULL',
        "email text NOT NULL",
        "expires_at timestamptz NOT NULL",
        "used_at timestamptz",
        "PRIMARY KEY (organization_id, digest)",
        _USER,
    )
    op.execute("CREATE INDEX links_age ON links (organization_id, expires_at)")
    op.execute("CREATE INDEX links_user ON links (organization_id, user_id)")
    tenant_table(
        "verified_emails",
        'user_id text COLLATE "C" NOT NULL',
        "email_index bytea NOT NULL",
        "verified_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, user_id)",
        _USER,
    )


def downgrade() -> None:
    op.execute("DROP TABLE verified_emails, links, challenges, passkeys, recovery_codes, totp_factors")
    op.execute(
        "ALTER TABLE sessions DROP COLUMN last_used_at, DROP COLUMN authenticated_at, DROP COLUMN methods, DROP COLUMN device"
    )
