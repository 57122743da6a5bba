"""Which organizations allow an origin, in PostgreSQL."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.identity.postgres_tables import organizations
from domain.identity.ports import OriginDirectory

_MOST = 100


class PostgresOrigins(OriginDirectory):
    """On the connection of the platform, which sees every organization."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def allowing(self, origin: str) -> Sequence[str]:
        allowed = organizations.c.allowed_origins.contains([origin])
        query = select(organizations.c.organization_id).where(allowed).order_by(organizations.c.organization_id).limit(_MOST)
        return (await self._connection.execute(query)).scalars().all()
