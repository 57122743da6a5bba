"""What was done on a day knows the day before on which the same was done: so a report on any range of days counts each learner, and each
learner's first answer to an item, once, from sums.

The earlier release counts first answers in a table of their own. It may run beside this one, and again after a rollback: until the contract step
`analytics_0003_contract` each release's tables follow what the other one writes. Who records as this release does says so by the setting
`paideia.rollups`.
"""

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

_FIRST = ("id", "answered_at", "day", "correct", "response_micros", "choices")
_EARLIEST = ", ".join(
    f"{each} = CASE WHEN (excluded.answered_at, excluded.id) < (f.answered_at, f.id) THEN excluded.{each} ELSE f.{each} END"
    for each in _FIRST
)
_TO_FIRST_ANSWERS = f"""
INSERT INTO first_answers AS f (organization_id, course, item, learner, {", ".join(_FIRST)}, attempts)
SELECT DISTINCT ON (course, item, learner)
       organization_id, course, item, learner, {", ".join(_FIRST)}, count(*) OVER (PARTITION BY course, item, learner)
FROM told ORDER BY course, item, learner, answered_at, id
ON CONFLICT (organization_id, course, item, learner) DO UPDATE SET attempts = f.attempts + excluded.attempts, {_EARLIEST}
"""  # noqa: S608  # names are ours
# The earlier release adds to learner_days itself, by its next statement: here its rows only learn the day before.
_TO_LEARNER_DAYS = """
WITH known AS MATERIALIZED (
    SELECT organization_id, course, learner, day, before, attempts, correct, hints, timed, micros FROM learner_days
    WHERE (organization_id, course, learner) IN (SELECT organization_id, course, learner FROM told)
), every AS (
    SELECT organization_id, course, learner, day, attempts, correct, hints, timed, micros FROM known
    UNION ALL
    SELECT organization_id, course, learner, day, 1, correct::int, hints, (response_micros IS NOT NULL)::int, coalesce(response_micros, 0)
    FROM told
), made AS MATERIALIZED (
    SELECT organization_id, course, learner, day,
           coalesce(lag(day) OVER (PARTITION BY organization_id, course, learner ORDER BY day), '-infinity') AS before,
           sum(attempts)::bigint AS attempts, sum(correct)::bigint AS correct, sum(hints)::bigint AS hints,
           sum(timed)::bigint AS timed, sum(micros)::bigint AS micros
    FROM every GROUP BY organization_id, course, learner, day
), kept AS (
    INSERT INTO learner_days (organization_id, course, learner, day, before, attempts, correct, hints, timed, micros)
    SELECT organization_id, course, learner, day, before, 0, 0, 0, 0, 0 FROM made
    ON CONFLICT (organization_id, course, day, learner) DO UPDATE SET before = excluded.before
), change AS (
    SELECT 1 AS n, * FROM made UNION ALL SELECT -1, * FROM known
)
INSERT INTO course_days AS s (organization_id, course, day, before, learners, attempts, correct, hints, timed, micros)
SELECT organization_id, course, day, before, sum(n), sum(n * attempts), sum(n * correct), sum(n * hints), sum(n * timed), sum(n * micros)
FROM change GROUP BY organization_id, course, day, before
ON CONFLICT (organization_id, course, day, before) DO UPDATE SET
    learners = s.learners + excluded.learners, attempts = s.attempts + excluded.attempts, correct = s.correct + excluded.correct,
    hints = s.hints + excluded.hints, timed = s.timed + excluded.timed, micros = s.micros + excluded.micros
"""
_TO_ANSWER_DAYS = """
WITH known AS MATERIALIZED (
    SELECT organization_id, course, item, learner, day, before, id, answered_at, correct, response_micros, choices, attempts
    FROM answer_days WHERE (organization_id, course, item, learner) IN (SELECT organization_id, course, item, learner FROM told)
), every AS (
    SELECT organization_id, course, item, learner, day, id, answered_at, correct, response_micros, choices, attempts FROM known
    UNION ALL
    SELECT organization_id, course, item, learner, day, id, answered_at, correct, response_micros, choices, 1 FROM told
), first_of_day AS (
    SELECT DISTINCT ON (organization_id, course, item, learner, day)
           organization_id, course, item, learner, day, id, answered_at, correct, response_micros, choices,
           (sum(attempts) OVER (PARTITION BY organization_id, course, item, learner, day))::bigint AS attempts
    FROM every ORDER BY organization_id, course, item, learner, day, answered_at, id
), made AS MATERIALIZED (
    SELECT organization_id, course, item, learner, day,
           coalesce(lag(day) OVER (PARTITION BY organization_id, course, item, learner ORDER BY day), '-infinity') AS before,
           id, answered_at, correct, response_micros, choices, attempts
    FROM first_of_day
), kept AS (
    INSERT INTO answer_days
           (organization_id, course, item, learner, day, before, id, answered_at, correct, response_micros, choices, attempts)
    SELECT * FROM (TABLE made EXCEPT TABLE known) changed
    ON CONFLICT (organization_id, course, item, learner, day) DO UPDATE SET
        before = excluded.before, id = excluded.id, answered_at = excluded.answered_at, correct = excluded.correct,
        response_micros = excluded.response_micros, choices = excluded.choices, attempts = excluded.attempts
), change AS (
    SELECT 1 AS n, * FROM made UNION ALL SELECT -1, * FROM known
)
INSERT INTO answer_totals AS s (organization_id, course, learner, day, before, answers, correct)
SELECT organization_id, course, learner, day, before, sum(n), sum(n * correct::int)
FROM change GROUP BY organization_id, course, learner, day, before
ON CONFLICT (organization_id, course, day, learner, before) DO UPDATE SET
    answers = s.answers + excluded.answers, correct = s.correct + excluded.correct
"""
_FOLLOW_ATTEMPTS = f"""
CREATE FUNCTION follow_attempts() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('paideia.rollups', true) = 'days' THEN
        {_TO_FIRST_ANSWERS};
    ELSE
        {_TO_LEARNER_DAYS};
        {_TO_ANSWER_DAYS};
    END IF;
    RETURN NULL;
END $$
"""
# An erasure renames a learner's rows, or removes them where the new name has rows already, learner_days first. What empties a table to fill it
# again leaves learner_days.
_FOLLOW_ERASURES = (
    """
CREATE FUNCTION follow_first_answers() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE answer_days SET learner = NEW.learner WHERE (organization_id, course, item, learner)
            = (OLD.organization_id, OLD.course, OLD.item, OLD.learner);
        UPDATE answer_totals SET learner = NEW.learner WHERE (organization_id, course, learner)
            = (OLD.organization_id, OLD.course, OLD.learner);
    ELSIF NOT EXISTS (SELECT FROM learner_days WHERE (organization_id, course, learner)
            = (OLD.organization_id, OLD.course, OLD.learner)) THEN
        DELETE FROM answer_days WHERE (organization_id, course, item, learner)
            = (OLD.organization_id, OLD.course, OLD.item, OLD.learner);
        DELETE FROM answer_totals WHERE (organization_id, course, learner) = (OLD.organization_id, OLD.course, OLD.learner);
    END IF;
    RETURN NULL;
END $$
""",
    """
CREATE FUNCTION follow_answer_days() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE first_answers SET learner = NEW.learner WHERE (organization_id, course, item, learner)
            = (OLD.organization_id, OLD.course, OLD.item, OLD.learner);
    ELSIF NOT EXISTS (SELECT FROM learner_days WHERE (organization_id, course, learner)
            = (OLD.organization_id, OLD.course, OLD.learner)) THEN
        DELETE FROM first_answers WHERE (organization_id, course, item, learner)
            = (OLD.organization_id, OLD.course, OLD.item, OLD.learner);
    END IF;
    RETURN NULL;
END $$
""",
)


