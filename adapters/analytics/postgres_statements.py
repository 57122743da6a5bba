"""The SQL that records facts and keeps the aggregates. `$1` is the organization where rows are written; the rest are columns of rows.

Facts are inserted once; aggregates are added to or keep what comes first, so that it does not matter in which order, or in how many batches,
facts come. Lists travel as one text, because
PostgreSQL has no arrays of arrays of different lengths; its items cannot contain the separator.
"""
# ruff: noqa: S608  # put together of names of this module; values are parameters

SEPARATOR = "\x1f"

# Who records or rebuilds an organization's facts does so alone.
HOLD_AGGREGATES = "SELECT pg_advisory_xact_lock(hashtextextended('aggregates of ' || $1::text, 0))"

ATTEMPTS = """
INSERT INTO attempts (organization_id, id, learner, course, item, skills, day, answered_at, correct, score, response_micros, hints,
                      decision, choices)
SELECT $1, id, learner, course, item, string_to_array(skills, chr(31)), day, answered_at, correct, score, response_micros, hints, decision,
       string_to_array(choices, chr(31))
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::timestamptz[], $9::boolean[], $10::float8[],
            $11::bigint[], $12::int[], $13::text[], $14::text[])
     AS n (id, learner, course, item, skills, day, answered_at, correct, score, response_micros, hints, decision, choices)
ON CONFLICT DO NOTHING RETURNING id::text
"""

LEARNER_DAYS = """
INSERT INTO learner_days AS d (organization_id, course, day, learner, attempts, correct, hints, timed, micros)
SELECT $1, n.* FROM unnest($2::text[], $3::date[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[]) AS n
ON CONFLICT (organization_id, course, day, learner) DO UPDATE SET
    attempts = d.attempts + excluded.attempts, correct = d.correct + excluded.correct, hints = d.hints + excluded.hints,
    timed = d.timed + excluded.timed, micros = d.micros + excluded.micros
"""

SKILL_DAYS = """
INSERT INTO skill_days AS d (organization_id, course, learner, skill, day, attempts, correct)
SELECT $1, n.* FROM unnest($2::text[], $3::text[], $4::text[], $5::date[], $6::bigint[], $7::bigint[]) AS n
ON CONFLICT (organization_id, course, learner, skill, day) DO UPDATE SET
    attempts = d.attempts + excluded.attempts, correct = d.correct + excluded.correct
"""

_FIRST = ("id", "answered_at", "day", "correct", "response_micros", "choices")


def _firsts(table: str, key: str) -> str:
    columns = f"{key}, {', '.join(_FIRST)}, attempts"
    earlier = "(excluded.answered_at, excluded.id) < (f.answered_at, f.id)"
    kept = ", ".join(f"{each} = CASE WHEN {earlier} THEN excluded.{each} ELSE f.{each} END" for each in _FIRST)
    return f"""
INSERT INTO {table} AS f (organization_id, {columns})
SELECT $1, {key}, id, answered_at, day, correct, response_micros, string_to_array(choices, chr(31)), attempts
FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[], $7::date[], $8::boolean[], $9::bigint[], $10::text[],
            $11::bigint[]) AS n ({columns})
ON CONFLICT (organization_id, {key}) DO UPDATE SET attempts = f.attempts + excluded.attempts, {kept}
"""


FIRST_ANSWERS = _firsts("first_answers", "course, item, learner")
DECISION_ANSWERS = _firsts("decision_answers", "decision, learner, item")

# The first answers that the batch makes or replaces, less those that it replaces. All parts see what was there before the statement.
FIRST_ANSWERS_WITH_TOTALS = f"""
WITH before AS (
    SELECT f.course, f.learner, f.correct FROM unnest($2::text[], $3::text[], $4::text[]) AS n (course, item, learner)
    JOIN first_answers f USING (course, item, learner)
), after AS ({FIRST_ANSWERS} RETURNING f.course, f.learner, f.correct),
change AS (
    SELECT course, learner, 1 AS answers, correct::int AS correct FROM after
    UNION ALL SELECT course, learner, -1, -correct::int FROM before
)
INSERT INTO first_totals AS t (organization_id, course, learner, answers, correct)
SELECT $1, course, learner, sum(answers), sum(correct) FROM change GROUP BY course, learner
ON CONFLICT (organization_id, course, learner) DO UPDATE SET
    answers = t.answers + excluded.answers, correct = t.correct + excluded.correct
"""

MASTERY_DAYS = """
INSERT INTO mastery_days AS m (organization_id, learner, skill, day, sequence, revision, mean, lower, upper)
SELECT $1, n.* FROM unnest($2::text[], $3::text[], $4::date[], $5::bigint[], $6::bigint[], $7::float8[], $8::float8[], $9::float8[]) AS n
ON CONFLICT (organization_id, learner, skill, day) DO UPDATE SET
    sequence = excluded.sequence, revision = excluded.revision, mean = excluded.mean, lower = excluded.lower, upper = excluded.upper
WHERE (excluded.sequence, excluded.revision) > (m.sequence, m.revision)
"""

