"""The SQL of progress. Row-level security narrows every statement to the unit's organization, `$1` is it where rows are written.

Rows are looked up one by one, LATERAL .. LIMIT 1: whatever the statistics say of an organization's size, the plan is the key's index.
Lists of skills travel as one text with spaces between, because PostgreSQL has no arrays of arrays of different lengths.
"""

# Takes the lock of each learner, in the order given, whether the row is there or not yet.
LOCK_LEARNERS = """
INSERT INTO learners (organization_id, learner_id) SELECT $1, learner FROM unnest($2::text[]) learner
ON CONFLICT (organization_id, learner_id) DO UPDATE SET attempt_count = learners.attempt_count
RETURNING learner_id, attempt_count
"""

# One trip for all that a batch needs to know. Separate from the lock, so that it sees what the lock waited for.
READ = """
SELECT
ARRAY(SELECT ROW(a.id::text, a.fingerprint) FROM attempt_ids a WHERE a.id = ANY($1::uuid[])),
ARRAY(SELECT ROW(c.learner_id, c.course_id, c.ability_mean, c.ability_variance, array_to_string(c.skills, ' '))
      FROM unnest($2::text[], $3::text[]) AS wanted (learner, course),
      LATERAL (SELECT * FROM courses WHERE learner_id = wanted.learner AND course_id = wanted.course LIMIT 1) c),
ARRAY(SELECT ROW(s.learner_id, s.skill_id, s.mean, s.lower, s.upper, s.attempt_count, s.correct_count, s.last_answer_time,
                 s.deviation_mean, s.deviation_variance, s.knowledge)
      FROM unnest($4::text[], $5::text[]) AS wanted (learner, skill),
      LATERAL (SELECT * FROM skills WHERE learner_id = wanted.learner AND skill_id = wanted.skill LIMIT 1) s),
ARRAY(SELECT ROW(i.item_id, i.attempt_count, i.slope_precision, i.cross_precision, i.intercept_precision,
                 i.slope_shift, i.intercept_shift)
      FROM items i WHERE i.item_id = ANY($6::text[]))
"""

