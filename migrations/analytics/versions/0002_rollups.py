"""What reports are made of: facts, aggregates, exports; and views for business intelligence tools, an organization a reader."""

from alembic import op

from migrations.shared import request_ledger_table, tenant_table

revision = "analytics_0002"
down_revision = "analytics_0001"
branch_labels = None
depends_on = None

# Ids are ordered as their code points, as page cursors expect, whatever the database's locale.
ID = 'text COLLATE "C" NOT NULL'
VIEWS = {
    "attempts": "id, learner, course, item, skills, day, answered_at, correct, score, response_micros / 1e6 AS response_seconds, hints, "
    "decision, choices",
    "learner_days": "course, day, learner, attempts, correct, hints, timed AS timed_attempts, micros / 1e6 AS response_seconds",
    "skill_days": "course, learner, skill, day, attempts, correct",
    "mastery_days": "learner, skill, day, sequence, mean, lower, upper",
    "first_answers": "course, item, learner, answered_at, day, correct, response_micros / 1e6 AS response_seconds, choices, attempts",
    "sessions": "learner, session, course, started_at, ended_at",
    "decisions": "id, learner, course, day, decided_at, policy_version, arm, mode, shadow, fell_back, items, predicted, answered, correct",
    "decision_answers": "decision, learner, item, answered_at, correct",
}


def upgrade() -> None:
    # Each attempt once for ever by its id.
    tenant_table(
        "attempts",
        "id uuid NOT NULL",
        f"learner {ID}",
        f"course {ID}",
        f"item {ID}",
        "skills text[] NOT NULL",
        "day date NOT NULL",
        "answered_at timestamptz NOT NULL",
        "correct boolean NOT NULL",
        "score float8 NOT NULL",
        "response_micros bigint",
        "hints int NOT NULL",
        "decision text NOT NULL",
        "choices text[] NOT NULL",
        "PRIMARY KEY (organization_id, id)",
    )
    op.execute("CREATE INDEX attempts_by_day ON attempts (organization_id, course, day)")
    tenant_table(
        "learner_days",
        f"course {ID}",
        "day date NOT NULL",
        f"learner {ID}",
        "attempts bigint NOT NULL",
        "correct bigint NOT NULL",
        "hints bigint NOT NULL",
        "timed bigint NOT NULL",
        "micros bigint NOT NULL",
        "PRIMARY KEY (organization_id, course, day, learner)",
    )
    op.execute("CREATE INDEX learner_days_by_learner ON learner_days (organization_id, course, learner, day)")
    tenant_table(
        "skill_days",
        f"course {ID}",
        f"learner {ID}",
        f"skill {ID}",
        "day date NOT NULL",
        "attempts bigint NOT NULL",
        "correct bigint NOT NULL",
        "PRIMARY KEY (organization_id, course, learner, skill, day)",
    )
    tenant_table(
        "mastery_days",
        f"learner {ID}",
        f"skill {ID}",
        "day date NOT NULL",
        "sequence bigint NOT NULL",
        "revision bigint NOT NULL",
        "mean float8 NOT NULL",
        "lower float8 NOT NULL",
        "upper float8 NOT NULL",
        "PRIMARY KEY (organization_id, learner, skill, day)",
    )
    # What a learner's first answers come to: an item is compared with the others.
    tenant_table(
        "first_totals",
        f"course {ID}",
        f"learner {ID}",
        "answers bigint NOT NULL",
        "correct bigint NOT NULL",
        "PRIMARY KEY (organization_id, course, learner)",
    )
    first = (
        "id uuid NOT NULL",
        "answered_at timestamptz NOT NULL",
        "day date NOT NULL",
        "correct boolean NOT NULL",
        "response_micros bigint",
        "choices text[] NOT NULL",
        "attempts bigint NOT NULL",
    )
    tenant_table(
        "first_answers",
        f"course {ID}",
        f"item {ID}",
        f"learner {ID}",
        *first,
        "PRIMARY KEY (organization_id, course, item, learner)",
    )
    tenant_table(
        "decision_answers",
        f"decision {ID}",
        f"learner {ID}",
        f"item {ID}",
        *first,
        "PRIMARY KEY (organization_id, decision, learner, item)",
    )
    tenant_table(
        "sessions",
        f"learner {ID}",
        f"session {ID}",
        f"course {ID}",
        "started_at timestamptz",
        "ended_at timestamptz",
        "day date GENERATED ALWAYS AS ((started_at AT TIME ZONE 'UTC')::date) STORED",
        "PRIMARY KEY (organization_id, learner, session)",
    )
    op.execute("CREATE INDEX sessions_by_course ON sessions (organization_id, course, day)")
    tenant_table(
        "decisions",
        f"id {ID}",
        f"learner {ID}",
        f"course {ID}",
        "day date NOT NULL",
        "decided_at timestamptz NOT NULL",
        f"policy_version {ID}",
        f"arm {ID}",
        f"mode {ID}",
        "shadow boolean NOT NULL",
        "fell_back boolean NOT NULL",
        "items text[] NOT NULL",
        "predicted float8[] NOT NULL",
        # What came of it, from decision_answers.
        "answered int NOT NULL DEFAULT 0",
        "correct int NOT NULL DEFAULT 0",
        "predicted_count int NOT NULL DEFAULT 0",
        "predicted_sum float8 NOT NULL DEFAULT 0",
        "PRIMARY KEY (organization_id, id)",
    )
    op.execute("CREATE INDEX decisions_by_day ON decisions (organization_id, course, day)")
    tenant_table(
        "exports",
        "id uuid NOT NULL",
        "kind text NOT NULL",
        "course text NOT NULL",
        "start_day date",
        "end_day date",
        "learners text[] NOT NULL",
        "format text NOT NULL",
        "creator text NOT NULL",
        "created_at timestamptz NOT NULL",
        "state text NOT NULL",
        "tries int NOT NULL",
        "row_count bigint NOT NULL",
        "byte_count bigint NOT NULL",
        "error text NOT NULL",
        "finished_at timestamptz",
        "expires_at timestamptz",
        "PRIMARY KEY (organization_id, id)",
    )
    op.execute("CREATE INDEX exports_newest ON exports (organization_id, created_at, id)")
    # What writers have to do. They see the ids of every organization's, to know where to look; all else is behind the tenant's door.
    tenant_table("due_exports", "id uuid NOT NULL", "due_at timestamptz NOT NULL", "PRIMARY KEY (organization_id, id)")
    op.execute("CREATE INDEX due_exports_next ON due_exports (due_at)")
    op.execute("CREATE POLICY writers ON due_exports FOR SELECT TO paideia_analytics USING (true)")
    request_ledger_table()
    # Filters that are not given are parameters, too: planned for what is asked, they cost nothing.
    op.execute("ALTER ROLE paideia_analytics SET plan_cache_mode = force_custom_plan")
    # Reports sort and hash some hundred thousand rows at a time; compiling a statement takes longer than running it.
    op.execute("ALTER ROLE paideia_analytics SET work_mem = '64MB'")
    op.execute("ALTER ROLE paideia_analytics SET jit = off")
    _views()


