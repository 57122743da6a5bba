"""What skills, items and courses have in common in PostgreSQL: the order in which rows are written, and pages of them."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Column, Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.catalog.model import Item, Skill
from domain.shared.page import PageRequest


def by_id(thing: Skill | Item) -> str:
    """Rows are inserted in one order by everybody, so that overlapping batches wait for each other and never in a circle."""
    return thing.id


async def page_of(
    connection: AsyncConnection, wanted: Select[Any], key: Column[str], request: PageRequest
) -> tuple[Sequence[Row[Any]], tuple[str, ...] | None]:
    """Returns one page ordered by `key`, which must be the row's first id, and the cursor of the next; reads one row more to know."""
    if request.after is not None:
        wanted = wanted.where(key > request.after[0])
    rows = (await connection.execute(wanted.add_columns(key.label("cursor")).order_by(key).limit(request.size + 1))).all()
    page = rows[: request.size]
    return page, ((cast(str, page[-1].cursor),) if len(rows) > request.size else None)
