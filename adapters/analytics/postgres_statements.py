"""The SQL that records facts and keeps the aggregates. `$1` is the organization where rows are written; the rest are columns of rows.

Facts are inserted once; aggregates are added to or keep what comes first, so that it does not matter in which order, or in how many batches,
facts come. Lists travel as one text, because
PostgreSQL has no arrays of arrays of different lengths; its items cannot contain the separator.
"""
# ruff: noqa: S608  # put together of names of this module; values are parameters

from collections.abc import Mapping

SEPARATOR = "\x1f"

# Who records or rebuilds an organization's facts does so alone, and says that it keeps days by the day before (migration 0003).
HOLD_AGGREGATES = """
SELECT pg_advisory_xact_lock(hashtextextended('aggregates of ' || $1::text, 0)), set_config('paideia.rollups', 'days', true)
"""

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


def _by_day(table: str, who: str, columns: str, told: str, merged: str, written: str) -> str:
    """A statement that adds what was done on days, and keeps for each the last day before on which `who` did the same.

    `told` are the rows to add and `merged` is what rows of one day come to. With each day told, what is known of it or else of the last one
    before is read, and the next one, because what comes late comes between two that are known. `written` counts each `change`, a row as it
    is now (`n` 1) or as it was (`n` -1). All parts see what was there before the statement.
    """
    place = f"{who}, day"
    key = place.split(", ")
    here, there = (", ".join(f"{name}.{each}" for each in key) for name in ("d", "told"))
    back = ", ".join(f"d.{each} DESC" for each in key)
    # In the order of the whole key, so that there is one index by which the next row can be found, whatever is known of the table.
    return f"""
WITH told AS (
    {told}
), near AS MATERIALIZED (
    SELECT DISTINCT near.* FROM told CROSS JOIN LATERAL (
        (SELECT {place}, before, {columns} FROM {table} d WHERE ({here}) <= ({there}) ORDER BY {back} LIMIT 1)
        UNION ALL (SELECT {place}, before, {columns} FROM {table} d WHERE ({here}) > ({there}) ORDER BY {here} LIMIT 1)
    ) near
    WHERE {" AND ".join(f"near.{each} = told.{each}" for each in key[:-1])}
), every AS (
    TABLE near UNION ALL SELECT {place}, DATE '-infinity', {columns} FROM told
), merged AS ({merged}
), after AS MATERIALIZED (
    SELECT {place}, greatest(before, lag(day) OVER (PARTITION BY {who} ORDER BY day)) AS before, {columns} FROM merged
), kept AS (
    INSERT INTO {table} (organization_id, {place}, before, {columns})
    SELECT $1, * FROM (TABLE after EXCEPT TABLE near) changed
    ON CONFLICT (organization_id, {place}) DO UPDATE SET ({columns}, before) = ROW ({_excluded(columns)}, excluded.before)
), change AS (
    SELECT 1 AS n, * FROM after UNION ALL SELECT -1, * FROM near
){written}
"""


def _excluded(columns: str) -> str:
    return ", ".join(f"excluded.{each}" for each in columns.split(", "))


def _added(table: str, key: str, sums: Mapping[str, str], where: str = "") -> str:
    """Adds changes to sums; those that cancel are left out."""
    made = ", ".join(f"sum({each})::bigint AS {name}" for name, each in sums.items())
    changed = " OR ".join(f"{name} <> 0" for name in sums)
    added = ", ".join(f"{name} = s.{name} + excluded.{name}" for name in sums)
    return f"""
    INSERT INTO {table} AS s (organization_id, {key}, {", ".join(sums)})
    SELECT $1, * FROM (SELECT {key}, {made} FROM change {where} GROUP BY {key}) made WHERE {changed}
    ON CONFLICT (organization_id, {key}) DO UPDATE SET {added}"""


_DID = ("attempts", "correct", "hints", "timed", "micros")
LEARNER_DAYS = _by_day(
    "learner_days",
    "course, learner",
    ", ".join(_DID),
    """SELECT course COLLATE "C" AS course, learner COLLATE "C" AS learner, day, attempts, correct, hints, timed, micros
    FROM unnest($2::text[], $3::date[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
         AS n (course, day, learner, attempts, correct, hints, timed, micros)""",
    f"""
    SELECT course, learner, day, max(before) AS before, {", ".join(f"sum({each})::bigint AS {each}" for each in _DID)}
    FROM every GROUP BY course, learner, day""",
    _added("course_days", "course, day, before", {"learners": "n"} | {each: f"n * {each}" for each in _DID}),
)

SKILL_DAYS = """
INSERT INTO skill_days AS d (organization_id, course, learner, skill, day, attempts, correct)
SELECT $1, n.* FROM unnest($2::text[], $3::text[], $4::text[], $5::date[], $6::bigint[], $7::bigint[]) AS n
ON CONFLICT (organization_id, course, learner, skill, day) DO UPDATE SET
    attempts = d.attempts + excluded.attempts, correct = d.correct + excluded.correct
"""

_FIRST = ("id", "answered_at", "day", "correct", "response_micros", "choices")


