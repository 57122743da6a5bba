"""People's names and addresses between their rows and the domain: sealed on the way in, opened on the way out."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import LargeBinary, Row, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.identity.personal_keys import OrganizationKeys, PersonKey, Place, plain_index
from adapters.identity.postgres_tables import users
from domain.identity.directory import DirectoryInformation
from domain.identity.model import EmailTaken, User
from domain.shared.caller import Role


class SealedPeople:
    """Rows of `users`. One that a release before this one wrote has no key and is read as it stands."""

    def __init__(self, connection: AsyncConnection, keys: OrganizationKeys) -> None:
        self._connection = connection
        self._keys = keys

    async def row(self, user: User, data_key: bytes | None = None) -> dict[str, Any]:
        """What is written of a user: under the person's key, or a new one if there is none."""
        key, wrapped = await self._key(user.id, data_key)
        return {
            "organization_id": self._keys.organization,
            "id": user.id,
            "display_name": "",
            "email": None,
            "email_index": None if user.email is None else await self._keys.index(user.email),
            "data_key": wrapped,
            "sealed_display_name": key.seal(user.display_name, self._place("display_name", user.id)),
            "sealed_email": None if user.email is None else key.seal(user.email, self._place("email", user.id)),
            "roles": sorted(user.roles),
            "created_at": user.created_at,
            "deactivated_at": user.deactivated_at,
            "directory_information": user.directory or "",
        }

    async def name_row(self, user_id: str, display_name: str, data_key: bytes | None) -> dict[str, Any]:
        """What is written when only the name changes. A row without a key keeps its plain address until it is sealed as a whole."""
        if data_key is None:
            return {"display_name": display_name}
        key, _ = await self._key(user_id, data_key)
        return {"display_name": "", "sealed_display_name": key.seal(display_name, self._place("display_name", user_id))}

    async def user(self, row: Row[Any]) -> User:
        name, email = await self.opened(row)
        roles = frozenset(Role(role) for role in row.roles)
        directory = DirectoryInformation(row.directory_information) if row.directory_information else None
        return User(row.id, name, email, roles, row.created_at, row.deactivated_at, directory)

    async def opened(self, row: Row[Any]) -> tuple[str, str | None]:
        """Returns the name and the address of a row of `users`. Raises UnreadableSecret if its key was destroyed."""
        if row.data_key is None:
            return row.display_name, row.email
        key, _ = await self._key(row.id, row.data_key)
        email = None if row.sealed_email is None else key.open(row.sealed_email, self._place("email", row.id))
        return key.open(row.sealed_display_name, self._place("display_name", row.id)), email

    async def rewrapped(self, user_id: str, data_key: bytes) -> bytes:
        """The person's key, wrapped by the organization's newest."""
        key, _ = await self._key(user_id, data_key)
        return (await self._keys.newest()).seal(key.key, self._place("data_key", user_id))

    async def check_free(self, people: Sequence[User]) -> None:
        """Raises EmailTaken if somebody whose row is not sealed yet has one of their addresses; the table's key tells of the others."""
        wanted = {plain_index(each.email): each.id for each in people if each.email is not None}
        if not wanted:
            return
        query = select(users.c.id, users.c.email_index).where(
            users.c.organization_id == self._keys.organization,
            users.c.email_index == any_(literal(list(wanted), ARRAY(LargeBinary))),
        )
        for row in await self._connection.execute(query):
            if wanted[bytes(row.email_index)] != row.id:
                raise EmailTaken("another user has this e-mail address")

    async def _key(self, user_id: str, data_key: bytes | None) -> tuple[PersonKey, bytes]:
        place = self._place("data_key", user_id)
        if data_key is None:
            key = PersonKey.new()
            return key, (await self._keys.newest()).seal(key.key, place)
        organization_key = await self._keys.of(data_key)
        return PersonKey(organization_key.open(data_key, place)), data_key

    def _place(self, column: str, user_id: str) -> Place:
        return Place(self._keys.organization, "users", column, user_id)


class SealedAddresses:
    """Addresses in rows that are nobody's yet, or that do not last: invitations, mails, links. Under the organization's key itself."""

    def __init__(self, keys: OrganizationKeys, table: str, column: str) -> None:
        self.keys = keys
        self._table = table
        self._column = column

    async def seal(self, email: str, row: str) -> bytes:
        return (await self.keys.newest()).seal(email.encode(), self._place(row))

    async def open(self, sealed: bytes | None, plain: str, row: str) -> str:
        """`plain` is what a release before this one wrote. Raises UnreadableSecret."""
        if sealed is None:
            return plain
        return (await self.keys.of(sealed)).open(sealed, self._place(row)).decode()

    def _place(self, row: str) -> Place:
        return Place(self.keys.organization, self._table, self._column, row)


def of_invitations(keys: OrganizationKeys) -> SealedAddresses:
    return SealedAddresses(keys, "invitations", "email")


def of_mails(keys: OrganizationKeys) -> SealedAddresses:
    return SealedAddresses(keys, "mails", "recipient")


def of_links(keys: OrganizationKeys) -> SealedAddresses:
    return SealedAddresses(keys, "links", "email")
