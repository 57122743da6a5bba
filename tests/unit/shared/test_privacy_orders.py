"""What a context does with orders, also with those that come again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from paideia.identity.v1.events_pb2 import PrivacyOrdered, PrivacyPartDone

from domain.shared.errors import InvalidInput
from domain.shared.events import EventEnvelope
from domain.shared.personal_data import PersonalRecords, Records
from services.shared.privacy import PrivacyOrders
from services.shared.times import timestamp

NOW = datetime(2026, 6, 12, 8, 30, tzinfo=UTC)
JOB = "privacyJobs/0c6e2f1c-56c8-4a4c-9d6e-3a1d2b9e6f10"


@dataclass(frozen=True)
class Message:
    value: bytes
    organization: str = "north"


@dataclass
class Context(PersonalRecords):
    """Its records, its part of the bucket, and the log."""

    erased: list[tuple[str, str, str]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    sent: list[EventEnvelope] = field(default_factory=list)

    async def export(self, organization: str, person: str) -> Records:
        return {"attempts": ["{}", "{}"]}

    async def erase(self, organization: str, person: str, pseudonym: str) -> Mapping[str, int]:
        self.erased.append((organization, person, pseudonym))
        return {"attempts": 2}

    async def put_part(self, organization: str, job_id: str, context: str, content: bytes) -> None:
        self.parts.append(context)

    async def send(self, envelopes: Sequence[EventEnvelope]) -> None:
        self.sent += envelopes


def order(kind: str, age: timedelta) -> Message:
    pseudonym = "users/erased-1" if kind == "ERASURE" else ""
    told = PrivacyOrdered(privacy_job=JOB, kind=kind, user="users/ada", pseudonym=pseudonym, order_time=timestamp(NOW - age))
    return Message(told.SerializeToString())


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def orders(context: Context) -> PrivacyOrders:
    return PrivacyOrders("progress", context, context, context, lambda: NOW)


async def test_an_erasure_is_carried_out_however_late_its_order_comes_again(context: Context, orders: PrivacyOrders) -> None:
    await orders([order("ERASURE", timedelta(0)), order("ERASURE", timedelta(days=300))])
    assert context.erased == [("north", "ada", "erased-1")] * 2
    assert len({each.id for each in context.sent}) == 1, "it is the same receipt"
    assert dict(PrivacyPartDone.FromString(context.sent[0].payload).records) == {"attempts": 2}


async def test_an_export_that_is_out_of_date_leaves_nothing_behind(context: Context, orders: PrivacyOrders) -> None:
    await orders([order("EXPORT", timedelta(days=7)), order("EXPORT", timedelta(days=8))])
    assert context.parts == ["progress"]
    assert len(context.sent) == 1


async def test_an_order_of_a_kind_that_is_not_known_is_left_alone(context: Context, orders: PrivacyOrders) -> None:
    await orders([order("RECTIFICATION", timedelta(0))])
    assert (context.erased, context.parts, context.sent) == ([], [], [])


async def test_what_is_no_order_is_refused(orders: PrivacyOrders) -> None:
    with pytest.raises(InvalidInput):
        await orders([Message(b"\xff")])
