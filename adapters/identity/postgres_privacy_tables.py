"""The tables of privacy, as queries name them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    exists,
)
from sqlalchemy.dialects.postgresql import JSONB

_metadata = MetaData()
_MOMENT = DateTime(timezone=True)

privacy_jobs = Table(
    "privacy_jobs",
    _metadata,
    Column("organization_id", Text),
    Column("id", Uuid),
    Column("kind", Text),
    Column("user_id", Text),
    Column("requested_by", Text),
    Column("state", Text),
    Column("created_at", _MOMENT),
    Column("due_at", _MOMENT),
    Column("finished_at", _MOMENT),
    Column("expires_at", _MOMENT),
    Column("receipts", JSONB),
    Column("digest", Text),
    Column("byte_count", BigInteger),
    Column("sealed_subject", LargeBinary),
)
erased_people = Table("erased_people", _metadata, Column("organization_id", Text), Column("digest", LargeBinary))
_holds = Table(
    "holds",
    _metadata,
    Column("organization_id", Text),
    Column("id", Uuid),
    Column("user_id", Text),
    Column("released_at", _MOMENT),
)


def under_hold(organization: ColumnElement[str], user: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a legal hold on the person, or on the whole organization, is open."""
    return exists().where(
        _holds.c.organization_id == organization, _holds.c.user_id.in_(("", user)), _holds.c.released_at.is_(None)
    )


consent_purposes = Table(
    "consent_purposes",
    _metadata,
    Column("organization_id", Text),
    Column("id", Text),
    Column("version", BigInteger),
    Column("text", Text),
    Column("published_at", _MOMENT),
)
consents = Table(
    "consents",
    _metadata,
    Column("organization_id", Text),
    Column("position", BigInteger),
    Column("user_id", Text),
    Column("purpose", Text),
    Column("version", BigInteger),
    Column("given", Boolean),
    Column("by_user", Text),
    Column("at", _MOMENT),
)
privacy_settings = Table(
    "privacy_settings",
    _metadata,
    Column("organization_id", Text),
    Column("erasure_grace_days", Integer),
    Column("inactive_account_days", Integer),
    Column("mail_days", Integer),
    Column("sign_in_days", Integer),
    Column("directory_information", Text),
)
request_ledger = Table(
    "request_ledger",
    _metadata,
    Column("organization_id", Text),
    Column("request_id", Uuid),
    Column("answer", LargeBinary),
    Column("create_time", _MOMENT),
)
