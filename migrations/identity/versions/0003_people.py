"""Organizations' settings, profiles, classes, guardians, invitations, mails on their way."""

from alembic import op

from migrations.shared import tenant_table

revision = "identity_0003"
down_revision = "identity_0002"
branch_labels = None
depends_on = None

_USER = "FOREIGN KEY (organization_id, {}) REFERENCES users ON DELETE CASCADE"


def upgrade() -> None:
    # With defaults, so that a release that does not know the columns goes on founding organizations.
    op.execute(
        "ALTER TABLE organizations ADD COLUMN locale text NOT NULL DEFAULT 'en', ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC', "
        "ADD COLUMN sign_up text NOT NULL DEFAULT 'CLOSED', ADD COLUMN sign_up_domains text[] NOT NULL DEFAULT '{}', "
        "ADD COLUMN teachers_see text NOT NULL DEFAULT 'ALL', ADD COLUMN revision bigint NOT NULL DEFAULT 0"
    )
    tenant_table(
        "profiles",
        'user_id text COLLATE "C" NOT NULL',
        "locale text NOT NULL",
        "time_zone text NOT NULL",
        "reduced_motion boolean NOT NULL",
        "high_contrast boolean NOT NULL",
        "dyslexia_font boolean NOT NULL",
        "extra_time double precision NOT NULL",
        "PRIMARY KEY (organization_id, user_id)",
        _USER.format("user_id"),
    )
    tenant_table(
        "classes",
        'id text COLLATE "C" NOT NULL',
        "display_name text NOT NULL",
        "created_at timestamptz NOT NULL",
        "archived_at timestamptz",
        "PRIMARY KEY (organization_id, id)",
    )
    tenant_table(
        "class_members",
        'class_id text COLLATE "C" NOT NULL',
        'user_id text COLLATE "C" NOT NULL',
        "part text NOT NULL",
        "since timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, class_id, user_id)",
        "FOREIGN KEY (organization_id, class_id) REFERENCES classes ON DELETE CASCADE",
        _USER.format("user_id"),
    )
    op.execute("CREATE INDEX class_members_user ON class_members (organization_id, user_id, part)")
    tenant_table(
        "guardians",
        'guardian_id text COLLATE "C" NOT NULL',
        'learner_id text COLLATE "C" NOT NULL',
        "since timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, learner_id, guardian_id)",
        "CHECK (guardian_id <> learner_id)",
        _USER.format("guardian_id"),
        _USER.format("learner_id"),
    )
    op.execute("CREATE INDEX guardians_guardian ON guardians (organization_id, guardian_id)")
    tenant_table(
        "invitations",
        "id uuid NOT NULL",
        "email text NOT NULL",
        "email_index bytea NOT NULL",
        "roles text[] NOT NULL",
        "class_id text NOT NULL",
        "invited_by text NOT NULL",
        "digest bytea NOT NULL",
        "created_at timestamptz NOT NULL",
        "sent_at timestamptz NOT NULL",
        "expires_at timestamptz NOT NULL",
        "accepted_at timestamptz",
        "revoked_at timestamptz",
        "PRIMARY KEY (organization_id, id)",
        "CONSTRAINT invitations_digest UNIQUE (organization_id, digest)",
    )
    op.execute("CREATE INDEX invitations_email ON invitations (organization_id, email_index)")
    tenant_table(
        "mails",
        "id uuid NOT NULL",
        "recipient text NOT NULL",
        "recipient_index bytea NOT NULL",
        "template text NOT NULL",
        "sealed_fields bytea NOT NULL",
        "state text NOT NULL DEFAULT 'WAITING'",
        "attempts integer NOT NULL DEFAULT 0",
        "error text NOT NULL DEFAULT ''",
        "created_at timestamptz NOT NULL DEFAULT clock_timestamp()",
        "next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp()",
        "settled_at timestamptz",
        "PRIMARY KEY (organization_id, id)",
    )
    op.execute("CREATE INDEX mails_recipient ON mails (organization_id, recipient_index, created_at)")
    op.execute("CREATE INDEX mails_newest ON mails (organization_id, created_at, id)")
    op.execute("CREATE INDEX mails_due ON mails (next_attempt_at) WHERE state = 'WAITING'")
    op.execute("CREATE INDEX mails_sent ON mails (settled_at) WHERE state = 'SENT'")
    # Who delivers works for the platform, '-', which no organization can be called, and sees every organization's mails.
    deliverer = "current_setting('paideia.organization', true) = '-'"
    op.execute(f"CREATE POLICY deliverer ON mails USING ({deliverer}) WITH CHECK ({deliverer})")
    op.execute(f"CREATE POLICY deliverer ON organizations FOR SELECT USING ({deliverer})")


def downgrade() -> None:
    op.execute("DROP POLICY deliverer ON organizations")
    op.execute("DROP TABLE mails, invitations, guardians, class_members, classes, profiles")
    op.execute(
        "ALTER TABLE organizations DROP COLUMN locale, DROP COLUMN time_zone, DROP COLUMN sign_up, DROP COLUMN sign_up_domains, "
        "DROP COLUMN teachers_see, DROP COLUMN revision"
    )
