"""Programs of partners with what they prove themselves with; what identity providers say of users and classes."""

from alembic import op

from migrations.shared import tenant_table

revision = "identity_0005"
down_revision = "identity_0004"
branch_labels = None
depends_on = None

_PROGRAM = "FOREIGN KEY (organization_id, program_id) REFERENCES programs ON DELETE CASCADE"


def upgrade() -> None:
    tenant_table(
        "programs",
        'id text COLLATE "C" NOT NULL',
        "display_name text NOT NULL",
        "roles text[] NOT NULL",
        "scopes text[] NOT NULL",
        "sponsor text NOT NULL",
        "created_at timestamptz NOT NULL",
        "disabled_at timestamptz",
        "last_used_at timestamptz",
        "counted_from timestamptz",
        "counted integer NOT NULL DEFAULT 0",
        "PRIMARY KEY (organization_id, id)",
    )
    tenant_table(
        "program_credentials",
        "id uuid NOT NULL",
        'program_id text COLLATE "C" NOT NULL',
        "kind text NOT NULL",
        "digest bytea NOT NULL",
        "public_key text NOT NULL",
        "created_at timestamptz NOT NULL",
        "expires_at timestamptz",
        "last_used_at timestamptz",
        "PRIMARY KEY (organization_id, id)",
        _PROGRAM,
    )
    op.execute("CREATE INDEX program_credentials_program ON program_credentials (organization_id, program_id)")
    tenant_table(
        "program_assertions",
        'program_id text COLLATE "C" NOT NULL',
        "digest bytea NOT NULL",
        "expires_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, program_id, digest)",
        _PROGRAM,
    )
    op.execute("CREATE INDEX program_assertions_age ON program_assertions (organization_id, expires_at)")
    tenant_table(
        "provisioned_resources",
        "kind text NOT NULL",
        'id text COLLATE "C" NOT NULL',
        "name_index bytea",
        "external_index bytea",
        "sealed_attributes bytea NOT NULL",
        "changed_at timestamptz NOT NULL",
        "removed_at timestamptz",
        "PRIMARY KEY (organization_id, kind, id)",
        "CONSTRAINT provisioned_resources_name UNIQUE (organization_id, kind, name_index)",
    )
    op.execute("CREATE INDEX provisioned_resources_external ON provisioned_resources (organization_id, kind, external_index)")


def downgrade() -> None:
    op.execute("DROP TABLE provisioned_resources, program_assertions, program_credentials, programs")
