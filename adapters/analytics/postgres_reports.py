"""The SQL of reports: a statement a report, sorted by the report's key. Row-level security narrows each to the unit's organization.

Parameters: `course`, `start`, `end`, `learners` and `items` are the query's; rows come after the key `k0`, `k1`, ... unless `beginning`, `most`
at most. Counts are divided as the definitions in domain/analytics/reports_from_log.py divide them, so that results are the same.
"""
# ruff: noqa: S608  # put together of texts of this module; values are parameters

from collections.abc import Mapping
from functools import partial

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

# asyncpg sends the first day of the calendar as -infinity, which no day is before.
_FIRST = "before < greatest(CAST(:start AS date), DATE '0001-01-01')"
# What was done on a day, by those who last did something on the day `before`: so of some days each learner is counted once, with the first
# one. Of all learners sums are kept; of those that are named they are made.
_DAYS_ASKED = """
    SELECT day, before, learners, attempts, correct, hints, timed, micros FROM course_days
    WHERE cardinality(CAST(:learners AS text[])) = 0 AND course = :course AND day BETWEEN :start AND :end AND learners > 0
    UNION ALL
    SELECT day, before, 1, attempts, correct, hints, timed, micros FROM learner_days
    WHERE course = :course AND day BETWEEN :start AND :end AND learner = ANY(CAST(:learners AS text[]))
"""

_SUMMARY = f"""
WITH did AS (
    SELECT coalesce(sum(learners) FILTER (WHERE {_FIRST}), 0)::bigint AS learners, coalesce(sum(attempts), 0)::bigint AS attempts,
           coalesce(sum(correct), 0)::bigint AS correct, sum(correct)::float8 / sum(attempts)::float8 AS share, {_MEAN_SECONDS} AS seconds,
           coalesce(sum(hints), 0)::bigint AS hints, min(day) AS first_day, max(day) AS last_day
    FROM ({_DAYS_ASKED}) asked
), begun AS (
    SELECT count(*) AS sessions, count(*) {_COMPLETED} AS completed FROM sessions WHERE {_ASKED}
)
SELECT learners, attempts, correct, share, seconds, hints, sessions, completed, first_day, last_day FROM did, begun
WHERE :beginning LIMIT :most
"""

_DAYS = f"""
SELECT day, sum(learners)::bigint, {_DID}, {_MEAN_SECONDS}, sum(hints)::bigint
FROM ({_DAYS_ASKED}) asked WHERE :beginning OR day > :k0 GROUP BY day ORDER BY day LIMIT :most
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

# A day's first answer is the first of the range if the day before on which the learner answered the item is not in the range. What a
# learner's first answers come to is kept: for all days in one row, else by day and day before.
_TOTALS = f"""
    SELECT learner, sum(answers) AS answers, sum(correct) AS correct FROM answer_totals
    WHERE course = :course AND day BETWEEN :start AND :end AND {_FIRST} AND {_OF_LEARNERS} GROUP BY learner
"""
_TOTALS_OF_ALL_DAYS = "SELECT learner, answers, correct FROM first_totals WHERE course = :course"


def _answers(reach: str, telling: str, totals: str) -> str:
    """The days' first answers to the items of the page, whose ids are `reach` the cursor. Items are found one after the other, each by one
    look at the index; that is much less than to read all answers for them."""
    after = f"course = :course AND {_OF_ITEMS} AND (:beginning OR item {reach} :k0)"
    return f"""
WITH RECURSIVE every_item AS (
    (SELECT item FROM answer_days WHERE {after} ORDER BY item LIMIT 1)
    UNION ALL SELECT (SELECT item FROM answer_days n WHERE {after} AND n.item > every_item.item ORDER BY item LIMIT 1)
    FROM every_item WHERE item IS NOT NULL
), page AS MATERIALIZED (
    SELECT item FROM every_item WHERE EXISTS (SELECT FROM answer_days d WHERE d.item = every_item.item AND {_ASKED} {telling})
    LIMIT :most
), totals AS MATERIALIZED ({totals}), answers AS (
    SELECT item, correct, response_micros, choices, attempts, {_FIRST} AS first, correct::int::float8 AS here,
           (totals.right - correct::int)::float8 / nullif(totals.answers - 1, 0)::float8 AS rest
    FROM page JOIN answer_days USING (item) JOIN (SELECT learner, answers, correct AS right FROM totals) totals USING (learner)
    WHERE {_ASKED}
)"""


_ITEMS = """
SELECT item, count(*) FILTER (WHERE first), count(*) FILTER (WHERE first AND correct),
       (count(*) FILTER (WHERE first AND correct))::float8 / (count(*) FILTER (WHERE first))::float8,
       CASE WHEN min(here) FILTER (WHERE first AND rest IS NOT NULL) < max(here) FILTER (WHERE first AND rest IS NOT NULL)
                 AND min(rest) FILTER (WHERE first) < max(rest) FILTER (WHERE first)
            THEN corr(here, rest) FILTER (WHERE first) END,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY response_micros) FILTER (WHERE first) / 1e6, sum(attempts)::bigint
