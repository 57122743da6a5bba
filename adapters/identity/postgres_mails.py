"""Mails on their way, in PostgreSQL. Whom they go to is sealed, and what fills them: it may hold a link that signs in."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Integer, LargeBinary, Row, Select, any_, bindparam, delete, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.identity.personal_keys import OpenedKeys, OrganizationKeys
from adapters.identity.postgres_people_tables import mails
from adapters.identity.postgres_sealed import SealedAddresses, of_mails
from adapters.identity.postgres_tables import Repository, organizations
from domain.identity.credential_ports import UnreadableSecret, Vault
from domain.identity.mail_queue import CLAIM_LIFE, KEPT_AFTER_SENT, Mail, MailNotFound, MailState, mail_cursor
from domain.identity.people_ports import MailQueue, MailRepository
from domain.shared.page import Page, PageRequest

_FORGOTTEN_AT_ONCE = 100


class PostgresMails(Repository, MailRepository):
    """One organization's."""

    def __init__(self, connection: AsyncConnection, keys: OrganizationKeys, vault: Vault) -> None:
        super().__init__(connection, keys.organization)
        self._keys = keys
        self._addresses = of_mails(keys)
        self._vault = vault

    async def send(self, to: str, template: str, fields: Mapping[str, str]) -> None:
        mail_id = str(uuid4())
        await self.connection.execute(
            insert(mails).values(
                organization_id=self.organization,
                id=UUID(mail_id),
                recipient="",
                sealed_recipient=await self._addresses.seal(to, mail_id),
                recipient_index=await self._keys.index(to),
                template=str(template),
                sealed_fields=_sealed(self._vault, mail_id, fields),
            )
        )

    async def written_since(self, to: str, template: str, moment: datetime) -> bool:
        query = select(literal(1)).where(
            self.mine(mails),
            mails.c.recipient_index == any_(literal(await self._keys.indexes(to), ARRAY(LargeBinary))),
            mails.c.created_at >= moment,
            mails.c.template == str(template),
        )
        return (await self.connection.execute(query.limit(1))).first() is not None

    async def get(self, mail_id: str) -> Mail:
        try:
            by_id = mails.c.id == UUID(mail_id)
        except ValueError:
            raise MailNotFound(f"no mail {mail_id}") from None
        row = (await self.connection.execute(select(mails).where(self.mine(mails), by_id).with_for_update())).one_or_none()
        if row is None:
            raise MailNotFound(f"no mail {mail_id}")
        return await _mail(row, self._addresses, self._vault)

    async def save(self, mail: Mail) -> None:
        await _save(self.connection, mail, self._vault, mails.c.id == UUID(mail.id))

    async def page(self, request: PageRequest, state: MailState | None) -> Page[Mail]:
        place = tuple_(mails.c.created_at, mails.c.id)
        query = select(mails).where(self.mine(mails)).order_by(mails.c.created_at.desc(), mails.c.id.desc())
        if state is not None:
            query = query.where(mails.c.state == state)
        if request.after is not None:
            created_at, mail_id = mail_cursor(request)
            query = query.where(place < tuple_(literal(created_at), literal(UUID(mail_id))))
        rows = await self.connection.execute(query.limit(request.size + 1))
        found = [await _mail(row, self._addresses, self._vault) for row in rows]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].created_at.isoformat(), shown[-1].id) if len(found) > request.size else None)


def _claim() -> Select[Any]:
    due = (
        select(mails.c.organization_id, mails.c.id)
        .where(mails.c.state == MailState.WAITING, mails.c.next_attempt_at <= bindparam("now"))
        .order_by(mails.c.next_attempt_at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    claimed = (
        update(mails)
        .where(mails.c.organization_id == due.c.organization_id, mails.c.id == due.c.id)
        .values(attempts=mails.c.attempts + 1, next_attempt_at=bindparam("until"))
        .returning(mails)
        .cte("claimed")
    )
    return select(claimed, organizations.c.locale, organizations.c.display_name).select_from(
        claimed.outerjoin(organizations, organizations.c.organization_id == claimed.c.organization_id)
    )


_CLAIM = _claim()
"""Built once: it is asked twice a second, mostly for nothing, and costs more to build than to carry out."""


class PostgresMailQueue(MailQueue):
    """Every organization's, for a unit of the platform."""

    def __init__(self, connection: AsyncConnection, keys: OpenedKeys, vault: Vault) -> None:
        self.connection = connection
        self._keys = keys
        self._vault = vault

    async def claim(self, now: datetime, most: int) -> Sequence[Mail]:
        given = {"now": now, "most": most, "until": now + CLAIM_LIFE}
        rows = (await self.connection.execute(_CLAIM, given)).all()
        of = {each.organization_id: OrganizationKeys(self.connection, each.organization_id, self._keys) for each in rows}
        readable = []
        for row in rows:
            # One whose key is lost waits for it, and keeps no other from going out.
            with suppress(UnreadableSecret):
                addresses = of_mails(of[row.organization_id])
                readable.append(await _mail(row, addresses, self._vault, row.locale or "en", row.display_name or ""))
        return readable

    async def settle(self, mail: Mail) -> None:
        still_ours = (mails.c.state == MailState.WAITING) & (mails.c.attempts == mail.attempts)
        this = (mails.c.organization_id == mail.organization) & (mails.c.id == UUID(mail.id))
        await _save(self.connection, mail, self._vault, this & still_ours)

    async def forget_sent(self, now: datetime) -> None:
        old = select(mails.c.organization_id, mails.c.id).where(
            mails.c.state == MailState.SENT, mails.c.settled_at < now - KEPT_AFTER_SENT
        )
        old = old.limit(_FORGOTTEN_AT_ONCE).with_for_update(skip_locked=True)
        await self.connection.execute(delete(mails).where(tuple_(mails.c.organization_id, mails.c.id).in_(old)))


async def _save(connection: AsyncConnection, mail: Mail, vault: Vault, which: ColumnElement[bool]) -> None:
    await connection.execute(
        update(mails)
        .where(mails.c.organization_id == mail.organization, which)
        .values(
            sealed_fields=_sealed(vault, mail.id, mail.fields),
            state=mail.state,
            attempts=mail.attempts,
            error=mail.error,
            created_at=mail.created_at,
            next_attempt_at=mail.next_attempt_at,
            settled_at=mail.settled_at,
        )
    )


def _sealed(vault: Vault, mail_id: str, fields: Mapping[str, str]) -> bytes:
    return vault.seal(json.dumps(dict(fields)).encode(), f"mail {mail_id}")


async def _mail(row: Row[Any], addresses: SealedAddresses, vault: Vault, locale: str = "en", sender: str = "") -> Mail:
    return Mail(
        id=str(row.id),
        organization=row.organization_id,
        to=await addresses.open(row.sealed_recipient, row.recipient, str(row.id)),
        template=row.template,
        fields=json.loads(vault.open(row.sealed_fields, f"mail {row.id}")),
        created_at=row.created_at,
        next_attempt_at=row.next_attempt_at,
        attempts=row.attempts,
        state=MailState(row.state),
        error=row.error,
        settled_at=row.settled_at,
        locale=locale,
        sender=sender,
    )
