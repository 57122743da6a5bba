"""What recomputing a learner needs: each attempt keeps what was known of its item, each learner how the state came about."""

from alembic import op

from migrations.shared import request_ledger_table

revision = "progress_0002"
down_revision = "progress_0001"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE attempts
    -- The mean of each skill that time had retained when the answer came; until now nothing was lost with time.
    ADD COLUMN means_retained float8[],
    -- Count (8 bytes) and the five sums (8 bytes each, little-endian) of the item's evidence before the answer; NULL where it was not kept.
    ADD COLUMN item_evidence bytea
"""


def upgrade() -> None:
    op.execute(COLUMNS)
    # The first so many attempts stand in the order in which they occurred; and how often the state was repaired.
    op.execute(
        "ALTER TABLE learners ADD COLUMN reordered bigint NOT NULL DEFAULT 0, ADD COLUMN revision bigint NOT NULL DEFAULT 0"
    )
    request_ledger_table()
