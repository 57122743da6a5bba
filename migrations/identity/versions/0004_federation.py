"""Identity providers of others, their people, and sign-ins on their way."""

from alembic import op

from migrations.shared import tenant_table

revision = "identity_0004"
down_revision = "identity_0003"
branch_labels = None
depends_on = None

_USER = "FOREIGN KEY (organization_id, user_id) REFERENCES users ON DELETE CASCADE"
_PROVIDER = "FOREIGN KEY (organization_id, provider_id) REFERENCES identity_providers ON DELETE CASCADE"


def upgrade() -> None:
    tenant_table(
        "identity_providers",
        'id text COLLATE "C" NOT NULL',
        "display_name text NOT NULL",
        "kind text NOT NULL",
        "issuer text NOT NULL",
        "client_id text NOT NULL",
        "sealed_secret bytea NOT NULL",
        "created_at timestamptz NOT NULL",
        "scopes text[] NOT NULL",
        "provisioning text NOT NULL",
        "linking text NOT NULL",
        "email_domains text[] NOT NULL",
        "default_roles text[] NOT NULL",
        "role_rules jsonb NOT NULL",
        "roles_follow boolean NOT NULL",
        "disabled boolean NOT NULL",
        "PRIMARY KEY (organization_id, id)",
    )
    tenant_table(
        "federated_identities",
        'provider_id text COLLATE "C" NOT NULL',
        "subject text NOT NULL",
        'user_id text COLLATE "C" NOT NULL',
        "linked_at timestamptz NOT NULL",
        "last_used_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, provider_id, subject)",
        "CONSTRAINT federated_identities_user UNIQUE (organization_id, user_id, provider_id)",
        _PROVIDER,
        _USER,
    )
    tenant_table(
        "federated_flows",
        "digest bytea NOT NULL",
        'provider_id text COLLATE "C" NOT NULL',
        "browser bytea NOT NULL",
        "expires_at timestamptz NOT NULL",
        "fresh boolean NOT NULL",
        "for_linking boolean NOT NULL",
        "PRIMARY KEY (organization_id, digest)",
        _PROVIDER,
    )
    op.execute("CREATE INDEX federated_flows_age ON federated_flows (organization_id, expires_at)")
    tenant_table(
        "pending_links",
        "digest bytea NOT NULL",
        'provider_id text COLLATE "C" NOT NULL',
        "subject text NOT NULL",
        "expires_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, digest)",
        _PROVIDER,
    )
    op.execute("CREATE INDEX pending_links_age ON pending_links (organization_id, expires_at)")
    # Of a session that a second factor is still to begin there is no row in `sessions`: no foreign key leads there.
    tenant_table(
        "federated_sessions",
        "session_id uuid NOT NULL",
        'provider_id text COLLATE "C" NOT NULL',
        "subject text NOT NULL",
        "sid text NOT NULL",
        'user_id text COLLATE "C" NOT NULL',
        "started_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, session_id)",
        _PROVIDER,
        _USER,
    )
    op.execute("CREATE INDEX federated_sessions_subject ON federated_sessions (organization_id, provider_id, subject)")
    op.execute("CREATE INDEX federated_sessions_age ON federated_sessions (organization_id, started_at)")
    tenant_table(
        "spent_logout_tokens",
        "digest bytea NOT NULL",
        "spent_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, digest)",
    )


def downgrade() -> None:
    op.execute(
        "DROP TABLE spent_logout_tokens, federated_sessions, pending_links, federated_flows, federated_identities, identity_providers"
    )
