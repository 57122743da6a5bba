"""What provisioning needs from outside."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.identity.classes import Class
from domain.identity.provisioning import GroupRef, Kind, Record


class ProvisioningRepository(Protocol):
    """What identity providers said of users and classes of the unit's organization, beyond what these have themselves."""

    async def find(self, kind: Kind, ids: Sequence[str]) -> Mapping[str, Record]:
        """Those there are, by id; removed ones too."""
        ...

    async def save(self, record: Record) -> None:
        """Raises UserNameTaken if another user has the name."""

    async def forget(self, kind: Kind, resource_id: str) -> None: ...

    async def named(self, user_name: str) -> str | None:
        """The user whose record has the name, without regard to case."""
        ...

    async def with_external_id(self, kind: Kind, external_id: str) -> Sequence[str]: ...

    async def ids(self, kind: Kind, most: int, *, offset: int = 0, after: str = "") -> Sequence[str]:
        """In order, from behind `after`; without users that were removed and classes that are archived."""
        ...

    async def count(self, kind: Kind) -> int:
        """How many there are in `ids`."""
        ...

    async def classes(self, ids: Sequence[str]) -> Mapping[str, tuple[Class, Sequence[str]]]:
        """Those of the classes that are not archived, each with its members in order; keeps nobody from anything."""
        ...

    async def groups_of(self, user_ids: Sequence[str]) -> Mapping[str, Sequence[GroupRef]]:
        """The classes, not archived, that each of these users is in, ordered by id."""
        ...
