"""The SQL of reports: a statement a report, sorted by the report's key. Row-level security narrows each to the unit's organization.

Parameters: `course`, `start`, `end`, `learners` and `items` are the query's; rows come after the key `k0`, `k1`, ... unless `beginning`, `most`
at most. Counts are divided as the definitions in domain/analytics/reports_from_log.py divide them, so that results are the same.
"""
# ruff: noqa: S608  # put together of texts of this module; values are parameters

from collections.abc import Mapping

from domain.analytics.model import MASTERED, ReportKind

_OF_LEARNERS = "(cardinality(CAST(:learners AS text[])) = 0 OR learner = ANY(CAST(:learners AS text[])))"
_ASKED = f"course = :course AND day BETWEEN :start AND :end AND {_OF_LEARNERS}"
_OF_ITEMS = "(cardinality(CAST(:items AS text[])) = 0 OR item = ANY(CAST(:items AS text[])))"
_DID = """sum(attempts)::bigint AS attempts, sum(correct)::bigint AS correct, sum(correct)::float8 / sum(attempts)::float8 AS share"""
_MEAN_SECONDS = "sum(micros)::float8 / nullif(sum(timed), 0)::float8 / 1e6"
_COMPLETED = "FILTER (WHERE ended_at >= started_at)"
# The newest word on a learner's skill up to the end of the range.
_MASTERY = """
LEFT JOIN LATERAL (
    SELECT mean, lower, upper FROM mastery_days m
    WHERE m.learner = page.learner AND m.skill = {skills}.skill AND m.day <= :end
    ORDER BY sequence DESC, revision DESC LIMIT 1
) told ON true
"""

_SUMMARY = f"""
WITH each_learner AS (
    SELECT sum(attempts) AS attempts, sum(correct) AS correct, sum(hints) AS hints, sum(timed) AS timed, sum(micros) AS micros,
           min(day) AS first_day, max(day) AS last_day
    FROM learner_days WHERE {_ASKED} GROUP BY learner
), did AS (
    SELECT count(*), coalesce(sum(attempts), 0)::bigint, coalesce(sum(correct), 0)::bigint, sum(correct)::float8 / sum(attempts)::float8,
           {_MEAN_SECONDS}, coalesce(sum(hints), 0)::bigint
    FROM each_learner
), begun AS (
    SELECT count(*), count(*) {_COMPLETED} FROM sessions WHERE {_ASKED}
)
SELECT did.*, begun.*, (SELECT min(first_day) FROM each_learner), (SELECT max(last_day) FROM each_learner) FROM did, begun
WHERE :beginning LIMIT :most
"""

_DAYS = f"""
SELECT day, count(*), {_DID}, {_MEAN_SECONDS}, sum(hints)::bigint
FROM learner_days WHERE {_ASKED} AND (:beginning OR day > :k0) GROUP BY day ORDER BY day LIMIT :most
"""

_LEARNERS = f"""
WITH page AS (
    SELECT learner, {_DID}, count(*) AS days, sum(micros)::float8 / 1e6 AS seconds, min(day) AS first_day, max(day) AS last_day
    FROM learner_days WHERE {_ASKED} AND (:beginning OR learner > :k0) GROUP BY learner ORDER BY learner LIMIT :most
)
SELECT learner, attempts, correct, share, days, seconds, sessions, skills, mastered, first_day, last_day FROM page
CROSS JOIN LATERAL (
    SELECT count(*) AS sessions FROM sessions s
    WHERE s.learner = page.learner AND s.course = :course AND s.day BETWEEN :start AND :end
) begun
CROSS JOIN LATERAL (
    SELECT count(*) AS skills, count(*) FILTER (WHERE told.mean >= {MASTERED}) AS mastered
    FROM (SELECT DISTINCT skill FROM skill_days d
          WHERE d.course = :course AND d.learner = page.learner AND d.day BETWEEN :start AND :end) practised
    {_MASTERY.format(skills="practised")}
) known
ORDER BY learner
"""

