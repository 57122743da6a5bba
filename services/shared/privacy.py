"""A context's part in the export and the erasure of people.

An order is answered straight to the log, not through an outbox: its offset is committed only after the answer was acknowledged, so an order
whose answer was lost comes again, and doing it again changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

from google.protobuf.message import DecodeError
from paideia.identity.v1.events_pb2 import PrivacyOrdered, PrivacyPartDone

from domain.shared.clock import Clock
from domain.shared.errors import InvalidInput
from domain.shared.events import EventEnvelope
from domain.shared.personal_data import PersonalRecords, part_of
from services.shared.log import LogMessage
from services.shared.names import id_in
from services.shared.times import timestamp

ORDERS = "privacy.orders"
RECEIPTS = "privacy.receipts"
_EXPORT_WANTED = timedelta(days=7)
"""An export's order that comes again later, by a replay, would leave parts behind that nobody removes any more."""


class Parts(Protocol):
    """Where the parts of an export are put."""

    async def put_part(self, organization: str, job_id: str, context: str, content: bytes) -> None:
        """Raises Unavailable."""


class EventLog(Protocol):
    async def send(self, envelopes: Sequence[EventEnvelope]) -> None:
        """Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class PrivacyOrders:
    """Handles `privacy.orders` for one context."""

    context: str
    records: PersonalRecords
    parts: Parts
    log: EventLog
    clock: Clock

    async def __call__(self, batch: Sequence[LogMessage]) -> None:
        for message in batch:
            try:
                order = PrivacyOrdered.FromString(message.value)
            except DecodeError as error:
                raise InvalidInput.of("value", "must be a PrivacyOrdered") from error
            job_id = id_in(order.privacy_job, "privacyJobs", "privacy_job")
            counts = await self._carry_out(message.organization, job_id, order)
            if counts is not None:
                await self.log.send([self._receipt(message.organization, job_id, counts, self.clock())])

    async def _carry_out(self, organization: str, job_id: str, order: PrivacyOrdered) -> Mapping[str, int] | None:
        """Returns how many records, by what they are; None for an export that is out of date, and for a kind that a newer release gives."""
        user = id_in(order.user, "users", "user")
        match order.kind:
            case "EXPORT" if self.clock() - order.order_time.ToDatetime(UTC) <= _EXPORT_WANTED:
                records = await self.records.export(organization, user)
                await self.parts.put_part(organization, job_id, self.context, part_of(records))
                return {name: len(rows) for name, rows in records.items()}
            case "ERASURE":
                return await self.records.erase(organization, user, id_in(order.pseudonym, "users", "pseudonym"))
            case _:
                return None

    def _receipt(self, organization: str, job_id: str, counts: Mapping[str, int], now: datetime) -> EventEnvelope:
        name = f"privacyJobs/{job_id}"
        done = PrivacyPartDone(privacy_job=name, context=self.context, records=counts, done_time=timestamp(now))
        return EventEnvelope(
            id=str(uuid5(NAMESPACE_URL, f"{name}/{self.context}")),
            type=PrivacyPartDone.DESCRIPTOR.full_name,
            topic=RECEIPTS,
            organization=organization,
            key=name,
            occurred_at=now,
            payload=done.SerializeToString(),
        )
