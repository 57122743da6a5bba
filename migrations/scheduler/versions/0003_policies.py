"""Policies that organizations create, and the changes of their standing."""

from alembic import op

from migrations.shared import tenant_table

revision = "scheduler_0003"
down_revision = "scheduler_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tenant_table(
        "policies",
        'id text COLLATE "C" NOT NULL',  # pages are in the order of ids, which must not depend on a locale
        "course text NOT NULL",
        "description text NOT NULL",
        "definition jsonb NOT NULL",
        "digest text NOT NULL",
        "created_at timestamptz NOT NULL",
        "stage text NOT NULL",
        "share double precision NOT NULL",
        "replaced text",
        "revision bigint NOT NULL",
        "PRIMARY KEY (organization_id, id)",
    )
    # What the scheduler promises whatever its code does: one live policy and one canary in a scope.
    op.execute("CREATE UNIQUE INDEX policies_live ON policies (organization_id, course) WHERE stage = 'live'")
    op.execute("CREATE UNIQUE INDEX policies_canary ON policies (organization_id, course) WHERE stage = 'canary'")
    # One request may change two policies; a change is known by the policy's revision after it.
    tenant_table(
        "policy_changes",
        "request_id uuid NOT NULL",
        "policy text NOT NULL",
        "revision bigint NOT NULL",
        "act text NOT NULL",
        "after jsonb NOT NULL",
        "changed_by text NOT NULL",
        "changed_at timestamptz NOT NULL",
        "PRIMARY KEY (organization_id, policy, revision)",
        "UNIQUE (organization_id, request_id, policy)",
    )