# LEAST and GREATEST pass over what is not known.
SESSIONS = """
INSERT INTO sessions AS s (organization_id, learner, session, course, started_at, ended_at)
SELECT $1, n.* FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[]) AS n
ON CONFLICT (organization_id, learner, session) DO UPDATE SET
    course = coalesce(LEAST(nullif(s.course, ''), nullif(excluded.course, '')), ''),
    started_at = LEAST(s.started_at, excluded.started_at), ended_at = GREATEST(s.ended_at, excluded.ended_at)
"""

DECISIONS = """
INSERT INTO decisions (organization_id, id, learner, course, day, decided_at, policy_version, arm, mode, shadow, fell_back, items, predicted)
SELECT $1, id, learner, course, day, decided_at, policy_version, arm, mode, shadow, fell_back,
       string_to_array(items, chr(31)), string_to_array(predicted, chr(31), 'NULL')::float8[]
FROM unnest($2::text[], $3::text[], $4::text[], $5::date[], $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::boolean[],
            $11::boolean[], $12::text[], $13::text[])
     AS n (id, learner, course, day, decided_at, policy_version, arm, mode, shadow, fell_back, items, predicted)
ON CONFLICT DO NOTHING
"""

_DAYS = """
SELECT course, day, learner, count(*) AS attempts, count(*) FILTER (WHERE correct) AS correct, sum(hints)::bigint AS hints,
       count(response_micros) AS timed, coalesce(sum(response_micros), 0)::bigint AS micros
FROM attempts GROUP BY course, day, learner
"""
_SKILLS = """
SELECT course, learner, skill, day, count(*) AS attempts, count(*) FILTER (WHERE correct) AS correct
FROM attempts CROSS JOIN LATERAL (SELECT DISTINCT each COLLATE "C" AS skill FROM unnest(skills) AS each) practised
GROUP BY course, learner, skill, day
"""


def _first_of(key: str, whose: str = "") -> str:
    return f"""
SELECT DISTINCT ON ({key}) {key}, {", ".join(_FIRST)}, count(*) OVER (PARTITION BY {key}) AS attempts
FROM attempts {whose} ORDER BY {key}, answered_at, id
"""


_OUTCOMES = """
SELECT d.id, count(a.id)::int AS answered, (count(*) FILTER (WHERE a.correct))::int AS correct,
       (count(shown.predicted) FILTER (WHERE a.id IS NOT NULL))::int AS predicted_count,
       coalesce(sum(shown.predicted ORDER BY place) FILTER (WHERE a.id IS NOT NULL), 0) AS predicted_sum
FROM decisions d LEFT JOIN LATERAL unnest(items, predicted) WITH ORDINALITY AS shown (item, predicted, place) ON true
LEFT JOIN decision_answers a ON a.decision = d.id AND a.learner = d.learner AND a.item = shown.item
"""
OUTCOMES = f"""
UPDATE decisions d SET answered = o.answered, correct = o.correct, predicted_count = o.predicted_count, predicted_sum = o.predicted_sum
FROM ({_OUTCOMES} WHERE d.id = ANY($2::text[]) GROUP BY d.id) o WHERE d.organization_id = $1 AND d.id = o.id
"""


# Each aggregate: its key, its other columns, and what they are made of.
REBUILT = {
    "learner_days": ("course, day, learner", "attempts, correct, hints, timed, micros", _DAYS),
    "skill_days": ("course, learner, skill, day", "attempts, correct", _SKILLS),
    "first_answers": ("course, item, learner", f"{', '.join(_FIRST)}, attempts", _first_of("course, item, learner")),
    "first_totals": (
        "course, learner",
        "answers, correct",
        "SELECT course, learner, count(*) AS answers, count(*) FILTER (WHERE correct) AS correct "
        f"FROM ({_first_of('course, item, learner')}) firsts GROUP BY course, learner",
    ),
    "decision_answers": (
        "decision, learner, item",
        f"{', '.join(_FIRST)}, attempts",
        _first_of("decision, learner, item", "WHERE decision <> ''"),
    ),
}


def differences(table: str) -> str:
    """How many keys an aggregate lacks, has too much, or has with other values than it should."""
    key, others, made_of = REBUILT[table]
    return f"""
WITH made AS MATERIALIZED (SELECT {key}, {others} FROM ({made_of}) rows), kept AS MATERIALIZED (SELECT {key}, {others} FROM {table})
SELECT count(*) FROM (
    SELECT DISTINCT {key} FROM ((TABLE made EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE made)) differing
) keys
"""


def refilled(table: str) -> tuple[str, str]:
    """Empties an aggregate, and fills it again."""
    key, others, made_of = REBUILT[table]
    filled = f"INSERT INTO {table} (organization_id, {key}, {others}) SELECT $1::text, {key}, {others} FROM ({made_of}) made"
    return f"DELETE FROM {table}", filled


WRONG_OUTCOMES = f"""
WITH made AS MATERIALIZED ({_OUTCOMES} GROUP BY d.id)
SELECT array_agg(d.id) FROM decisions d JOIN made USING (id)
WHERE (d.answered, d.correct, d.predicted_count, d.predicted_sum) <> (made.answered, made.correct, made.predicted_count, made.predicted_sum)
"""
