from collections.abc import Sequence
from dataclasses import dataclass

from domain.identity.federated_sign_in import FederatedIdentity
from domain.identity.federation import IdentityProvider
from domain.identity.ports import NewUnit
from domain.identity.step_up import SignedIn


@dataclass(frozen=True, slots=True)
class ListLinkedIdentities:
    new_unit: NewUnit

    async def __call__(self, me: SignedIn) -> Sequence[tuple[IdentityProvider, FederatedIdentity]]:
        async with self.new_unit(me.organization) as unit:
            providers = {each.id: each for each in await unit.providers.all()}
            return [(providers[each.provider], each) for each in await unit.federation.of_user(me.user)]
