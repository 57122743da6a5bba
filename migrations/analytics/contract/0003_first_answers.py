"""No process of the release before `analytics_0003` runs any more: its table of first answers goes, and what kept it up."""

from alembic import op

revision = "analytics_0003_contract"
down_revision = None
branch_labels = None
depends_on = "analytics_0003"


def upgrade() -> None:
    op.execute("DROP TRIGGER IF EXISTS followed ON attempts")
    op.execute("DROP TRIGGER IF EXISTS followed ON answer_days")
    op.execute("DROP TABLE IF EXISTS first_answers")
    for table in ("attempts", "answer_days", "first_answers"):
        op.execute(f"DROP FUNCTION IF EXISTS follow_{table}()")
