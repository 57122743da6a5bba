from collections.abc import Sequence
from datetime import datetime

from domain.identity.events import SessionRevoked
from domain.identity.federated_sign_in import FederatedSession
from domain.identity.ports import IdentityUnit


async def end_federated(unit: IdentityUnit, found: Sequence[FederatedSession], now: datetime) -> None:
    """Ends sessions that began with a provider, and has every process refuse their access tokens."""
    for each in found:
        await unit.sessions.end(each.session)
    await unit.federation.forget_sessions([each.session for each in found])
    await unit.events.add([SessionRevoked(each.user, now, each.session) for each in found])