_HEAT_MAP = f"""
WITH page AS (
    SELECT learner, skill, {_DID} FROM skill_days
    WHERE {_ASKED} AND (:beginning OR (learner, skill) > (:k0, :k1)) GROUP BY learner, skill ORDER BY learner, skill LIMIT :most
)
SELECT learner, skill, attempts, correct, share, told.mean, told.lower, told.upper
FROM page {_MASTERY.format(skills="page")} ORDER BY learner, skill
"""

# Of all days the first answers are kept, and what they come to; of some days they are found among the attempts of these.
_FIRSTS_EVER = f"""
WITH firsts AS NOT MATERIALIZED (
    SELECT item, learner, correct, response_micros, choices, attempts FROM first_answers
    WHERE course = :course AND {_OF_LEARNERS}
), totals AS NOT MATERIALIZED (
    SELECT learner, answers, correct FROM first_totals WHERE course = :course
)"""
_FIRSTS_IN_RANGE = f"""
WITH firsts AS (
    SELECT DISTINCT ON (item, learner)
           item, learner, correct, response_micros, choices, count(*) OVER (PARTITION BY item, learner) AS attempts
    FROM attempts WHERE {_ASKED} ORDER BY item, learner, answered_at, id
), totals AS (
    SELECT learner, count(*) AS answers, count(*) FILTER (WHERE correct) AS correct FROM firsts GROUP BY learner
)"""
_RESTS = """, answers AS (
    SELECT f.item, f.learner, f.correct, f.response_micros, f.choices, f.attempts, f.correct::int::float8 AS here,
           (t.correct - f.correct::int)::float8 / nullif(t.answers - 1, 0)::float8 AS rest
    FROM firsts f JOIN totals t USING (learner)
    WHERE f.item IN (SELECT item FROM page)
)"""
_ITEMS = (
    f""", page AS (
    SELECT DISTINCT item FROM firsts WHERE (:beginning OR item > :k0) AND {_OF_ITEMS} ORDER BY item LIMIT :most
)"""
    + _RESTS
    + """
SELECT item, count(*), count(*) FILTER (WHERE correct), (count(*) FILTER (WHERE correct))::float8 / count(*)::float8,
       CASE WHEN min(here) FILTER (WHERE rest IS NOT NULL) < max(here) FILTER (WHERE rest IS NOT NULL) AND min(rest) < max(rest)
            THEN corr(here, rest) END,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY response_micros) / 1e6, sum(attempts)::bigint
FROM answers GROUP BY item ORDER BY item
"""
)
_CHOICES = (
    f""", page AS (
    SELECT DISTINCT item FROM firsts WHERE (:beginning OR item >= :k0) AND cardinality(choices) > 0 AND {_OF_ITEMS}
    ORDER BY item LIMIT :most
)"""
    + _RESTS
    + """, telling AS (
    SELECT item, count(*) AS answers FROM answers WHERE cardinality(choices) > 0 GROUP BY item
)
SELECT item, choice, count(*), count(*)::float8 / min(telling.answers)::float8, avg(rest)
FROM answers JOIN telling USING (item)
CROSS JOIN LATERAL (SELECT DISTINCT chosen COLLATE "C" AS choice FROM unnest(choices) AS chosen) picked
WHERE :beginning OR (item, choice) > (:k0, :k1)
GROUP BY item, choice ORDER BY item, choice LIMIT :most
"""
)


def _monday(day: str) -> str:
    return f"({day} - ({day} - DATE '0001-01-01') % 7)"  # that day was a Monday


