"""What identity providers say of users and classes, in PostgreSQL: sealed, and found by fingerprints."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    any_,
    delete,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.identity.postgres_people_tables import class_members, classes
from adapters.identity.postgres_tables import Repository, users
from domain.identity.classes import Class
from domain.identity.credential_ports import Vault
from domain.identity.provisioning import GroupRef, Kind, Record, UserNameTaken
from domain.identity.provisioning_ports import ProvisioningRepository

_MOMENT = DateTime(timezone=True)

provisioned = Table(
    "provisioned_resources",
    MetaData(),
    Column("organization_id", Text),
    Column("kind", Text),
    Column("id", Text),
    Column("name_index", LargeBinary),
    Column("external_index", LargeBinary),
    Column("sealed_attributes", LargeBinary),
    Column("changed_at", _MOMENT),
    Column("removed_at", _MOMENT),
)


class PostgresProvisioning(Repository, ProvisioningRepository):
    def __init__(self, connection: AsyncConnection, organization: str, vault: Vault) -> None:
        super().__init__(connection, organization)
        self._vault = vault

    async def find(self, kind: Kind, ids: Sequence[str]) -> Mapping[str, Record]:
        query = select(provisioned).where(self._of(kind), provisioned.c.id == any_(_texts(ids)))
        return {row.id: self._record(row) for row in await self.connection.execute(query)}

    async def save(self, record: Record) -> None:
        values = {
            "name_index": None if record.user_name is None else self._name_index(record.user_name),
            "external_index": None if record.external_id is None else self._external_index(record.external_id),
            "sealed_attributes": self._vault.seal(
                json.dumps(dict(record.attributes)).encode(), self._context(record.kind, record.id)
            ),
            "changed_at": record.changed_at,
            "removed_at": record.removed_at,
        }
        try:
            await self.connection.execute(
                insert(provisioned)
                .values(organization_id=self.organization, kind=record.kind, id=record.id, **values)
                .on_conflict_do_update(index_elements=["organization_id", "kind", "id"], set_=values)
            )
        except IntegrityError as error:
            raise UserNameTaken from error

    async def forget(self, kind: Kind, resource_id: str) -> None:
        await self.connection.execute(delete(provisioned).where(self._of(kind), provisioned.c.id == resource_id))

    async def named(self, user_name: str) -> str | None:
        query = select(provisioned.c.id).where(self._of(Kind.USER), provisioned.c.name_index == self._name_index(user_name))
        return (await self.connection.execute(query)).scalar_one_or_none()

    async def with_external_id(self, kind: Kind, external_id: str) -> Sequence[str]:
        wanted = provisioned.c.external_index == self._external_index(external_id)
        query = select(provisioned.c.id).where(self._of(kind), wanted).order_by(provisioned.c.id)
        return (await self.connection.execute(query)).scalars().all()

    async def ids(self, kind: Kind, most: int, *, offset: int = 0, after: str = "") -> Sequence[str]:
        table, shown = self._shown(kind)
        query = select(table.c.id).where(shown, table.c.id > after).order_by(table.c.id).offset(offset).limit(most)
        return (await self.connection.execute(query)).scalars().all()

    async def count(self, kind: Kind) -> int:
        table, shown = self._shown(kind)
        return (await self.connection.execute(select(func.count()).select_from(table).where(shown))).scalar_one()

    async def classes(self, ids: Sequence[str]) -> Mapping[str, tuple[Class, Sequence[str]]]:
        known = select(classes).where(self.mine(classes), classes.c.archived_at.is_(None), classes.c.id == any_(_texts(ids)))
        found = {
            row.id: (Class(row.id, row.display_name, row.created_at), list[str]()) for row in await self.connection.execute(known)
        }
        members = select(class_members.c.class_id, class_members.c.user_id).where(
            self.mine(class_members), class_members.c.class_id == any_(_texts(list(found)))
        )
        for row in await self.connection.execute(members.order_by(class_members.c.user_id)):
            found[row.class_id][1].append(row.user_id)
        return found

    async def groups_of(self, user_ids: Sequence[str]) -> Mapping[str, Sequence[GroupRef]]:
        joined = class_members.join(
            classes, (classes.c.organization_id == class_members.c.organization_id) & (classes.c.id == class_members.c.class_id)
        )
        query = select(class_members.c.user_id, classes.c.id, classes.c.display_name).select_from(joined)
        query = query.where(
            self.mine(class_members), class_members.c.user_id == any_(_texts(user_ids)), classes.c.archived_at.is_(None)
        )
        found: dict[str, list[GroupRef]] = {}
        for row in await self.connection.execute(query.order_by(classes.c.id)):
            found.setdefault(row.user_id, []).append(GroupRef(row.id, row.display_name))
        return found

    def _of(self, kind: Kind) -> ColumnElement[bool]:
        return self.mine(provisioned) & (provisioned.c.kind == kind)

    def _shown(self, kind: Kind) -> tuple[Table, ColumnElement[bool]]:
        if kind is Kind.GROUP:
            return classes, self.mine(classes) & classes.c.archived_at.is_(None)
        removed = select(provisioned.c.id).where(self._of(kind), provisioned.c.removed_at.is_not(None))
        return users, self.mine(users) & users.c.id.not_in(removed)

    def _record(self, row: Row[Any]) -> Record:
        kind = Kind(row.kind)
        attributes = json.loads(self._vault.open(row.sealed_attributes, self._context(kind, row.id)))
        return Record(kind, row.id, attributes, row.changed_at, row.removed_at)

    def _context(self, kind: Kind, resource_id: str) -> str:
        return f"{self.organization}/{kind}/{resource_id}/provisioned"

    def _name_index(self, user_name: str) -> bytes:
        return self._vault.fingerprint(user_name.casefold(), f"{self.organization}/userName")

    def _external_index(self, external_id: str) -> bytes:
        return self._vault.fingerprint(external_id, f"{self.organization}/externalId")


def _texts(values: Sequence[str]) -> ColumnElement[Any]:
    return literal(list(values), ARRAY(Text))