# One trip for all that a batch leaves behind. Items are added to in the order given, so that batches never wait for each other in a ring.
WRITE = """
WITH new AS (
    SELECT * FROM unnest($2::uuid[], $3::bytea[], $4::text[], $5::bigint[], $6::timestamptz[], $7::text[], $8::text[], $9::bigint[],
                         $10::text[], $11::text[], $12::text[], $13::text[], $14::float8[], $15::boolean[], $16::float8[],
                         $17::text[], $18::interval[], $19::smallint[], $20::bytea[])
    AS n (id, fingerprint, learner_id, sequence, answer_time, course_id, item_id, item_revision,
          skills, means_before, means_retained, means_after, score, correct, predicted_correct, decision_id,
          response_time, hints_revealed, item_evidence)
), counted AS (
    INSERT INTO attempt_ids (organization_id, id, fingerprint, learner_id, sequence, answer_time)
    SELECT $1, id, fingerprint, learner_id, sequence, answer_time FROM new
), kept AS (
    INSERT INTO attempts (organization_id, id, learner_id, sequence, course_id, item_id, item_revision, skills, means_before,
                          means_retained, means_after, score, correct, predicted_correct, model_version, decision_id, response_time,
                          hints_revealed, answer_time, record_time, item_evidence)
    SELECT $1, id, learner_id, sequence, course_id, item_id, item_revision, string_to_array(skills, ' '),
           string_to_array(means_before, ' ')::float8[], string_to_array(means_retained, ' ')::float8[],
           string_to_array(means_after, ' ')::float8[], score, correct,
           predicted_correct, $21, decision_id, response_time, hints_revealed, answer_time, $22, item_evidence
    FROM new
), sequences AS (
    INSERT INTO learners (organization_id, learner_id, attempt_count)
    SELECT $1, n.* FROM unnest($23::text[], $24::bigint[]) AS n
    ON CONFLICT (organization_id, learner_id) DO UPDATE SET attempt_count = excluded.attempt_count
), abilities AS (
    INSERT INTO courses (organization_id, learner_id, course_id, ability_mean, ability_variance, skills)
    SELECT $1, learner_id, course_id, mean, variance, string_to_array(skills, ' ')
    FROM unnest($25::text[], $26::text[], $27::float8[], $28::float8[], $29::text[])
         AS n (learner_id, course_id, mean, variance, skills)
    ON CONFLICT (organization_id, learner_id, course_id) DO UPDATE SET
        ability_mean = excluded.ability_mean, ability_variance = excluded.ability_variance, skills = excluded.skills
), masteries AS (
    INSERT INTO skills (organization_id, learner_id, skill_id, mean, lower, upper, attempt_count, correct_count, last_answer_time,
                        deviation_mean, deviation_variance, knowledge)
    SELECT $1, n.* FROM unnest($30::text[], $31::text[], $32::float8[], $33::float8[], $34::float8[], $35::bigint[], $36::bigint[],
                               $37::timestamptz[], $38::float8[], $39::float8[], $40::bytea[]) AS n
    ON CONFLICT (organization_id, learner_id, skill_id) DO UPDATE SET
        mean = excluded.mean, lower = excluded.lower, upper = excluded.upper, attempt_count = excluded.attempt_count,
        correct_count = excluded.correct_count, last_answer_time = excluded.last_answer_time,
        deviation_mean = excluded.deviation_mean, deviation_variance = excluded.deviation_variance,
        knowledge = excluded.knowledge
)
INSERT INTO items (organization_id, item_id, attempt_count, slope_precision, cross_precision, intercept_precision,
                   slope_shift, intercept_shift)
SELECT $1, n.* FROM unnest($41::text[], $42::bigint[], $43::float8[], $44::float8[], $45::float8[], $46::float8[], $47::float8[]) AS n
ON CONFLICT (organization_id, item_id) DO UPDATE SET
    attempt_count = items.attempt_count + excluded.attempt_count,
    slope_precision = items.slope_precision + excluded.slope_precision,
    cross_precision = items.cross_precision + excluded.cross_precision,
    intercept_precision = items.intercept_precision + excluded.intercept_precision,
    slope_shift = items.slope_shift + excluded.slope_shift,
    intercept_shift = items.intercept_shift + excluded.intercept_shift
"""

ENSURE_PARTITION = "SELECT ensure_attempts_partition($1)"

_ATTEMPT = """
SELECT a.id::text AS id, a.learner_id, a.sequence, a.course_id, a.item_id, a.item_revision, a.skills, a.means_before,
       coalesce(a.means_retained, a.means_before) AS means_retained, a.means_after, a.score, a.correct, a.predicted_correct,
       a.model_version, a.decision_id, a.response_time, a.hints_revealed, a.answer_time, a.record_time, a.item_evidence
FROM attempts a
"""
ATTEMPT = (
    _ATTEMPT
    + """
JOIN attempt_ids i ON i.sequence = a.sequence AND i.answer_time = a.answer_time
WHERE i.id = $1 AND i.learner_id = $2 AND a.learner_id = $2
"""
)
ATTEMPTS_OF_LEARNER = (
    _ATTEMPT
    + """
WHERE a.learner_id = $1 AND a.sequence > $2 AND ($3::text IS NULL OR a.course_id = $3)
ORDER BY a.sequence LIMIT $4
"""
)
ATTEMPTS = (
    _ATTEMPT
    + """
WHERE (a.learner_id, a.sequence) > ($1, $2) AND ($3::text IS NULL OR a.course_id = $3)
ORDER BY a.learner_id, a.sequence LIMIT $4
"""
)
EVIDENCE = _ATTEMPT + "WHERE a.learner_id = $1 AND $2 = ANY(a.skills) ORDER BY a.sequence DESC LIMIT $3"

