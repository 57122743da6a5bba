"""Inference's ear on the log: the answers that learners give."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from paideia.ingestion.v1.events_pb2 import LearningEvent

from domain.inference.history import MOST_SKILLS, Entry
from domain.inference.model import Told
from domain.inference.use_cases.record_answers import RecordAnswers
from domain.shared.errors import InvalidInput
from domain.shared.ids import canonical_uuid
from services.shared.log import LogMessage
from services.shared.names import id_in
from services.shared.times import when

USER_ATTEMPTS = "user.attempts"


@dataclass(frozen=True, slots=True)
class UserAttempts:
    """Records a batch, one transaction an organization. A message that cannot be read fails its batch, which is then halved."""

    record: RecordAnswers

    async def __call__(self, batch: Sequence[LogMessage]) -> None:
        by_organization: defaultdict[str, list[Told]] = defaultdict(list)
        for message in batch:
            if not message.organization:
                raise InvalidInput.of("ce_organization", "must be in the headers")
            by_organization[message.organization].append(told_in(message.value))
        for organization, told in sorted(by_organization.items()):
            await self.record(organization, told)


def told_in(value: bytes) -> Told:
    """Returns the answer that an event reports, or raises InvalidInput naming the field that cannot be read."""
    try:
        event = LearningEvent.FromString(value)
    except DecodeError as error:
        raise InvalidInput.of("value", "must be a LearningEvent") from error
    if event.WhichOneof("payload") != "attempt" or not event.HasField("occur_time"):
        raise InvalidInput.of("attempt", "must be there, with a time")
    attempt = event.attempt
    skills = tuple(dict.fromkeys(id_in(each, "skills", "attempt.skills") for each in attempt.skills))
    if len(skills) > MOST_SKILLS:
        raise InvalidInput.of("attempt.skills", f"must be at most {MOST_SKILLS}")
    entry = Entry(
        at=when(event.occur_time, "occur_time").timestamp(),
        sequence=event.client_sequence,
        attempt=canonical_uuid(event.id, "id"),
        item=id_in(attempt.item, "items", "attempt.item"),
        skills=skills,
        correct=attempt.correct,
    )
    return Told(id_in(event.learner, "learners", "learner"), entry)
