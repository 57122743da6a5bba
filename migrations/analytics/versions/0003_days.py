"""What was done on a day knows the day before on which the same was done: so a report on any range of days counts each learner, and each
learner's first answer to an item, once, from sums."""

from alembic import op

from migrations.shared import tenant_table

revision = "analytics_0003"
down_revision = "analytics_0002"
branch_labels = None
depends_on = None

ID = 'text COLLATE "C" NOT NULL'
# The last day before on which there was one; -infinity where this is the first.
BEFORE = "before date NOT NULL DEFAULT '-infinity'"
_DID = (
    "attempts bigint NOT NULL",
    "correct bigint NOT NULL",
    "hints bigint NOT NULL",
    "timed bigint NOT NULL",
    "micros bigint NOT NULL",
)
_FIRST_VIEW = """
CREATE VIEW analytics_views.first_answers WITH (security_invoker = true) AS
SELECT course, item, learner, answered_at, day, correct, response_micros / 1e6 AS response_seconds, choices,
       (SELECT sum(a.attempts)::bigint FROM answer_days a
        WHERE (a.organization_id, a.course, a.item, a.learner) = (f.organization_id, f.course, f.item, f.learner)) AS attempts
FROM answer_days f WHERE before = '-infinity'
"""


def upgrade() -> None:
    _learners_by_day()
    _answers_by_day()
    # Reports that look at every session or decision of a course find all that they need in an index.
    op.execute("DROP INDEX sessions_by_course")
    op.execute(
        "CREATE INDEX sessions_by_course ON sessions (organization_id, course, day) INCLUDE (learner, started_at, ended_at)"
    )
    op.execute("ALTER TABLE decisions ADD COLUMN item_count int NOT NULL GENERATED ALWAYS AS (cardinality(items)) STORED")
    op.execute("DROP INDEX decisions_by_day")
    op.execute(
        "CREATE INDEX decisions_by_day ON decisions (organization_id, course, day) INCLUDE (policy_version, arm, mode, shadow, learner, "
        "fell_back, item_count, answered, correct, predicted_count, predicted_sum)"
    )


def _learners_by_day() -> None:
    op.execute(f"ALTER TABLE learner_days ADD COLUMN {BEFORE}")
    tenant_table(
        "course_days",
        f"course {ID}",
        "day date NOT NULL",
        BEFORE,
        "learners bigint NOT NULL",
        *_DID,
        "PRIMARY KEY (organization_id, course, day, before)",
    )
    _past_row_level_security("learner_days", "course_days")
    op.execute("""
        UPDATE learner_days d SET before = n.before FROM (
            SELECT organization_id, course, learner, day,
                   lag(day) OVER (PARTITION BY organization_id, course, learner ORDER BY day) AS before
            FROM learner_days
        ) n
        WHERE (d.organization_id, d.course, d.learner, d.day) = (n.organization_id, n.course, n.learner, n.day) AND n.before IS NOT NULL""")
    op.execute("""
        INSERT INTO course_days
        SELECT organization_id, course, day, before, count(*), sum(attempts), sum(correct), sum(hints), sum(timed), sum(micros)
        FROM learner_days GROUP BY organization_id, course, day, before""")
    _within_row_level_security("learner_days", "course_days")
    op.execute("DROP INDEX learner_days_by_learner")
    op.execute("CREATE INDEX learner_days_by_learner ON learner_days (organization_id, course, learner, day) INCLUDE (before)")


def _answers_by_day() -> None:
    # The first answer of each day, which takes the place of the first one ever.
    tenant_table(
        "answer_days",
        f"course {ID}",
        f"item {ID}",
        f"learner {ID}",
        "day date NOT NULL",
        BEFORE,
        "id uuid NOT NULL",
        "answered_at timestamptz NOT NULL",
        "correct boolean NOT NULL",
        "response_micros bigint",
        "choices text[] NOT NULL",
        "attempts bigint NOT NULL",
        "PRIMARY KEY (organization_id, course, item, learner, day)",
    )
    tenant_table(
        "answer_totals",
        f"course {ID}",
        f"learner {ID}",
        "day date NOT NULL",
        BEFORE,
        "answers bigint NOT NULL",
        "correct bigint NOT NULL",
        "PRIMARY KEY (organization_id, course, day, learner, before) INCLUDE (answers, correct)",
    )
    _past_row_level_security("attempts", "answer_days", "answer_totals")
    op.execute("""
        INSERT INTO answer_days
        SELECT organization_id, course, item, learner, day,
               coalesce(lag(day) OVER (PARTITION BY organization_id, course, item, learner ORDER BY day), '-infinity'),
               id, answered_at, correct, response_micros, choices, attempts
        FROM (
            SELECT DISTINCT ON (organization_id, course, item, learner, day) *,
                   count(*) OVER (PARTITION BY organization_id, course, item, learner, day) AS attempts
            FROM attempts ORDER BY organization_id, course, item, learner, day, answered_at, id
        ) first_of_day""")
    op.execute("""
        INSERT INTO answer_totals
        SELECT organization_id, course, learner, day, before, count(*), count(*) FILTER (WHERE correct)
        FROM answer_days GROUP BY organization_id, course, learner, day, before""")
    _within_row_level_security("attempts", "answer_days", "answer_totals")
    op.execute(
        "CREATE INDEX answer_days_by_item ON answer_days (organization_id, course, item, day) "
        "INCLUDE (before, learner, correct, response_micros, attempts, choices)"
    )
    for kind, policy in (("PERMISSIVE", "readers"), ("RESTRICTIVE", "only_readers")):
        op.execute(
            f"CREATE POLICY {policy} ON answer_days AS {kind} FOR SELECT TO paideia_bi "
            "USING (organization_id = (SELECT analytics_views.organization()))"
        )
    op.execute("GRANT SELECT ON answer_days TO paideia_bi")
    op.execute("DROP VIEW analytics_views.first_answers")
    op.execute("DROP TABLE first_answers")
    op.execute(_FIRST_VIEW)
    op.execute("GRANT SELECT ON analytics_views.first_answers TO paideia_bi")


def _past_row_level_security(*tables: str) -> None:
    """Who owns the tables has no organization of its own, and must see everyone's while it counts them."""
    for each in tables:
        op.execute(f"ALTER TABLE {each} NO FORCE ROW LEVEL SECURITY")


def _within_row_level_security(*tables: str) -> None:
    for each in tables:
        op.execute(f"ALTER TABLE {each} FORCE ROW LEVEL SECURITY")
