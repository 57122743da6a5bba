"""Links sent by mail, and the addresses they proved, in PostgreSQL."""

from datetime import datetime

from sqlalchemy import delete, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from adapters.identity.postgres_tables import Repository, email_index, links, verified_emails
from domain.identity.credential_ports import LinkRepository
from domain.identity.links import Link, Purpose

_FORGOTTEN_AT_ONCE = 20


class PostgresLinks(Repository, LinkRepository):
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
                email=link.email,
                expires_at=link.expires_at,
                used_at=link.used_at,
            )
        )

    async def find(self, digest: bytes) -> Link | None:
        row = (await self.connection.execute(select(links).where(self.mine(links), links.c.digest == digest))).one_or_none()
        if row is None:
            return None
        return Link(row.digest, Purpose(row.purpose), row.user_id, row.email, row.expires_at, row.used_at)

    async def use(self, user_id: str, purpose: Purpose, now: datetime) -> None:
        await self.connection.execute(
            update(links)
            .where(self.mine(links), links.c.user_id == user_id, links.c.purpose == purpose, links.c.used_at.is_(None))
            .values(used_at=now)
        )

    async def verify_email(self, user_id: str, email: str, now: datetime) -> None:
        values = {"email_index": email_index(email), "verified_at": now}
        await self.connection.execute(
            insert(verified_emails)
            .values(organization_id=self.organization, user_id=user_id, **values)
            .on_conflict_do_update(index_elements=["organization_id", "user_id"], set_=values)
        )

    async def is_verified(self, user_id: str, email: str) -> bool:
        query = select(literal(1)).where(
            self.mine(verified_emails),
            verified_emails.c.user_id == user_id,
            verified_emails.c.email_index == email_index(email),
        )
        return (await self.connection.execute(query)).first() is not None
