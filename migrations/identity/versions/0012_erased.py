"""Whose ids were people's who were erased: nobody gets them again. And an erasure is not repeated while a legal hold is open."""

from alembic import op

from migrations.shared import erased_people_table

revision = "identity_0012"
down_revision = "identity_0011"
branch_labels = None
depends_on = None

_WORKER = "current_setting('paideia.organization', true) = '-'"


def upgrade() -> None:
    erased_people_table()
    op.execute(f"CREATE POLICY worker ON holds FOR SELECT USING ({_WORKER})")
    # The contexts are told a second time in the transaction that forgets whom an erasure was of.
    op.execute(
        "CREATE TRIGGER held_repeated BEFORE UPDATE ON privacy_jobs FOR EACH ROW "
        "WHEN (NEW.kind = 'ERASURE' AND OLD.sealed_subject IS NOT NULL AND NEW.sealed_subject IS NULL) "
        "EXECUTE FUNCTION refuse_held_erasure()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER held_repeated ON privacy_jobs")
    op.execute("DROP POLICY worker ON holds")
    op.execute("DROP TABLE erased_people")
