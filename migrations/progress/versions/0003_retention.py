"""Months of attempts: made by one at a time, made ahead, and remembered when they were retired."""

from alembic import op

revision = "progress_0003"
down_revision = "progress_0002"
branch_labels = None
depends_on = None

# Attaching takes this lock anyway. Waiting for it, unlike for an advisory lock, makes what others have committed visible to to_regclass.
ENSURE_PARTITION = """
CREATE OR REPLACE FUNCTION ensure_attempts_partition(moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = progress, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    first timestamptz := date_trunc('month', moment);
    old boolean := first < '2025-01-01';
    name text := CASE WHEN old THEN 'attempts_old' ELSE 'attempts_' || to_char(first, 'YYYY_MM') END;
    range text := CASE WHEN old THEN 'FROM (MINVALUE) TO (''2025-01-01'')'
                       ELSE format('FROM (%L) TO (%L)', first, first + interval '1 month') END;
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    LOCK TABLE attempts IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE attempts INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    EXECUTE format('REVOKE ALL ON %I FROM paideia_progress', name);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE attempts ATTACH PARTITION %I FOR VALUES %s', name, range);
END $$
"""


def upgrade() -> None:
    op.execute(ENSURE_PARTITION)
    # Which months are not among `attempts` any more: whoever needs all of a learner's attempts must look here first. It is about the
    # platform and not about organizations: everybody who may read it sees all of it.
    op.execute(
        "CREATE TABLE retired_months (name text PRIMARY KEY, retired_at timestamptz NOT NULL DEFAULT now(), dropped_at timestamptz)"
    )
    op.execute("ALTER TABLE retired_months ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE retired_months FORCE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY everybody ON retired_months USING (true)")
    op.execute("REVOKE ALL ON retired_months FROM paideia_progress")
    op.execute("GRANT SELECT ON retired_months TO paideia_progress")
    # What is retired waits here to be dropped; the context's role cannot enter.
    op.execute("CREATE SCHEMA progress_retired")


def downgrade() -> None:
    op.execute("DROP SCHEMA progress_retired")
    op.execute("DROP TABLE retired_months")
