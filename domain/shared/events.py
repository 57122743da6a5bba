"""The envelope of everything a context publishes."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class EventEnvelope:
    """One event on its way to the log.

    `id` is unique for ever; a consumer counts it once. `key` is the resource name whose events keep their order, without the
    organization, which is put before it on the wire. `payload` is the event's protobuf encoding. `traceparent` is the W3C trace
    context of the request that caused it, empty if none.
    """

    id: str
    type: str
    topic: str
    organization: str
    key: str
    occurred_at: datetime
    payload: bytes
    traceparent: str = ""
