"""Signing in by one statement before the comparison of the password and one after it, and what addresses are found by.

The functions bind their organization themselves, row-level security is in force within them, and each is a transaction of its own. What
they decide is only whether something is still as it was seen.
"""

from alembic import op

revision = "identity_0011"
down_revision = "identity_0010"
branch_labels = None
depends_on = None

LOOK = """
CREATE FUNCTION look_at_sign_in(
    of_organization text, login text, email_indexes bytea[], throttle text,
    OUT failures integer, OUT last_failure_at timestamptz, OUT locked_until timestamptz, OUT plan text,
    OUT user_id text, OUT roles text[], OUT deactivated_at timestamptz, OUT hash text, OUT factors boolean
) LANGUAGE plpgsql SET search_path = identity, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('paideia.organization', '-', true);
    SELECT t.failures, t.last_failure_at, t.locked_until INTO look_at_sign_in.failures, look_at_sign_in.last_failure_at,
        look_at_sign_in.locked_until
    FROM sign_in_throttles AS t WHERE t.organization_id = '-' AND t.key = throttle;
    PERFORM set_config('paideia.organization', of_organization, true);
    SELECT o.plan INTO look_at_sign_in.plan FROM organizations AS o WHERE o.organization_id = of_organization;
    IF email_indexes IS NOT NULL THEN
        SELECT u.id INTO login FROM users AS u WHERE u.organization_id = of_organization AND u.email_index = ANY (email_indexes);
    END IF;
    SELECT u.id, u.roles, u.deactivated_at, p.hash INTO look_at_sign_in.user_id, look_at_sign_in.roles,
        look_at_sign_in.deactivated_at, look_at_sign_in.hash
    FROM users AS u LEFT JOIN passwords AS p ON p.organization_id = u.organization_id AND p.user_id = u.id
    WHERE u.organization_id = of_organization AND u.id = login;
    look_at_sign_in.factors := EXISTS (SELECT FROM totp_factors AS f WHERE f.organization_id = of_organization AND f.user_id = login)
        OR EXISTS (SELECT FROM passkeys AS k WHERE k.organization_id = of_organization AND k.user_id = login);
END $$
"""

START = """
CREATE FUNCTION start_session_as_seen(
    of_organization text, throttle text, seen_user text, seen_roles text[], seen_hash text,
    session uuid, started timestamptz, expires timestamptz, authenticated timestamptz, methods text[], device text, digest bytea,
    event_ids uuid[], types text[], topics text[], keys text[], moments timestamptz[], traceparents text[], payloads bytea[]
) RETURNS boolean LANGUAGE plpgsql SET search_path = identity, pg_temp AS $$
#variable_conflict use_variable
BEGIN
    PERFORM set_config('paideia.organization', '-', true);
    IF EXISTS (SELECT FROM sign_in_throttles AS t WHERE t.organization_id = '-' AND t.key = throttle) THEN
        RETURN false;
    END IF;
    PERFORM set_config('paideia.organization', of_organization, true);
    -- Whoever changes the password or the factors locks the user first.
    PERFORM FROM users AS u
    WHERE u.organization_id = of_organization AND u.id = seen_user AND u.deactivated_at IS NULL AND u.roles = seen_roles
    FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM FROM passwords AS p WHERE p.organization_id = of_organization AND p.user_id = seen_user AND p.hash = seen_hash;
    IF NOT FOUND
        OR EXISTS (SELECT FROM totp_factors AS f WHERE f.organization_id = of_organization AND f.user_id = seen_user)
        OR EXISTS (SELECT FROM passkeys AS k WHERE k.organization_id = of_organization AND k.user_id = seen_user)
    THEN
        RETURN false;
    END IF;
    DELETE FROM sessions AS s WHERE s.organization_id = of_organization AND s.user_id = seen_user AND s.expires_at <= started;
    INSERT INTO sessions (organization_id, id, user_id, started_at, expires_at, last_used_at, authenticated_at, methods, device)
    VALUES (of_organization, session, seen_user, started, expires, started, authenticated, methods, device);
    INSERT INTO refresh_tokens (organization_id, digest, session_id, spent) VALUES (of_organization, digest, session, false);
    INSERT INTO outbox (organization_id, event_id, type, topic, key, occurred_at, traceparent, payload)
    SELECT of_organization, * FROM unnest(event_ids, types, topics, keys, moments, traceparents, payloads);
    RETURN true;
END $$
"""

INDEX_KEY = """
CREATE FUNCTION index_key_of(of_organization text, OUT id uuid, OUT wrapped bytea)
LANGUAGE plpgsql SET search_path = identity, pg_temp AS $$
BEGIN
    PERFORM set_config('paideia.organization', of_organization, true);
    SELECT k.id, k.wrapped INTO index_key_of.id, index_key_of.wrapped
    FROM organization_keys AS k WHERE k.organization_id = of_organization AND k.purpose = 'index';
END $$
"""


def upgrade() -> None:
    op.execute(LOOK)
    op.execute(START)
    op.execute(INDEX_KEY)


def downgrade() -> None:
    op.execute("DROP FUNCTION index_key_of")
    op.execute("DROP FUNCTION start_session_as_seen")
    op.execute("DROP FUNCTION look_at_sign_in")
