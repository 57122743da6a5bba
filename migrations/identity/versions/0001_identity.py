"""Organizations, users, passwords, sessions, throttles, signing keys."""

from alembic import op

from migrations.shared import outbox_table, request_ledger_table, tenant_table

revision = "identity_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        "organizations",
        "display_name text NOT NULL",
        "founded_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id)",
    )
    tenant_table(
        "users",
        'id text COLLATE "C" NOT NULL',
        "display_name text NOT NULL",
        "email text",
        "email_index bytea",
        "roles text[] NOT NULL",
        "created_at timestamptz NOT NULL",
        "deactivated_at timestamptz",
        "PRIMARY KEY (organization_id, id)",
        "CONSTRAINT users_email UNIQUE (organization_id, email_index)",
        "CHECK ((email IS NULL) = (email_index IS NULL))",
    )
    op.execute(
        "CREATE INDEX users_administrators ON users (organization_id, id) WHERE deactivated_at IS NULL AND 'ADMIN' = ANY (roles)"
    )
    tenant_table(
        "passwords",
        'user_id text COLLATE "C" NOT NULL',
        "hash text NOT NULL",
        "changed_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, user_id)",
        "FOREIGN KEY (organization_id, user_id) REFERENCES users ON DELETE CASCADE",
    )
    tenant_table(
        "sessions",
        "id uuid NOT NULL",
        'user_id text COLLATE "C" NOT NULL',
        "started_at timestamptz NOT NULL",
        "expires_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, id)",
        "FOREIGN KEY (organization_id, user_id) REFERENCES users ON DELETE CASCADE",
    )
    op.execute("CREATE INDEX sessions_user ON sessions (organization_id, user_id)")
    tenant_table(
        "refresh_tokens",
        "digest bytea NOT NULL",
        "session_id uuid NOT NULL",
        "spent boolean NOT NULL DEFAULT false",
        "PRIMARY KEY (organization_id, digest)",
        "FOREIGN KEY (organization_id, session_id) REFERENCES sessions ON DELETE CASCADE",
    )
    op.execute("CREATE INDEX refresh_tokens_session ON refresh_tokens (organization_id, session_id)")
    # The next two hold rows of the platform, under the organization '-', which no organization can be called.
    tenant_table(
        "sign_in_throttles",
        "key text NOT NULL",
        "failures integer NOT NULL",
        "last_failure_at timestamptz NOT NULL",
        "locked_until timestamptz",
        "PRIMARY KEY (organization_id, key)",
        "CHECK (organization_id = '-')",
    )
    op.execute("CREATE INDEX sign_in_throttles_age ON sign_in_throttles (organization_id, last_failure_at)")
    tenant_table(
        "signing_keys",
        "kid text NOT NULL",
        "x text NOT NULL",
        "y text NOT NULL",
        "sealed_private bytea NOT NULL",
        "not_before timestamptz NOT NULL",
        "retire_at timestamptz",
        "PRIMARY KEY (organization_id, kid)",
        "CHECK (organization_id = '-')",
    )
    outbox_table()
    request_ledger_table()


def downgrade() -> None:
    op.execute(
        "DROP TABLE request_ledger, outbox, signing_keys, sign_in_throttles, refresh_tokens, sessions, passwords, users, organizations"
    )
