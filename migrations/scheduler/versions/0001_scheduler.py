"""Learners' states, item difficulties, publications, decisions."""

from alembic import op

from migrations.shared import outbox_table, tenant_table

revision = "scheduler_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # One row a learner, written whole: an update costs one row however many skills and items it touches. See docs/policy.md.
    tenant_table(
        "learner_states",
        "learner text NOT NULL",
        "sequence bigint NOT NULL",
        "state bytea NOT NULL",
        "PRIMARY KEY (organization_id, learner)",
        ddl_suffix="WITH (fillfactor = 70)",
    )
    # The states of active learners change with every answer and hardly compress: storing them plain saves the attempt.
    op.execute("ALTER TABLE learner_states ALTER COLUMN state SET STORAGE EXTERNAL")
    tenant_table(
        "item_difficulties",
        "item text NOT NULL",
        "difficulty double precision NOT NULL",
        "PRIMARY KEY (organization_id, item)",
        ddl_suffix="WITH (fillfactor = 70)",
    )
    tenant_table(
        "publications",
        "course text NOT NULL",
        "number bigint NOT NULL",
        "content bytea NOT NULL",
        "save_time timestamptz NOT NULL DEFAULT now()",
        "PRIMARY KEY (organization_id, course, number)",
    )
    tenant_table(
        "decisions",
        "id uuid NOT NULL",
        "learner text NOT NULL",
        "decide_time timestamptz NOT NULL",
        "record bytea NOT NULL",
        "PRIMARY KEY (organization_id, id)",
    )
    # For removing old records in the order of time: tiny, and nearly free to keep.
    op.execute("CREATE INDEX decisions_by_time ON decisions USING brin (decide_time)")
    outbox_table()
    # One round trip for the hottest write: binds the tenant, adds records with their events, and returns what is held
    # under these ids if any of them was taken.
    op.execute(
        """
        CREATE FUNCTION add_decisions(
            organization text, ids uuid[], learners text[], times timestamptz[], records bytea[],
            event_type text, event_topic text, keys text[], traceparents text[]
        ) RETURNS TABLE (held_id text, held_record bytea) LANGUAGE plpgsql AS $$
        DECLARE added_count int;
        BEGIN
            PERFORM set_config('paideia.organization', organization, true);
            WITH added AS (
                INSERT INTO decisions (organization_id, id, learner, decide_time, record)
                SELECT organization, * FROM unnest(ids, learners, times, records)
                ON CONFLICT DO NOTHING RETURNING id
            )
            INSERT INTO outbox (organization_id, event_id, type, topic, key, occurred_at, traceparent, payload)
            SELECT organization, each.id, event_type, event_topic, each.key, each.decide_time, each.traceparent, each.record
            FROM unnest(ids, keys, times, traceparents, records) AS each (id, key, decide_time, traceparent, record)
            JOIN added USING (id);
            GET DIAGNOSTICS added_count = ROW_COUNT;
            IF added_count < cardinality(ids) THEN
                RETURN QUERY SELECT id::text, record FROM decisions WHERE id = ANY (ids);
            END IF;
        END $$
        """
    )
