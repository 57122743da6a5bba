"""From events to outcomes: what cannot be read is refused by itself, and the rest is recorded together."""

from collections.abc import Sequence

from paideia.ingestion.v1.events_pb2 import LearningEvent

from domain.progress.model import Answer, Outcome, Verdict
from domain.shared.errors import InvalidInput
from services.progress.group_commit import Record
from services.progress.messages import answer_of


async def record_events(record: Record, organization: str, events: Sequence[tuple[LearningEvent, str]]) -> list[Outcome]:
    """Returns an outcome for each event, in the same order. Each event comes with the trace that brought it."""
    read = [_read(event, traceparent) for event, traceparent in events]
    answers = [each for each in read if isinstance(each, Answer)]
    counted = iter(await record(organization, answers) if answers else ())
    return [next(counted) if isinstance(each, Answer) else each for each in read]


def _read(event: LearningEvent, traceparent: str) -> Answer | Outcome:
    try:
        return answer_of(event, traceparent)
    except InvalidInput as error:
        return Outcome(Verdict.REFUSED, reason=error.message)
