"""Item banks, test blueprints, test sessions; what a response owes to the test it was given in."""

from alembic import op

from migrations.shared import tenant_table

revision = "assessment_0002"
down_revision = "assessment_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A version is named by its content and never changes.
    tenant_table(
        "item_bank_versions",
        "bank_id text NOT NULL",
        "version text NOT NULL",
        "request_id uuid NOT NULL",
        "model text NOT NULL",
        "calibration text NOT NULL",
        "item_count integer NOT NULL",
        "items json NOT NULL",
        "publish_time timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, bank_id, version)",
        "UNIQUE (organization_id, request_id)",
    )
    tenant_table(
        "test_blueprints",
        "id text NOT NULL",
        "request_id uuid NOT NULL",
        "document json NOT NULL",
        # The item revisions that sessions may draw, with their parameters.
        "pool json NOT NULL",
        "create_time timestamptz NOT NULL",
        "retire_time timestamptz",
        "PRIMARY KEY (organization_id, id)",
        "UNIQUE (organization_id, request_id)",
    )
    tenant_table(
        "test_sessions",
        "id uuid NOT NULL",
        "learner_id text NOT NULL",
        "blueprint_id text NOT NULL",
        "title text NOT NULL",
        "min_length integer NOT NULL",
        "max_length integer NOT NULL",
        "start_time timestamptz NOT NULL",
        "deadline timestamptz",
        "state text NOT NULL",
        "end_time timestamptz",
        "answered_count integer NOT NULL",
        # As it was when the session ended; absent before.
        "result json",
        "PRIMARY KEY (organization_id, id)",
        "CHECK ((state = 'OPEN') = (end_time IS NULL))",
    )
    op.execute("CREATE INDEX test_sessions_of_learner ON test_sessions (organization_id, learner_id, start_time DESC, id DESC)")
    # Only the last step of an open session is without a response.
    tenant_table(
        "test_steps",
        "session_id uuid NOT NULL",
        "position integer NOT NULL",
        "item_id text NOT NULL",
        "item_revision bigint NOT NULL",
        "serve_time timestamptz NOT NULL",
        "selection json NOT NULL",
        "response_id uuid",
        "correct boolean NOT NULL",
        "score double precision NOT NULL",
        "answer_time timestamptz",
        "PRIMARY KEY (organization_id, session_id, position)",
        "UNIQUE (organization_id, session_id, item_id)",
        "CHECK ((response_id IS NULL) = (answer_time IS NULL))",
    )
    # Both have a default, so that processes of the release before go on inserting.
    op.execute("ALTER TABLE responses ADD COLUMN test_session_id uuid, ADD COLUMN sealed boolean NOT NULL DEFAULT false")
    op.execute("CREATE INDEX responses_of_test ON responses (organization_id, test_session_id) WHERE test_session_id IS NOT NULL")