_ENGAGEMENT = f"""
WITH each_learner AS (
    SELECT {_monday("day")} AS week, learner, sum(attempts) AS attempts, count(*) AS days
    FROM learner_days WHERE {_ASKED} GROUP BY week, learner
), answered AS (
    SELECT week, count(*) AS learners, sum(attempts)::bigint AS attempts, sum(days) AS days FROM each_learner GROUP BY week
), begun AS (
    SELECT {_monday("day")} AS week, count(*) AS sessions, count(*) {_COMPLETED} AS completed,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - started_at)::float8) {_COMPLETED} / 60 AS minutes
    FROM sessions WHERE {_ASKED} GROUP BY week
)
SELECT week, coalesce(learners, 0), coalesce(attempts, 0), attempts::float8 / learners::float8, days::float8 / learners::float8,
       coalesce(sessions, 0), coalesce(completed, 0), completed::float8 / sessions::float8, minutes
FROM answered FULL JOIN begun USING (week) WHERE :beginning OR week > :k0 ORDER BY week LIMIT :most
"""

_RETENTION = f"""
WITH began AS (
    SELECT learner, {_monday("min(day)")} AS cohort FROM learner_days WHERE course = :course AND {_OF_LEARNERS}
    GROUP BY learner HAVING min(day) BETWEEN :start AND :end
), sizes AS (
    SELECT cohort, count(*) AS learners FROM began GROUP BY cohort
), weeks AS (
    SELECT learner, {_monday("day")} AS week FROM learner_days WHERE course = :course AND {_OF_LEARNERS} GROUP BY learner, week
), active AS (
    SELECT cohort, (week - cohort) / 7 AS later, count(*) AS learners FROM began JOIN weeks USING (learner) GROUP BY cohort, later
)
SELECT cohort, later, sizes.learners, active.learners, active.learners::float8 / sizes.learners::float8
FROM active JOIN sizes USING (cohort) WHERE :beginning OR (cohort, later) > (:k0, :k1) ORDER BY cohort, later LIMIT :most
"""

_DECISIONS = f"""
WITH each_learner AS (
    SELECT policy_version, arm, mode, shadow, learner, count(*) AS decisions, sum(cardinality(items)) AS items,
           count(*) FILTER (WHERE cardinality(items) = 0) AS empty, count(*) FILTER (WHERE fell_back) AS fell_back,
           sum(answered) AS answered, sum(correct) AS correct, sum(predicted_count) AS predicted_count, sum(predicted_sum) AS predicted_sum
    FROM decisions WHERE {_ASKED} GROUP BY policy_version, arm, mode, shadow, learner
)
SELECT policy_version, arm, mode, shadow, sum(decisions)::bigint, count(*), sum(items)::bigint, sum(empty)::bigint,
       sum(fell_back)::bigint, sum(answered)::bigint, sum(correct)::bigint, sum(correct)::float8 / nullif(sum(answered), 0)::float8,
       sum(predicted_sum) / nullif(sum(predicted_count), 0)::float8
FROM each_learner WHERE :beginning OR (policy_version, arm, mode, shadow) > (:k0, :k1, :k2, :k3)
GROUP BY policy_version, arm, mode, shadow ORDER BY policy_version, arm, mode, shadow LIMIT :most
"""

STATEMENTS: Mapping[ReportKind, str] = {
    ReportKind.SUMMARY: _SUMMARY,
    ReportKind.DAYS: _DAYS,
    ReportKind.LEARNERS: _LEARNERS,
    ReportKind.HEAT_MAP: _HEAT_MAP,
    ReportKind.ITEMS: _FIRSTS_EVER + _ITEMS,
    ReportKind.CHOICES: _FIRSTS_EVER + _CHOICES,
    ReportKind.ENGAGEMENT: _ENGAGEMENT,
    ReportKind.RETENTION: _RETENTION,
    ReportKind.DECISIONS: _DECISIONS,
}
IN_RANGE: Mapping[ReportKind, str] = {
    ReportKind.ITEMS: _FIRSTS_IN_RANGE + _ITEMS,
    ReportKind.CHOICES: _FIRSTS_IN_RANGE + _CHOICES,
}
"""Those that are asked differently of some days than of all."""
