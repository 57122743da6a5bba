"""What identity does for privacy without being asked: erasures that are due, receipts, retention, and the sealing of what is plain."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC

import structlog
from google.protobuf.message import DecodeError
from paideia.identity.v1.events_pb2 import PrivacyPartDone

from domain.identity.privacy import Receipt
from domain.identity.use_cases.apply_retention import ApplyRetention
from domain.identity.use_cases.carry_out_due_jobs import CarryOutDueJobs
from domain.identity.use_cases.seal_plain_rows import SealPlainRows
from domain.identity.use_cases.take_receipt import TakeReceipt
from domain.shared.errors import Conflict, InvalidInput, Unavailable
from services.shared.context import Job
from services.shared.log import LogMessage
from services.shared.names import id_in

log = structlog.get_logger()

_DUE_EVERY_SECONDS = 2.0
_RETENTION_EVERY_SECONDS = 86_400.0
_SEAL_EVERY_SECONDS = 3_600.0
_AFTER_AN_OUTAGE_SECONDS = 5.0


class ReceiptConsumer:
    """Handles `privacy.receipts`."""

    def __init__(self, take: TakeReceipt) -> None:
        self._take = take

    async def __call__(self, batch: Sequence[LogMessage]) -> None:
        for message in batch:
            try:
                done = PrivacyPartDone.FromString(message.value)
            except DecodeError as error:
                raise InvalidInput.of("value", "must be a PrivacyPartDone") from error
            job_id = id_in(done.privacy_job, "privacyJobs", "privacy_job")
            receipt = Receipt(done.context, done.done_time.ToDatetime(UTC), dict(done.records))
            await self._take(message.organization, job_id, receipt)


def privacy_jobs(carry_out: CarryOutDueJobs, retain: ApplyRetention, seal: SealPlainRows) -> tuple[Job, ...]:
    """Every process may run them: they take turns row by row."""
    return (
        _repeated("due erasures", carry_out, _DUE_EVERY_SECONDS),
        _repeated("retention", retain, _RETENTION_EVERY_SECONDS),
        _repeated("sealing", seal, _SEAL_EVERY_SECONDS),
    )


def _repeated(name: str, act: Callable[[], Awaitable[int]], seconds: float) -> Job:
    async def run() -> None:
        while True:
            pause = seconds
            try:
                if done := await act():
                    log.info("privacy", work=name, done=done)
            except (Unavailable, Conflict) as error:
                log.warning("privacy waits", work=name, error=error.message)
                pause = min(seconds, _AFTER_AN_OUTAGE_SECONDS)
            await asyncio.sleep(pause)

    run.__qualname__ = f"privacy: {name}"
    return run
