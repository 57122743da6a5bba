"""Attempts by month, the ids that were ever counted, and the state of learners, skills and items."""

from alembic import op

from migrations.shared import outbox_table, tenant_table

revision = "progress_0001"
down_revision = None
branch_labels = None
depends_on = None

# Partitions are made in the transaction that first needs one. CREATE .. LIKE and ATTACH, unlike CREATE .. PARTITION OF, do not stop
# readers and writers of the other partitions. What was answered before the platform was there shares one partition.
# Nobody reads a partition but through `attempts`, whose policy then holds.
ENSURE_PARTITION = """
CREATE FUNCTION ensure_attempts_partition(moment timestamptz) RETURNS void
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
    PERFORM pg_advisory_xact_lock(hashtext('progress.attempts partitions'));
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
    # The row that a learner's batches wait for; its count is the sequence of the newest attempt.
    tenant_table(
        "learners",
        'learner_id text COLLATE "C" NOT NULL',
        "attempt_count bigint NOT NULL DEFAULT 0",
        "PRIMARY KEY (organization_id, learner_id)",
        ddl_suffix="WITH (fillfactor = 50)",
    )
    # Counted for ever, whichever month the attempt lies in; the rest says where to find it.
    tenant_table(
        "attempt_ids",
        "id uuid NOT NULL",
        "fingerprint bytea NOT NULL",
        'learner_id text COLLATE "C" NOT NULL',
        "sequence bigint NOT NULL",
        "answer_time timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, id)",
    )
    tenant_table(
        "attempts",
        "id uuid NOT NULL",
        'learner_id text COLLATE "C" NOT NULL',
        "sequence bigint NOT NULL",
        "course_id text NOT NULL",
        "item_id text NOT NULL",
        "item_revision bigint NOT NULL",
        "skills text[] NOT NULL",
        "means_before float8[] NOT NULL",
        "means_after float8[] NOT NULL",
        "score float8 NOT NULL",
        "correct boolean NOT NULL",
        "predicted_correct float8 NOT NULL",
        "model_version text NOT NULL",
        "decision_id text NOT NULL",
        "response_time interval",
        "hints_revealed smallint NOT NULL",
        "answer_time timestamptz NOT NULL",
        "record_time timestamptz NOT NULL",
        ddl_suffix="PARTITION BY RANGE (answer_time)",
    )
    op.execute("CREATE INDEX attempts_learner ON attempts (organization_id, learner_id, sequence)")
    op.execute(ENSURE_PARTITION)
    op.execute("REVOKE ALL ON FUNCTION ensure_attempts_partition FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION ensure_attempts_partition TO paideia_progress")
    op.execute(
        "SELECT ensure_attempts_partition(month) FROM generate_series(now() - interval '1 month', now() + interval '2 months', '1 month') month"
    )
    tenant_table(
        "courses",
        'learner_id text COLLATE "C" NOT NULL',
        'course_id text COLLATE "C" NOT NULL',
        "ability_mean float8 NOT NULL",
        "ability_variance float8 NOT NULL",
        "skills text[] NOT NULL",
        "PRIMARY KEY (organization_id, learner_id, course_id)",
        ddl_suffix="WITH (fillfactor = 50)",
    )
    op.execute("CREATE INDEX courses_course ON courses (organization_id, course_id, learner_id)")
    tenant_table(
        "skills",
        'learner_id text COLLATE "C" NOT NULL',
        'skill_id text COLLATE "C" NOT NULL',
        "mean float8 NOT NULL",
        "lower float8 NOT NULL",
        "upper float8 NOT NULL",
        "attempt_count bigint NOT NULL",
        "correct_count bigint NOT NULL",
        "last_answer_time timestamptz NOT NULL",
        "deviation_mean float8 NOT NULL",
        "deviation_variance float8 NOT NULL",
        "knowledge bytea NOT NULL",
        "PRIMARY KEY (organization_id, learner_id, skill_id)",
        ddl_suffix="WITH (fillfactor = 50)",
    )
    # Sums that everybody only adds to.
    tenant_table(
        "items",
        'item_id text COLLATE "C" NOT NULL',
        "attempt_count bigint NOT NULL",
        "slope_precision float8 NOT NULL",
        "cross_precision float8 NOT NULL",
        "intercept_precision float8 NOT NULL",
        "slope_shift float8 NOT NULL",
        "intercept_shift float8 NOT NULL",
        "PRIMARY KEY (organization_id, item_id)",
        ddl_suffix="WITH (fillfactor = 50)",
    )
    outbox_table()
    # Every statement finds its rows by key. So each has one plan, made once and right however the tables grow, instead of a plan for
    # each execution, which would cost more than most executions.
    op.execute("ALTER ROLE paideia_progress SET plan_cache_mode = force_generic_plan")
    op.execute("ALTER ROLE paideia_progress SET enable_seqscan = off")