_SKILL = """
SELECT s.learner_id, s.skill_id, s.mean, s.lower, s.upper, s.attempt_count, s.correct_count, s.last_answer_time,
       s.deviation_mean, s.deviation_variance, s.knowledge
FROM skills s
"""
SKILLS = _SKILL + "WHERE s.learner_id = $1 ORDER BY s.skill_id"
SKILL = _SKILL + "WHERE s.learner_id = $1 AND s.skill_id = $2"
MASTERIES = f"""
SELECT s.* FROM courses c,
LATERAL ({_SKILL} WHERE s.learner_id = c.learner_id AND s.skill_id = ANY(c.skills) OFFSET 0) s
WHERE c.course_id = $1 AND c.learner_id >= $2 AND (c.learner_id, s.skill_id) > ($2, $3)
  AND ($5::text[] IS NULL OR c.learner_id = ANY($5))
ORDER BY c.learner_id, s.skill_id LIMIT $4
"""  # noqa: S608 (nothing in it comes from outside)
COURSES = "SELECT course_id, ability_mean, ability_variance, skills FROM courses WHERE learner_id = $1"
LEARNER = "SELECT attempt_count, reordered, revision FROM learners WHERE learner_id = $1"

# Waits for recomputations of the same learner only; until the transaction ends.
RECOMPUTE_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended($1, 3))"
# A state that is rebuilt from some of the attempts would be wrong.
ALL_ARE_HERE = """
SELECT NOT EXISTS (SELECT FROM retired_months)
    OR coalesce((SELECT attempt_count FROM learners WHERE learner_id = $1), 0) <= (SELECT count(*) FROM attempts WHERE learner_id = $1)
"""
LOG = _ATTEMPT + "WHERE a.learner_id = $1 AND a.sequence > $2 AND a.sequence <= $3 ORDER BY a.sequence"
LOG_BY_OCCURRENCE = (
    _ATTEMPT + "WHERE a.learner_id = $1 AND a.sequence > $2 AND a.sequence <= $3 ORDER BY a.answer_time, a.sequence"
)
ITEMS = """
SELECT item_id, attempt_count, slope_precision, cross_precision, intercept_precision, slope_shift, intercept_shift
FROM items WHERE item_id = ANY($1::text[])
"""
CORRECT = """
UPDATE attempts a SET
    means_before = string_to_array(n.means_before, ' ')::float8[],
    means_retained = string_to_array(n.means_retained, ' ')::float8[],
    means_after = string_to_array(n.means_after, ' ')::float8[]
FROM unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
     AS n (sequence, answer_time, means_before, means_retained, means_after)
WHERE a.learner_id = $1 AND a.sequence = n.sequence AND a.answer_time = n.answer_time
"""
REPAIR = """
WITH sequences AS (
    INSERT INTO learners (organization_id, learner_id, attempt_count, reordered, revision) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (organization_id, learner_id) DO UPDATE SET
        attempt_count = excluded.attempt_count, reordered = excluded.reordered, revision = excluded.revision
), no_courses AS (
    DELETE FROM courses WHERE learner_id = $2 AND course_id <> ALL($7::text[])
), no_skills AS (
    DELETE FROM skills WHERE learner_id = $2 AND skill_id <> ALL($12::text[])
), abilities AS (
    INSERT INTO courses (organization_id, learner_id, course_id, ability_mean, ability_variance, skills)
    SELECT $1, learner_id, course_id, mean, variance, string_to_array(skills, ' ')
    FROM unnest($6::text[], $7::text[], $8::float8[], $9::float8[], $10::text[])
         AS n (learner_id, course_id, mean, variance, skills)
    ON CONFLICT (organization_id, learner_id, course_id) DO UPDATE SET
        ability_mean = excluded.ability_mean, ability_variance = excluded.ability_variance, skills = excluded.skills
)
INSERT INTO skills (organization_id, learner_id, skill_id, mean, lower, upper, attempt_count, correct_count, last_answer_time,
                    deviation_mean, deviation_variance, knowledge)
SELECT $1, n.* FROM unnest($11::text[], $12::text[], $13::float8[], $14::float8[], $15::float8[], $16::bigint[], $17::bigint[],
                           $18::timestamptz[], $19::float8[], $20::float8[], $21::bytea[]) AS n
ON CONFLICT (organization_id, learner_id, skill_id) DO UPDATE SET
    mean = excluded.mean, lower = excluded.lower, upper = excluded.upper, attempt_count = excluded.attempt_count,
    correct_count = excluded.correct_count, last_answer_time = excluded.last_answer_time,
    deviation_mean = excluded.deviation_mean, deviation_variance = excluded.deviation_variance, knowledge = excluded.knowledge
"""
