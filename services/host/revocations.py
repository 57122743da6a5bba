"""Tells the process's token verifier which sessions have ended, by the events of identity."""

from datetime import UTC, timedelta

from paideia.identity.v1.events_pb2 import SessionRevoked

from adapters.shared.broadcast import Broadcast, Heard
from domain.shared.clock import Clock
from services.shared.context import Job
from services.shared.revocations import ACCESS_TOKEN_SECONDS, RevokedSessions

TOPIC = "identity.events"
_SINCE = timedelta(seconds=ACCESS_TOKEN_SECONDS) + timedelta(minutes=1)
"""A process that starts reads what it missed: tokens of sessions that ended earlier have expired."""


def listening(bootstrap: str, revoked: RevokedSessions, clock: Clock, *others: Heard) -> Job:
    """Returns the job that keeps `revoked` up to date, and tells `others` the same events."""
    everybody = (hearing(revoked), *others)

    def hear(type: str, value: bytes) -> None:
        for each in everybody:
            each(type, value)

    return Broadcast(bootstrap, TOPIC, _SINCE, hear, clock).run


def hearing(revoked: RevokedSessions) -> Heard:
    def hear(type: str, value: bytes) -> None:
        if type == SessionRevoked.DESCRIPTOR.full_name:
            event = SessionRevoked.FromString(value)
            revoked.add(event.session.removeprefix("sessions/").removeprefix("tokens/"), event.revoke_time.ToDatetime(UTC))

    return hear
