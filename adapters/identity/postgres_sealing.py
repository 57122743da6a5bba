"""The sealing of what is in identity's tables anew, in batches that others need not wait for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, Row, Table, and_, delete, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.identity.personal_keys import (
    KEY_ID_AT,
    OpenedKeys,
    OrganizationKeys,
    key_context,
    organization_keys,
    plain_index,
)
from adapters.identity.postgres_federation import identity_providers
from adapters.identity.postgres_people_tables import invitations, mails
from adapters.identity.postgres_provisioning import provisioned
from adapters.identity.postgres_sealed import SealedPeople, of_invitations, of_links, of_mails
from adapters.identity.postgres_tables import Repository, links, totp_factors, users, verified_emails
from domain.identity.credential_ports import Vault
from domain.identity.federation import secret_context
from domain.identity.sealing import Resealed, SealingRepository

_ID_BYTES = 16
KEPT = timedelta(days=1)
"""How long a key is kept that seals nothing any more: longer than any transaction that began under it."""
_SEALED = (users.c.data_key, invitations.c.sealed_email, mails.c.sealed_recipient, links.c.sealed_email)


@dataclass(frozen=True, slots=True)
class _Secret:
    """A column that the vault seals by itself, the key of its table, and what it is bound to."""

    column: Any
    key: tuple[str, ...]
    context: Callable[[str, Row[Any]], str]


_SECRETS = (
    _Secret(totp_factors.c.sealed_secret, ("user_id",), lambda organization, row: f"totp {organization}/{row.user_id}"),
    _Secret(identity_providers.c.sealed_secret, ("id",), lambda organization, row: secret_context(organization, row.id)),
    _Secret(
        provisioned.c.sealed_attributes,
        ("kind", "id"),
        lambda organization, row: f"{organization}/{row.kind}/{row.id}/provisioned",
    ),
)


class PostgresSealing(Repository, SealingRepository):
    def __init__(self, connection: AsyncConnection, keys: OrganizationKeys, opened: OpenedKeys, vault: Vault) -> None:
        super().__init__(connection, keys.organization)
        self._keys = keys
        self._opened = opened
        self._vault = vault
        self._people = SealedPeople(connection, keys)

    async def renew_keys(self) -> None:
        current = await self._opened.vault.current()
        stale = select(organization_keys).where(self.mine(organization_keys), organization_keys.c.vault_key != current)
        for row in (await self.connection.execute(stale.with_for_update())).all():
            key = await self._opened.open(self.organization, row.id, row.wrapped)
            wrapped = await self._opened.vault.wrap(key, key_context(self.organization, row.id))
            await self.connection.execute(
                update(organization_keys)
                .where(self.mine(organization_keys), organization_keys.c.id == row.id)
                .values(wrapped=wrapped, vault_key=current)
            )
        await self._keys.renew()

    async def reseal(self, most: int, *, afresh: bool) -> Resealed:
        done = 0
        for table, column, work in (
            (users, users.c.data_key, self._user if not afresh else self._user_afresh),
            (invitations, invitations.c.sealed_email, self._invitation),
            (mails, mails.c.sealed_recipient, self._mail),
            (links, links.c.sealed_email, self._link),
        ):
            if done < most:
                rows = await self._next(table, await self._stale(column), most - done)
                for row in rows:
                    await work(row)
                done += len(rows)
        for secret in _SECRETS:
            if done < most:
                done += await self._reseal_secrets(secret, most - done)
        return Resealed(done, await self._remaining())

    async def forget_unused(self) -> int:
        newest = await self._keys.newest()
        old = select(organization_keys.c.id).where(
            self.mine(organization_keys),
            organization_keys.c.purpose == "data",
            organization_keys.c.id != newest.id,
            organization_keys.c.created_at < func.now() - KEPT,
        )
        candidates = set((await self.connection.execute(old)).scalars())
        for column in _SEALED:
            used = select(_key_id(column)).where(self.mine(column.table), column.is_not(None)).distinct()
            candidates -= {UUID(bytes=bytes(each)) for each in (await self.connection.execute(used)).scalars()}
        # A key is only unused if the newest has been so for as long: what began before may still seal under the one before it.
        settled = select(organization_keys.c.id).where(
            self.mine(organization_keys), organization_keys.c.id == newest.id, organization_keys.c.created_at < func.now() - KEPT
        )
        if not candidates or (await self.connection.execute(settled)).first() is None:
            return 0
        gone = delete(organization_keys).where(self.mine(organization_keys), organization_keys.c.id.in_(candidates))
        return (await self.connection.execute(gone)).rowcount

    async def _stale(self, column: Any) -> ColumnElement[bool]:
        newest = (await self._keys.newest()).id.bytes
        return or_(column.is_(None), _key_id(column) != literal(newest, LargeBinary))

    def _stale_secret(self, column: Any) -> ColumnElement[bool]:
        head = self._vault.head
        return func.substring(column, 1, len(head)) != literal(head, LargeBinary)

    async def _next(self, table: Table, stale: ColumnElement[bool], most: int) -> list[Row[Any]]:
        query = select(table).where(self.mine(table), stale).limit(most).with_for_update(skip_locked=True)
        return list((await self.connection.execute(query)).all())

    async def _remaining(self) -> int:
        counts = [(column.table, await self._stale(column)) for column in _SEALED]
        counts += [(each.column.table, self._stale_secret(each.column)) for each in _SECRETS]
        total = 0
        for table, stale in counts:
            total += (
                await self.connection.execute(select(func.count()).select_from(table).where(self.mine(table), stale))
            ).scalar_one()
        return total

    async def _user(self, row: Row[Any]) -> None:
        if row.data_key is None:
            await self._user_afresh(row)
            return
        await self._change(users, users.c.id == row.id, data_key=await self._people.rewrapped(row.id, row.data_key))

    async def _user_afresh(self, row: Row[Any]) -> None:
        user = await self._people.user(row)
        values = await self._people.row(user)
        await self._change(users, users.c.id == row.id, **values)
        if user.email is not None:
            proved = and_(verified_emails.c.user_id == row.id, verified_emails.c.email_index == plain_index(user.email))
            await self._change(verified_emails, proved, email_index=values["email_index"])

    async def _invitation(self, row: Row[Any]) -> None:
        addresses = of_invitations(self._keys)
        email = await addresses.open(row.sealed_email, row.email, str(row.id))
        sealed, index = await addresses.seal(email, str(row.id)), await self._keys.index(email)
        await self._change(invitations, invitations.c.id == row.id, email="", sealed_email=sealed, email_index=index)

    async def _mail(self, row: Row[Any]) -> None:
        addresses, context = of_mails(self._keys), f"mail {row.id}"
        to = await addresses.open(row.sealed_recipient, row.recipient, str(row.id))
        await self._change(
            mails,
            mails.c.id == row.id,
            recipient="",
            sealed_recipient=await addresses.seal(to, str(row.id)),
            recipient_index=await self._keys.index(to),
            sealed_fields=self._vault.seal(self._vault.open(row.sealed_fields, context), context),
            error=row.error.replace(to, "the recipient"),
        )

    async def _link(self, row: Row[Any]) -> None:
        addresses, place = of_links(self._keys), bytes(row.digest).hex()
        email = await addresses.open(row.sealed_email, row.email, place)
        await self._change(links, links.c.digest == row.digest, email="", sealed_email=await addresses.seal(email, place))

    async def _reseal_secrets(self, secret: "_Secret", most: int) -> int:
        rows = await self._next(secret.column.table, self._stale_secret(secret.column), most)
        for row in rows:
            context = secret.context(self.organization, row)
            sealed = self._vault.seal(self._vault.open(getattr(row, secret.column.name), context), context)
            this = and_(*(secret.column.table.c[each] == getattr(row, each) for each in secret.key))
            await self._change(secret.column.table, this, **{secret.column.name: sealed})
        return len(rows)

    async def _change(self, table: Table, which: ColumnElement[bool], **values: Any) -> None:
        await self.connection.execute(update(table).where(self.mine(table), which).values(values))


def _key_id(column: Any) -> Any:
    return func.substring(column, KEY_ID_AT, _ID_BYTES)
