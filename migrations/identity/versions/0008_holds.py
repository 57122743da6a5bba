"""Legal holds: while one is open, nothing about its person, or its whole organization, is erased or retired."""

from alembic import op

from migrations.shared import tenant_table

revision = "identity_0008"
down_revision = "identity_0007"
branch_labels = None
depends_on = None

# Whatever asks for an erasure or begins one, whichever way it came: PH001 is what adapters/shared/postgres.py knows as a legal hold.
REFUSE = """
CREATE FUNCTION refuse_held_erasure() RETURNS trigger LANGUAGE plpgsql SET search_path = identity, pg_temp AS $$
DECLARE
    person text := CASE WHEN TG_OP = 'UPDATE' THEN OLD.user_id ELSE NEW.user_id END;
BEGIN
    IF EXISTS (SELECT FROM holds WHERE organization_id = NEW.organization_id AND user_id IN ('', person) AND released_at IS NULL) THEN
        RAISE EXCEPTION 'under legal hold' USING ERRCODE = 'PH001';
    END IF;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    tenant_table(
        "holds",
        "id uuid NOT NULL",
        # Empty: the whole organization.
        'user_id text COLLATE "C" NOT NULL',
        "reason text NOT NULL",
        "placed_by text NOT NULL",
        "placed_at timestamptz NOT NULL",
        "released_by text NOT NULL DEFAULT ''",
        "released_at timestamptz",
        "PRIMARY KEY (organization_id, id)",
    )
    op.execute("CREATE INDEX holds_open ON holds (organization_id, user_id) WHERE released_at IS NULL")
    op.execute("REVOKE DELETE, TRUNCATE ON holds FROM paideia_identity")
    # Retiring what all organizations share needs to know of everybody's holds.
    op.execute("CREATE POLICY owner ON holds FOR SELECT TO CURRENT_USER USING (true)")
    op.execute(REFUSE)
    op.execute(
        "CREATE TRIGGER held_asked BEFORE INSERT ON privacy_jobs FOR EACH ROW "
        "WHEN (NEW.kind = 'ERASURE') EXECUTE FUNCTION refuse_held_erasure()"
    )
    op.execute(
        "CREATE TRIGGER held_begun BEFORE UPDATE ON privacy_jobs FOR EACH ROW "
        "WHEN (NEW.kind = 'ERASURE' AND OLD.state = 'WAITING' AND NEW.state = 'RUNNING') EXECUTE FUNCTION refuse_held_erasure()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER held_begun ON privacy_jobs")
    op.execute("DROP TRIGGER held_asked ON privacy_jobs")
    op.execute("DROP FUNCTION refuse_held_erasure")
    op.execute("DROP TABLE holds")
