"""Names and addresses at rest: sealed with a key per person, which the organization's key wraps, which the key vault wraps.

What is sealed is bound to its organization, table, column and row: moved anywhere else, it does not open. Addresses are found by a keyed
digest (HMAC-SHA-256 under a key of the organization's own that is never renewed): whoever has the tables alone cannot try addresses
against it.
"""

import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, DateTime, LargeBinary, MetaData, Table, Text, Uuid, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.identity.vault import NONCE_BYTES, derived
from domain.identity.credential_ports import UnreadableSecret
from domain.identity.sealing import KeyVault

_INDEX = "index"
_DATA = "data"
_VERSION = b"\x01"
_ID_BYTES = 16
_INDEXING = b"paideia organization: index"
KEY_ID_AT = 2
"""Where the id of the organization's key begins in what it sealed, counted from 1 as SQL does; it has 16 bytes."""
_REMEMBERED_SECONDS = 600.0
_MOST_REMEMBERED = 10_000

organization_keys = Table(
    "organization_keys",
    MetaData(),
    Column("organization_id", Text),
    Column("id", Uuid),
    Column("purpose", Text),
    Column("wrapped", LargeBinary),
    Column("vault_key", Text),
    Column("created_at", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lies. The whole of it is authenticated with the value."""

    organization: str
    table: str
    column: str
    row: str

    @property
    def associated(self) -> bytes:
        return "\0".join((self.organization, self.table, self.column, self.row)).encode()


class PersonKey:
    """One person's key."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._cipher = AESGCM(key)

    @classmethod
    def new(cls) -> "PersonKey":
        return cls(secrets.token_bytes(32))

    def seal(self, text: str, place: Place) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, text.encode(), place.associated)

    def open(self, sealed: bytes, place: Place) -> str:
        """Raises UnreadableSecret."""
        return _decrypted(self._cipher, sealed, len(_VERSION), place).decode()


class OrganizationKey:
    """One of an organization's keys. What it seals begins with its id."""

    def __init__(self, id: UUID, key: bytes) -> None:
        self.id = id
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, place: Place) -> bytes:
        nonce = secrets.token_bytes(NONCE_BYTES)
        return _VERSION + self.id.bytes + nonce + self._cipher.encrypt(nonce, plain, place.associated)

    def open(self, sealed: bytes, place: Place) -> bytes:
        """Raises UnreadableSecret."""
        return _decrypted(self._cipher, sealed, len(_VERSION) + _ID_BYTES, place)


class OpenedKeys:
    """Keys that the vault has unwrapped, for ten minutes: a page of people costs it one call, or none. One for a process."""

    def __init__(self, vault: KeyVault) -> None:
        self.vault = vault
        self._opened: dict[tuple[str, UUID, bytes], tuple[bytes, float]] = {}

    async def open(self, organization: str, id: UUID, wrapped: bytes) -> bytes:
        """Raises UnreadableSecret, Unavailable."""
        place, now = (organization, id, wrapped), monotonic()
        key, until = self._opened.get(place, (b"", 0.0))
        if now < until:
            return key
        key = await self.vault.unwrap(wrapped, key_context(organization, id))
        if len(self._opened) >= _MOST_REMEMBERED:
            self._opened.clear()
        self._opened[place] = (key, now + _REMEMBERED_SECONDS)
        return key


class OrganizationKeys:
    """An organization's keys as a transaction sees them; the first one that is needed is made in it."""

    def __init__(self, connection: AsyncConnection, organization: str, opened: OpenedKeys) -> None:
        self._connection = connection
        self.organization = organization
        self._opened = opened
        self._known: dict[UUID, OrganizationKey] = {}
        self._newest: OrganizationKey | None = None
        self._index: bytes | None = None

    async def newest(self) -> OrganizationKey:
        """The one to seal with."""
        await self._load()
        if self._newest is None:
            self._newest = await self.renew()
        return self._newest

    async def of(self, sealed: bytes) -> OrganizationKey:
        """The one that sealed this. Raises UnreadableSecret if it was destroyed."""
        id = UUID(bytes=sealed[len(_VERSION) : len(_VERSION) + _ID_BYTES])
        if id not in self._known:
            await self._load(again=True)
        try:
            return self._known[id]
        except KeyError:
            raise UnreadableSecret from None

    async def renew(self) -> OrganizationKey:
        """Makes a key, the newest from when the transaction commits."""
        id, key = await self._make(_DATA)
        self._newest = self._known[id] = OrganizationKey(id, derived(key, b"paideia organization: seal"))
        return self._newest

    async def indexes(self, email: str) -> list[bytes]:
        """What an address is found by: the keyed digest, and the plain one that releases before this one kept."""
        return [await self.index(email), plain_index(email)]

    async def index(self, email: str) -> bytes:
        """The keyed digest of an address, which new rows are found by and unique by."""
        if self._index is None:
            await self._load()
        if self._index is None:
            await self._make(_INDEX)
            await self._load(again=True)  # of two who make the first, one finds the other's
        if self._index is None:
            raise UnreadableSecret
        return _digest(self._index, email)

    async def _make(self, purpose: str) -> tuple[UUID, bytes]:
        id, key, vault = uuid4(), secrets.token_bytes(32), self._opened.vault
        row: dict[str, Any] = {
            "organization_id": self.organization,
            "id": id,
            "purpose": purpose,
            "wrapped": await vault.wrap(key, key_context(self.organization, id)),
            "vault_key": await vault.current(),
        }
        await self._connection.execute(insert(organization_keys).values(**row).on_conflict_do_nothing())
        return id, key

    async def _load(self, *, again: bool = False) -> None:
        if (self._newest is not None or self._index is not None) and not again:
            return
        query = select(organization_keys).where(organization_keys.c.organization_id == self.organization)
        for row in await self._connection.execute(query.order_by(organization_keys.c.created_at, organization_keys.c.id)):
            key = await self._opened.open(self.organization, row.id, row.wrapped)
            if row.purpose == _INDEX:
                self._index = derived(key, _INDEXING)
            else:
                self._newest = self._known[row.id] = OrganizationKey(row.id, derived(key, b"paideia organization: seal"))


def key_context(organization: str, id: UUID) -> str:
    return f"organization {organization} key {id}"


def normalised(email: str) -> str:
    """The one form of an address: compatibility forms are made plain, and case does not count."""
    return unicodedata.normalize("NFKC", email).strip().lower()


def keyed_index(key: bytes, email: str) -> bytes:
    """What an address is found by, under an organization's opened index key."""
    return _digest(derived(key, _INDEXING), email)


def plain_index(email: str) -> bytes:
    """The unkeyed digest of releases before this one."""
    return sha256(email.encode()).digest()


def key_id_of(sealed: bytes) -> UUID:
    """The id of the organization's key that sealed it."""
    return UUID(bytes=sealed[len(_VERSION) : len(_VERSION) + _ID_BYTES])


def _digest(index: bytes, email: str) -> bytes:
    return hmac.digest(index, normalised(email).encode(), "sha256")


def _decrypted(cipher: AESGCM, sealed: bytes, head: int, place: Place) -> bytes:
    try:
        return cipher.decrypt(sealed[head : head + NONCE_BYTES], sealed[head + NONCE_BYTES :], place.associated)
    except (InvalidTag, ValueError):
        raise UnreadableSecret from None