_EARLIER = "(excluded.answered_at, excluded.id) < (f.answered_at, f.id)"
DECISION_ANSWERS = f"""
INSERT INTO decision_answers AS f (organization_id, decision, learner, item, {", ".join(_FIRST)}, attempts)
SELECT $1, decision, learner, item, id, answered_at, day, correct, response_micros, string_to_array(choices, chr(31)), attempts
FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[], $7::date[], $8::boolean[], $9::bigint[], $10::text[],
            $11::bigint[]) AS n (decision, learner, item, {", ".join(_FIRST)}, attempts)
ON CONFLICT (organization_id, decision, learner, item) DO UPDATE SET
    attempts = f.attempts + excluded.attempts,
    {", ".join(f"{each} = CASE WHEN {_EARLIER} THEN excluded.{each} ELSE f.{each} END" for each in _FIRST)}
"""

# What a day's answers of a learner to an item come to: the first of them, and how many there are.
_ANSWER = "id, answered_at, correct, response_micros, choices, attempts"
_TOTALS = {"answers": "n", "correct": "n * correct::int"}
ANSWER_DAYS = _by_day(
    "answer_days",
    "course, item, learner",
    _ANSWER,
    """SELECT course COLLATE "C" AS course, item COLLATE "C" AS item, learner COLLATE "C" AS learner, day, id, answered_at, correct,
           response_micros, string_to_array(choices, chr(31)) AS choices, attempts
    FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[], $7::date[], $8::boolean[], $9::bigint[], $10::text[],
                $11::bigint[]) AS n (course, item, learner, id, answered_at, day, correct, response_micros, choices, attempts)""",
    f"""
    SELECT DISTINCT ON (course, item, learner, day) course, item, learner, day, max(before) OVER of_day AS before,
           {_ANSWER.removesuffix("attempts")} (sum(attempts) OVER of_day)::bigint AS attempts
    FROM every WINDOW of_day AS (PARTITION BY course, item, learner, day) ORDER BY course, item, learner, day, answered_at, id""",
    f""", ever AS ({_added("first_totals", "course, learner", _TOTALS, "WHERE before = '-infinity'")}
){_added("answer_totals", "course, learner, day, before", _TOTALS)}""",
)

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
SELECT *, coalesce(lag(day) OVER (PARTITION BY course, learner ORDER BY day), '-infinity') AS before FROM (
    SELECT course, learner, day, count(*) AS attempts, count(*) FILTER (WHERE correct) AS correct, sum(hints)::bigint AS hints,
           count(response_micros) AS timed, coalesce(sum(response_micros), 0)::bigint AS micros
    FROM attempts GROUP BY course, learner, day
) days
"""
_SKILLS = """
SELECT course, learner, skill, day, count(*) AS attempts, count(*) FILTER (WHERE correct) AS correct
FROM attempts CROSS JOIN LATERAL (SELECT DISTINCT each COLLATE "C" AS skill FROM unnest(skills) AS each) practised
GROUP BY course, learner, skill, day
"""


def _first_of(key: str, whose: str = "") -> str:
    columns = ", ".join(each for each in _FIRST if each not in key.split(", "))
    return f"""
SELECT DISTINCT ON ({key}) {key}, {columns}, count(*) OVER (PARTITION BY {key}) AS attempts
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


_ANSWERS = f"""
SELECT *, coalesce(lag(day) OVER (PARTITION BY course, item, learner ORDER BY day), '-infinity') AS before
FROM ({_first_of("course, item, learner, day")}) days
"""


def _summed(key: str, count: str, *sums: str) -> str:
    return f"{key}, count(*) AS {count}, " + ", ".join(f"sum({each})::bigint AS {each}" for each in sums)


# Each aggregate: its key, its other columns, and what they are made of.
REBUILT = {
    "learner_days": ("course, learner, day", f"before, {', '.join(_DID)}", _DAYS),
    "course_days": (
        "course, day, before",
        f"learners, {', '.join(_DID)}",
        f"SELECT {_summed('course, day, before', 'learners', *_DID)} FROM ({_DAYS}) days GROUP BY course, day, before",
    ),
    "skill_days": ("course, learner, skill, day", "attempts, correct", _SKILLS),
    "answer_days": ("course, item, learner, day", f"before, {_ANSWER}", _ANSWERS),
    "first_totals": (
        "course, learner",
        "answers, correct",
        "SELECT course, learner, count(*) AS answers, count(*) FILTER (WHERE correct) AS correct "
        f"FROM ({_ANSWERS}) days WHERE before = '-infinity' GROUP BY course, learner",
    ),
    "answer_totals": (
        "course, learner, day, before",
        "answers, correct",
        "SELECT course, learner, day, before, count(*) AS answers, count(*) FILTER (WHERE correct) AS correct "
        f"FROM ({_ANSWERS}) days GROUP BY course, learner, day, before",
    ),
    "decision_answers": (
        "decision, learner, item",
        f"{', '.join(_FIRST)}, attempts",
        _first_of("decision, learner, item", "WHERE decision <> ''"),
    ),
}
# Where what comes late moves counts from one key to another, a key with nothing left stays.
_COUNTS = {"course_days": "learners", "answer_totals": "answers"}


def differences(table: str) -> str:
    """How many keys an aggregate lacks, has too much, or has with other values than it should."""
    key, others, made_of = REBUILT[table]
    some = f"WHERE {_COUNTS[table]} <> 0" if table in _COUNTS else ""
    return f"""
WITH made AS MATERIALIZED (SELECT {key}, {others} FROM ({made_of}) rows),
kept AS MATERIALIZED (SELECT {key}, {others} FROM {table} {some})
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
