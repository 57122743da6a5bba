"""Identity's tables, as its queries name them, and what its repositories share."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, ColumnElement, DateTime, Integer, LargeBinary, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

_metadata = MetaData()
_MOMENT = DateTime(timezone=True)


def _table(name: str, *columns: Column[Any]) -> Table:
    return Table(name, _metadata, Column("organization_id", Text), *columns)


organizations = _table(
    "organizations",
    Column("display_name", Text),
    Column("founded_at", _MOMENT),
    Column("locale", Text),
    Column("time_zone", Text),
    Column("sign_up", Text),
    Column("sign_up_domains", ARRAY(Text)),
    Column("teachers_see", Text),
    Column("allowed_origins", ARRAY(Text)),
    Column("revision", BigInteger),
    Column("plan", Text),
)
users = _table(
    "users",
    Column("id", Text),
    Column("display_name", Text),
    Column("email", Text),
    Column("email_index", LargeBinary),
    Column("data_key", LargeBinary),
    Column("sealed_display_name", LargeBinary),
    Column("sealed_email", LargeBinary),
    Column("roles", ARRAY(Text)),
    Column("created_at", _MOMENT),
    Column("deactivated_at", _MOMENT),
    Column("directory_information", Text),
)
passwords = _table("passwords", Column("user_id", Text), Column("hash", Text), Column("changed_at", _MOMENT))
sessions = _table(
    "sessions",
    Column("id", Uuid),
    Column("user_id", Text),
    Column("started_at", _MOMENT),
    Column("expires_at", _MOMENT),
    Column("last_used_at", _MOMENT),
    Column("authenticated_at", _MOMENT),
    Column("methods", ARRAY(Text)),
    Column("device", Text),
)
refresh_tokens = _table("refresh_tokens", Column("digest", LargeBinary), Column("session_id", Uuid), Column("spent", Boolean))
throttles = _table(
    "sign_in_throttles",
    Column("key", Text),
    Column("failures", Integer),
    Column("last_failure_at", _MOMENT),
    Column("locked_until", _MOMENT),
)
signing_keys = _table(
    "signing_keys",
    Column("kid", Text),
    Column("x", Text),
    Column("y", Text),
    Column("sealed_private", LargeBinary),
    Column("not_before", _MOMENT),
    Column("retire_at", _MOMENT),
)
totp_factors = _table(
    "totp_factors",
    Column("user_id", Text),
    Column("sealed_secret", LargeBinary),
    Column("enrolled_at", _MOMENT),
    Column("confirmed_at", _MOMENT),
    Column("last_step", BigInteger),
)
recovery_codes = _table("recovery_codes", Column("user_id", Text), Column("digest", LargeBinary), Column("used_at", _MOMENT))
passkeys = _table(
    "passkeys",
    Column("id", Uuid),
    Column("user_id", Text),
    Column("credential_id", LargeBinary),
    Column("public_key", LargeBinary),
    Column("sign_count", BigInteger),
    Column("display_name", Text),
    Column("created_at", _MOMENT),
    Column("last_used_at", _MOMENT),
)
challenges = _table(
    "challenges",
    Column("id", Uuid),
    Column("digest", LargeBinary),
    Column("kind", Text),
    Column("user_id", Text),
    Column("session_id", Uuid),
    Column("methods", ARRAY(Text)),
    Column("expires_at", _MOMENT),
)
links = _table(
    "links",
    Column("digest", LargeBinary),
    Column("purpose", Text),
    Column("user_id", Text),
    Column("email", Text),
    Column("sealed_email", LargeBinary),
    Column("expires_at", _MOMENT),
    Column("used_at", _MOMENT),
)
verified_emails = _table(
    "verified_emails", Column("user_id", Text), Column("email_index", LargeBinary), Column("verified_at", _MOMENT)
)


class Repository:
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self.connection = connection
        self.organization = organization

    def mine(self, table: Table) -> ColumnElement[bool]:
        """Row-level security says the same; saying it here lets the indexes begin with it."""
        return table.c.organization_id == self.organization