FROM answers GROUP BY item ORDER BY item
"""
_CHOICES = """, telling AS (
    SELECT item, count(*) AS answers FROM answers WHERE first AND cardinality(choices) > 0 GROUP BY item
)
SELECT item, choice, count(*), count(*)::float8 / min(telling.answers)::float8, avg(rest)
FROM answers JOIN telling USING (item)
CROSS JOIN LATERAL (SELECT DISTINCT chosen COLLATE "C" AS choice FROM unnest(choices) AS chosen) picked
WHERE first AND (:beginning OR (item, choice) > (:k0, :k1))
GROUP BY item, choice ORDER BY item, choice LIMIT :most
"""
_ITEMS_OF = partial(_answers, ">", "")
_CHOICES_OF = partial(_answers, ">=", f"AND {_FIRST} AND cardinality(choices) > 0")


def _monday(day: str) -> str:
    return f"({day} - ({day} - DATE '0001-01-01') % 7)"  # that day was a Monday


_ENGAGEMENT = f"""
WITH answered AS (
    SELECT week, sum(learners) FILTER (WHERE before < greatest(week, :start))::bigint AS learners, sum(attempts)::bigint AS attempts,
           sum(learners) AS days
    FROM (SELECT {_monday("day")} AS week, * FROM ({_DAYS_ASKED}) asked) asked GROUP BY week
), begun AS (
    SELECT {_monday("day")} AS week, count(*) AS sessions, count(*) {_COMPLETED} AS completed,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY date_part('epoch', ended_at - started_at)) {_COMPLETED} / 60 AS minutes
    FROM sessions WHERE {_ASKED} GROUP BY week
)
SELECT week, coalesce(learners, 0), coalesce(attempts, 0), attempts::float8 / learners::float8, days::float8 / learners::float8,
       coalesce(sessions, 0), coalesce(completed, 0), completed::float8 / sessions::float8, minutes
FROM answered FULL JOIN begun USING (week) WHERE :beginning OR week > :k0 ORDER BY week LIMIT :most
"""

# A learner begins on the day before which there is none, and is counted in a week with the first day of it.
_RETENTION = f"""
WITH began AS (
    SELECT learner, {_monday("day")} AS cohort FROM learner_days
    WHERE course = :course AND {_OF_LEARNERS} AND before = '-infinity' AND day BETWEEN :start AND :end
), sizes AS (
    SELECT cohort, count(*) AS learners FROM began GROUP BY cohort
), weeks AS (
    SELECT learner, {_monday("day")} AS week FROM learner_days WHERE course = :course AND {_OF_LEARNERS} AND before < {_monday("day")}
), active AS (
    SELECT cohort, (week - cohort) / 7 AS later, count(*) AS learners FROM began JOIN weeks USING (learner) GROUP BY cohort, later
)
SELECT cohort, later, sizes.learners, active.learners, active.learners::float8 / sizes.learners::float8
FROM active JOIN sizes USING (cohort) WHERE :beginning OR (cohort, later) > (:k0, :k1) ORDER BY cohort, later LIMIT :most
"""

_DECISIONS = f"""
WITH each_learner AS (
    SELECT policy_version, arm, mode, shadow, learner, count(*) AS decisions, sum(item_count) AS items,
           count(*) FILTER (WHERE item_count = 0) AS empty, count(*) FILTER (WHERE fell_back) AS fell_back,
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
    ReportKind.ITEMS: _ITEMS_OF(_TOTALS) + _ITEMS,
    ReportKind.CHOICES: _CHOICES_OF(_TOTALS) + _CHOICES,
    ReportKind.ENGAGEMENT: _ENGAGEMENT,
    ReportKind.RETENTION: _RETENTION,
    ReportKind.DECISIONS: _DECISIONS,
}
OF_ALL_DAYS: Mapping[ReportKind, str] = {
    ReportKind.ITEMS: _ITEMS_OF(_TOTALS_OF_ALL_DAYS) + _ITEMS,
    ReportKind.CHOICES: _CHOICES_OF(_TOTALS_OF_ALL_DAYS) + _CHOICES,
}
"""Those that are asked differently of all days than of some."""
