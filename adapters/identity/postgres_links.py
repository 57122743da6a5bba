"""Links sent by mail, and the addresses they proved, in PostgreSQL."""

from datetime import datetime

from sqlalchemy import LargeBinary, any_, delete, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.identity.personal_keys import OrganizationKeys
from adapters.identity.postgres_sealed import of_links
from adapters.identity.postgres_tables import Repository, links, verified_emails
from domain.identity.credential_ports import LinkRepository
from domain.identity.links import Link, Purpose

_FORGOTTEN_AT_ONCE = 20


class PostgresLinks(Repository, LinkRepository):
    def __init__(self, connection: AsyncConnection, keys: OrganizationKeys) -> None:
        super().__init__(connection, keys.organization)
        self._keys = keys
        self._addresses = of_links(keys)

    async def add(self, link: Link, now: datetime) -> None:
        old = select(links.c.digest).where(self.mine(links), links.c.expires_at <= now)
        old = old.order_by(links.c.expires_at).limit(_FORGOTTEN_AT_ONCE).with_for_update(skip_locked=True)
        await self.connection.execute(delete(links).where(self.mine(links), links.c.digest.in_(old)))
        await self.connection.execute(
            insert(links).values(
                organization_id=self.organization,
                digest=link.digest,
                purpose=link.purpose,
                user_id=link.user,
                email="",
                sealed_email=await self._addresses.seal(link.email, link.digest.hex()),
                expires_at=link.expires_at,
                used_at=link.used_at,
            )
        )

    async def find(self, digest: bytes) -> Link | None:
        row = (await self.connection.execute(select(links).where(self.mine(links), links.c.digest == digest))).one_or_none()
        if row is None:
            return None
        email = await self._addresses.open(row.sealed_email, row.email, bytes(row.digest).hex())
        return Link(row.digest, Purpose(row.purpose), row.user_id, email, row.expires_at, row.used_at)

    async def use(self, user_id: str, purpose: Purpose, now: datetime) -> None:
        await self.connection.execute(
            update(links)
            .where(self.mine(links), links.c.user_id == user_id, links.c.purpose == purpose, links.c.used_at.is_(None))
            .values(used_at=now)
        )

    async def verify_email(self, user_id: str, email: str, now: datetime) -> None:
        values = {"email_index": await self._keys.index(email), "verified_at": now}
        await self.connection.execute(
            insert(verified_emails)
            .values(organization_id=self.organization, user_id=user_id, **values)
            .on_conflict_do_update(index_elements=["organization_id", "user_id"], set_=values)
        )

    async def is_verified(self, user_id: str, email: str) -> bool:
        query = select(literal(1)).where(
            self.mine(verified_emails),
            verified_emails.c.user_id == user_id,
            verified_emails.c.email_index == any_(literal(await self._keys.indexes(email), ARRAY(LargeBinary))),
        )
        return (await self.connection.execute(query)).first() is not None
