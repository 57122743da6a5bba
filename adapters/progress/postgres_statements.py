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
                         $10::text[], $11::text[], $12::text[], $13::float8[], $14::boolean[], $15::float8[], $16::text[],
                         $17::interval[], $18::smallint[])
    AS n (id, fingerprint, learner_id, sequence, answer_time, course_id, item_id, item_revision,
          skills, means_before, means_after, score, correct, predicted_correct, decision_id,
          response_time, hints_revealed)
), counted AS (
    INSERT INTO attempt_ids (organization_id, id, fingerprint, learner_id, sequence, answer_time)
    SELECT $1, id, fingerprint, learner_id, sequence, answer_time FROM new
), kept AS (
    INSERT INTO attempts (organization_id, id, learner_id, sequence, course_id, item_id, item_revision, skills, means_before,
                          means_after, score, correct, predicted_correct, model_version, decision_id, response_time,
                          hints_revealed, answer_time, record_time)
    SELECT $1, id, learner_id, sequence, course_id, item_id, item_revision, string_to_array(skills, ' '),
           string_to_array(means_before, ' ')::float8[], string_to_array(means_after, ' ')::float8[], score, correct,
           predicted_correct, $19, decision_id, response_time, hints_revealed, answer_time, $20
    FROM new
), sequences AS (
    INSERT INTO learners (organization_id, learner_id, attempt_count)
    SELECT $1, n.* FROM unnest($21::text[], $22::bigint[]) AS n
    ON CONFLICT (organization_id, learner_id) DO UPDATE SET attempt_count = excluded.attempt_count
), abilities AS (
    INSERT INTO courses (organization_id, learner_id, course_id, ability_mean, ability_variance, skills)
    SELECT $1, learner_id, course_id, mean, variance, string_to_array(skills, ' ')
    FROM unnest($23::text[], $24::text[], $25::float8[], $26::float8[], $27::text[])
         AS n (learner_id, course_id, mean, variance, skills)
    ON CONFLICT (organization_id, learner_id, course_id) DO UPDATE SET
        ability_mean = excluded.ability_mean, ability_variance = excluded.ability_variance, skills = excluded.skills
), masteries AS (
    INSERT INTO skills (organization_id, learner_id, skill_id, mean, lower, upper, attempt_count, correct_count, last_answer_time,
                        deviation_mean, deviation_variance, knowledge)
    SELECT $1, n.* FROM unnest($28::text[], $29::text[], $30::float8[], $31::float8[], $32::float8[], $33::bigint[], $34::bigint[],
                               $35::timestamptz[], $36::float8[], $37::float8[], $38::bytea[]) AS n
    ON CONFLICT (organization_id, learner_id, skill_id) DO UPDATE SET
        mean = excluded.mean, lower = excluded.lower, upper = excluded.upper, attempt_count = excluded.attempt_count,
        correct_count = excluded.correct_count, last_answer_time = excluded.last_answer_time,
        deviation_mean = excluded.deviation_mean, deviation_variance = excluded.deviation_variance,
        knowledge = excluded.knowledge
)
INSERT INTO items (organization_id, item_id, attempt_count, slope_precision, cross_precision, intercept_precision,
                   slope_shift, intercept_shift)
SELECT $1, n.* FROM unnest($39::text[], $40::bigint[], $41::float8[], $42::float8[], $43::float8[], $44::float8[], $45::float8[]) AS n
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
SELECT a.id::text AS id, a.learner_id, a.sequence, a.course_id, a.item_id, a.item_revision, a.skills, a.means_before, a.means_after,
       a.score, a.correct, a.predicted_correct, a.model_version, a.decision_id, a.response_time, a.hints_revealed, a.answer_time,
       a.record_time
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
SELECT s.learner_id, s.skill_id, s.mean, s.lower, s.upper, s.attempt_count, s.correct_count, s.last_answer_time FROM skills s
"""
SKILLS = _SKILL + "WHERE s.learner_id = $1 ORDER BY s.skill_id"
SKILL = _SKILL + "WHERE s.learner_id = $1 AND s.skill_id = $2"
MASTERIES = f"""
SELECT s.* FROM courses c,
LATERAL ({_SKILL} WHERE s.learner_id = c.learner_id AND s.skill_id = ANY(c.skills) OFFSET 0) s
WHERE c.course_id = $1 AND c.learner_id >= $2 AND (c.learner_id, s.skill_id) > ($2, $3)
ORDER BY c.learner_id, s.skill_id LIMIT $4
"""  # noqa: S608 (nothing in it comes from outside)
ABILITIES = "SELECT course_id, ability_mean, ability_variance FROM courses WHERE learner_id = $1 ORDER BY course_id"
ATTEMPT_COUNT = "SELECT attempt_count FROM learners WHERE learner_id = $1"
