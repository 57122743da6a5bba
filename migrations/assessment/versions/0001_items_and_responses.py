"""Items as published, responses, revealed hints."""

from alembic import op

from migrations.shared import outbox_table, tenant_table

revision = "assessment_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Revisions never change: a response finds its explanation here for ever.
    tenant_table(
        "item_revisions",
        "item_id text NOT NULL",
        "revision bigint NOT NULL",
        "content json NOT NULL",
        "explanation text NOT NULL",
        "PRIMARY KEY (organization_id, item_id, revision)",
    )
    # Which revision of an item the newest publication known to hold it has pinned.
    tenant_table(
        "course_items",
        "course_id text NOT NULL",
        "item_id text NOT NULL",
        "publication bigint NOT NULL",
        "revision bigint NOT NULL",
        "PRIMARY KEY (organization_id, course_id, item_id)",
    )
    tenant_table(
        "responses",
        "id uuid NOT NULL",
        "learner_id text NOT NULL",
        "course_id text NOT NULL",
        "item_id text NOT NULL",
        "item_revision bigint NOT NULL",
        "answer json NOT NULL",
        "score double precision NOT NULL CHECK (score BETWEEN 0 AND 1)",
        "correct boolean NOT NULL",
        "feedback json NOT NULL",
        "hints_revealed integer NOT NULL",
        "decision_id text NOT NULL",
        "response_time interval",
        "answer_time timestamptz NOT NULL",
        # Equal to answer_time when the learner told none.
        "receive_time timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, id)",
    )
    op.execute("CREATE INDEX responses_of_learner ON responses (organization_id, learner_id, answer_time DESC, id DESC)")
    # A hint is active until a response claims it.
    tenant_table(
        "hint_reveals",
        "request_id uuid NOT NULL",
        "learner_id text NOT NULL",
        "course_id text NOT NULL",
        "item_id text NOT NULL",
        "number integer NOT NULL",
        "text text NOT NULL",
        "remaining integer NOT NULL",
        "response_id uuid",
        "reveal_time timestamptz NOT NULL DEFAULT now()",
        "PRIMARY KEY (organization_id, request_id)",
    )
    op.execute(
        "CREATE UNIQUE INDEX active_hints ON hint_reveals (organization_id, learner_id, item_id, number) WHERE response_id IS NULL"
    )
    outbox_table()
