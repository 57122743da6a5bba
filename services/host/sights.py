"""Where a process learns whose work its callers see: from identity, by gRPC, and by the events that say that it has changed."""

from paideia.identity.v1.events_pb2 import SightChanged
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from paideia.identity.v1.people_pb2 import GetSightRequest

from adapters.shared.broadcast import Heard
from adapters.shared.grpc import Channels
from services.shared.sights import Ask, RememberedSights, Sight, sight_from

_SECONDS = 3.0


def identity_sights(channels: Channels) -> Ask:
    async def ask(organization: str, user: str) -> Sight:
        get_sight = channels.stub(IdentityServiceStub, "identity").GetSight
        return sight_from(
            await channels.call("identity", get_sight, GetSightRequest(user=f"users/{user}"), organization, timeout=_SECONDS)
        )

    return ask


def hearing_changes(sights: RememberedSights) -> Heard:
    def hear(type: str, value: bytes) -> None:
        if type == SightChanged.DESCRIPTOR.full_name:
            event = SightChanged.FromString(value)
            sights.forget(event.organization.removeprefix("organizations/"), event.user.removeprefix("users/"))

    return hear
