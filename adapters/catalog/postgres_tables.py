"""The tables of migrations/catalog as SQLAlchemy Core sees them."""

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

_schema = MetaData()
_moment = DateTime(timezone=True)


def _tenant_table(name: str, *columns: Column[Any]) -> Table:
    return Table(name, _schema, Column("organization_id", Text), *columns)


skills = _tenant_table(
    "skills",
    Column("id", Text),
    Column("title", Text),
    Column("description", Text),
    Column("prerequisites", ARRAY(Text)),
    Column("created_at", _moment),
)
items = _tenant_table("items", Column("id", Text), Column("revision", BigInteger), Column("created_at", _moment))
item_revisions = _tenant_table(
    "item_revisions",
    Column("item_id", Text),
    Column("revision", BigInteger),
    Column("title", Text),
    Column("skills", ARRAY(Text)),
    Column("body", LargeBinary),
    Column("key", LargeBinary),
    Column("saved_at", _moment),
)
item_skills = _tenant_table("item_skills", Column("skill_id", Text), Column("item_id", Text))
courses = _tenant_table(
    "courses",
    Column("id", Text),
    Column("title", Text),
    Column("description", Text),
    Column("skills", ARRAY(Text)),
    Column("created_at", _moment),
    Column("publication", BigInteger),
)
publications = _tenant_table(
    "publications",
    Column("course_id", Text),
    Column("number", BigInteger),
    Column("published_at", _moment),
    Column("title", Text),
    Column("description", Text),
    Column("skills", JSONB),
    Column("item_count", Integer),
    Column("fingerprint", LargeBinary),
)
publication_items = _tenant_table(
    "publication_items",
    Column("course_id", Text),
    Column("number", BigInteger),
    Column("item_id", Text),
    Column("revision", BigInteger),
    Column("skills", ARRAY(Text)),
)