def _views() -> None:
    # A login of a tool is a member of paideia_bi, and `readers` says whose rows it reads. Views are checked as whoever asks, so the
    # policies below hold whatever a tool sends; whoever asks needs the right to read the tables.
    op.execute("""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'paideia_bi') THEN
                CREATE ROLE paideia_bi NOLOGIN;
            END IF;
        END $$""")
    op.execute("CREATE SCHEMA analytics_views")
    op.execute("GRANT USAGE ON SCHEMA analytics, analytics_views TO paideia_bi")
    op.execute("CREATE TABLE analytics_views.readers (role_name name PRIMARY KEY, organization_id text NOT NULL)")
    op.execute("""
        CREATE FUNCTION analytics_views.organization() RETURNS text
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = analytics_views, pg_temp
        AS 'SELECT organization_id FROM readers WHERE role_name = session_user'""")
    op.execute("REVOKE ALL ON FUNCTION analytics_views.organization FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION analytics_views.organization TO paideia_bi")
    for name, columns in VIEWS.items():
        # In parentheses with SELECT, so that the reader is looked up once a query and not once a row. Restrictive as well, or a reader
        # could bind another organization as the platform's own roles do.
        for kind, policy in (("PERMISSIVE", "readers"), ("RESTRICTIVE", "only_readers")):
            op.execute(
                f"CREATE POLICY {policy} ON {name} AS {kind} FOR SELECT TO paideia_bi "
                "USING (organization_id = (SELECT analytics_views.organization()))"
            )
        op.execute(f"GRANT SELECT ON {name} TO paideia_bi")
        op.execute(f"CREATE VIEW analytics_views.{name} WITH (security_invoker = true) AS SELECT {columns} FROM {name}")  # noqa: S608  # names are ours
        op.execute(f"GRANT SELECT ON analytics_views.{name} TO paideia_bi")


def downgrade() -> None:
    op.execute("DROP SCHEMA analytics_views CASCADE")
    op.execute(f"DROP TABLE {', '.join(VIEWS)}, first_totals, exports, due_exports, request_ledger")
