"""What the use cases of provisioning share: users and classes behind one face."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from domain.identity.ports import IdentityUnit
from domain.identity.provisioning import Kind, Resource
from domain.identity.provisioning_attributes import Tree
from domain.identity.provisioning_filter import Filter
from domain.shared.caller import Caller


class Directory(Protocol):
    """Resources of one kind. Every method works inside a unit that its caller commits."""

    @property
    def kind(self) -> Kind: ...

    async def read(self, unit: IdentityUnit, ids: Sequence[str]) -> Mapping[str, Resource]:
        """Those there are for an identity provider to see."""
        ...

    async def locked(self, unit: IdentityUnit, resource_id: str) -> Resource:
        """Keeps others from changing it until the unit ends. Raises ResourceNotFound."""
        ...

    async def create(self, unit: IdentityUnit, caller: Caller, tree: Tree, now: datetime) -> str:
        """Returns the new one's id."""
        ...

    async def write(self, unit: IdentityUnit, caller: Caller, resource_id: str, tree: Tree, now: datetime) -> None:
        """Makes it what the tree says."""

    async def remove(self, unit: IdentityUnit, caller: Caller, before: Resource, now: datetime) -> None: ...

    async def candidates(self, unit: IdentityUnit, wanted: Filter) -> frozenset[str] | None:
        """Ids among which are all that match; None when only looking at each tells."""
        ...


Directories = Mapping[Kind, Directory]