def upgrade() -> None:
    # Who records waits, from the first table that it writes to, until all that is recorded is counted.
    op.execute("LOCK TABLE attempts IN SHARE ROW EXCLUSIVE MODE")
    _learners_by_day()
    _answers_by_day()
    _follow_each_other()
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
    op.execute(_FIRST_VIEW)
    op.execute("GRANT SELECT ON analytics_views.first_answers TO paideia_bi")


def _follow_each_other() -> None:
    op.execute(_FOLLOW_ATTEMPTS)
    op.execute(
        "CREATE TRIGGER followed AFTER INSERT ON attempts REFERENCING NEW TABLE AS told "
        "FOR EACH STATEMENT EXECUTE FUNCTION follow_attempts()"
    )
    for function in _FOLLOW_ERASURES:
        op.execute(function)
    for table in ("first_answers", "answer_days"):
        op.execute(
            f"CREATE TRIGGER followed AFTER DELETE OR UPDATE OF learner ON {table} "
            f"FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION follow_{table}()"
        )


def _past_row_level_security(*tables: str) -> None:
    """Who owns the tables has no organization of its own, and must see everyone's while it counts them."""
    for each in tables:
        op.execute(f"ALTER TABLE {each} NO FORCE ROW LEVEL SECURITY")


def _within_row_level_security(*tables: str) -> None:
    for each in tables:
        op.execute(f"ALTER TABLE {each} FORCE ROW LEVEL SECURITY")
