"""Quotas of what PostgreSQL keeps: counted from the tables themselves, by whoever is alone in adding to them."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(:counted, 0))")


async def hold_quota(connection: AsyncConnection, context: str, what: str, organization: str) -> None:
    """Waits until nobody else is adding what is counted, and keeps others from it until the transaction ends."""
    await connection.execute(_HOLD, {"counted": f"{context} {what} {organization}"})
