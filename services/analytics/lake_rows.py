"""What an event of the log is as a row of the lake, whatever version of its message wrote it.

Messages only gain fields. What a message of an old version does not say has no value in the row, or the value that it meant then.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from paideia.ingestion.v1 import events_pb2 as ingestion
from paideia.progress.v1 import events_pb2 as progress
from paideia.scheduler.v1 import events_pb2 as scheduler
from paideia.scheduler.v1 import scheduler_service_pb2 as decisions

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS = (2000, 2200)


class LogMessage(Protocol):
    """What this reads of a message of the log."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def sent_at(self) -> float: ...


class NotARow(Exception):
    """No table can take the message, for the reason in the text."""


def row_of(message: LogMessage) -> dict[str, object]:
    """Returns the row, with the learner's own id. Raises NotARow."""
    headers = message.headers
    type = headers.get("ce_type", "")
    convert = _CONVERTERS.get((message.topic, type))
    if convert is None:
        raise NotARow(f"{message.topic} has no events of type {type or 'unknown'}")
    organization = headers.get("ce_organization", "")
    if not organization:
        raise NotARow("it does not say whose it is")
    try:
        row = convert(message.value)
    except (DecodeError, OverflowError) as error:
        raise NotARow(f"it is no {type}: {error}"[:200]) from error
    row["event_id"] = _uuid(headers.get("ce_id", ""))
    row["organization"] = organization
    row["sent_at"] = _sent(message)
    return row


def quarantined(message: LogMessage, reason: str) -> dict[str, object]:
    """Returns the row that stands for a message that no table takes: where it is and why, none of its content."""
    digest = sha256("\0".join((message.topic, message.headers.get("ce_id", ""), message.headers.get("ce_type", ""))).encode())
    digest.update(message.value)
    return {
        "event_id": str(UUID(bytes=digest.digest()[:16])),
        "organization": message.headers.get("ce_organization", ""),
        "time": _sent(message),
        "topic": message.topic,
        "log_partition": message.partition,
        "log_offset": message.offset,
        "ce_id": message.headers.get("ce_id"),
        "type": message.headers.get("ce_type"),
        "reason": reason,
        "bytes": len(message.value),
    }


def pseudonymised(row: dict[str, object], pseudonym: str) -> dict[str, object]:
    """Returns the row with a pseudonym wherever it names its learner."""
    row["learner"] = pseudonym
    record = row.get("record")
    if isinstance(record, decisions.Decision):
        record.learner = f"learners/{pseudonym}"
        row["record"] = record.SerializeToString()
    return row


def _attempt(value: bytes) -> dict[str, object]:
    event = ingestion.LearningEvent.FromString(value)
    _expect(event, "attempt")
    attempt = event.attempt
    return _of(event) | {
        "item": _id(attempt.item),
        "item_revision": attempt.item_revision or None,
        "skills": [_id(each) for each in attempt.skills],
        "correct": attempt.correct,
        "score": attempt.score if attempt.HasField("score") else float(attempt.correct),
        "response_seconds": _seconds(attempt.response_time) if attempt.HasField("response_time") else None,
        "hints_revealed": attempt.hints_revealed,
        "decision": _id(attempt.decision) or None,
        "test_session": _id(attempt.test_session) or None,
        "client_sequence": event.client_sequence,
    }


def _session(value: bytes) -> dict[str, object]:
    event = ingestion.LearningEvent.FromString(value)
    _expect(event, "session")
    phase = _word(ingestion.SessionPhase, event.session.phase, "SESSION_PHASE_")
    return _of(event) | {"session": event.session.session, "phase": phase, "client_sequence": event.client_sequence}


def _learning_event(value: bytes) -> dict[str, object]:
    event = ingestion.LearningEvent.FromString(value)
    kind = _expect(event, "page_view", "media", "hint")
    row = _of(event) | {"kind": kind, "client_sequence": event.client_sequence}
    if kind == "page_view":
        view = event.page_view
        return row | {
            "page": _without_query(view.page),
            "duration_seconds": _seconds(view.duration) if view.HasField("duration") else None,
        }
    if kind == "media":
        action = _word(ingestion.MediaAction, event.media.action, "MEDIA_ACTION_")
        return row | {
            "media": _without_query(event.media.media),
            "action": action,
            "position_seconds": _seconds(event.media.position),
        }
    return row | {"item": _id(event.hint.item), "hint_number": event.hint.number}


def _progress(value: bytes) -> dict[str, object]:
    event = progress.ProgressUpdated.FromString(value)
    return {
        "time": _time(event.answer_time),
        "learner": _learner(event.learner),
        "course": _id(event.course) or None,
        "sequence": event.sequence,
        "attempt": _id(event.attempt),
        "item": _id(event.item),
        "score": event.score,
        "correct": event.correct,
        "predicted_correct": event.predicted_correct,
        "skills": [
            {
                "skill": _id(each.skill),
                "mean": each.mean,
                "lower": each.lower,
                "upper": each.upper,
                "attempt_count": each.attempt_count,
            }
            for each in event.skills
        ],
        "ability": event.ability_mean,
        "ability_standard_error": event.ability_standard_error,
        "item_difficulty": event.item_difficulty,
        "response_seconds": _seconds(event.response_time) if event.HasField("response_time") else None,
        "decision": _id(event.decision) or None,
        "revision": event.revision,
    }


def _decision(value: bytes) -> dict[str, object]:
    made = scheduler.DecisionMade.FromString(value).decision
    record = decisions.Decision()
    record.CopyFrom(made)
    return {
        "time": _time(made.decide_time),
        "learner": _learner(made.learner),
        "course": _id(made.course) or None,
        "decision": _id(made.name),
        "publication": made.publication,
        "policy_version": made.policy_version,
        "model_version": made.model_version,
        "engine_version": made.engine_version or None,
        # Records from before there were modes are of practice.
        "mode": _word(decisions.Mode, made.mode or decisions.MODE_PRACTICE, "MODE_"),
        "arm": made.arm or None,
        "arms": [{"arm": each.arm, "probability": each.probability} for each in made.arms],
        "context": list(made.context),
        "learner_sequence": made.learner_sequence,
        "size": made.size,
        "choices": [
            {
                "item": _id(each.item),
                "revision": each.revision,
                "propensity": each.propensity,
                # Policies of one strategy did not tell it: theirs is that of the policy.
                "arm_propensity": each.arm_propensity or each.propensity,
                "predicted_correct": each.predicted_correct,
                "reason": _word(decisions.ReasonKind, each.reason_kind, "REASON_KIND_"),
                "relaxed": each.relaxed or None,
            }
            for each in made.choices
        ],
        "candidates": [
            {
                "item": _id(each.item),
                "score": each.score,
                "propensity": each.propensity,
                "predicted_correct": each.predicted_correct,
            }
            for each in made.candidates
        ],
        "fallbacks": list(made.fallbacks),
        "empty_reason": made.empty_reason or None,
        "difficulty_epoch": made.difficulty_epoch,
        "shadow_of": _id(made.shadow_of) or None,
        "record": record,
    }


_LEARNING_EVENT = ingestion.LearningEvent.DESCRIPTOR.full_name
_CONVERTERS: Mapping[tuple[str, str], Callable[[bytes], dict[str, object]]] = {
    ("user.attempts", _LEARNING_EVENT): _attempt,
    ("user.sessions", _LEARNING_EVENT): _session,
    ("learning.events", _LEARNING_EVENT): _learning_event,
    ("progress.updates", progress.ProgressUpdated.DESCRIPTOR.full_name): _progress,
    ("scheduler.decisions", scheduler.DecisionMade.DESCRIPTOR.full_name): _decision,
}


def _of(event: ingestion.LearningEvent) -> dict[str, object]:
    return {"time": _time(event.occur_time), "learner": _learner(event.learner), "course": _id(event.course) or None}


def _expect(event: ingestion.LearningEvent, *kinds: str) -> str:
    kind = event.WhichOneof("payload")
    if kind not in kinds:
        raise NotARow(f"its payload is {kind or 'of a kind that is not known here'}")
    return str(kind)


def _id(name: str) -> str:
    """The last part of a resource name."""
    return name.rpartition("/")[2]


def _learner(name: str) -> str:
    collection, _, learner = name.partition("/")
    if collection != "learners" or not learner:
        raise NotARow("it does not name its learner")
    return learner


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise NotARow("its id is no UUID") from None


def _time(moment: Timestamp) -> datetime:
    try:
        time = _EPOCH + timedelta(seconds=moment.seconds, microseconds=moment.nanos // 1_000)
    except OverflowError:
        raise NotARow("its time is not in any calendar") from None
    if not _YEARS[0] <= time.year < _YEARS[1]:
        raise NotARow(f"its time is in the year {time.year}")
    return time


def _sent(message: LogMessage) -> datetime:
    # Some clients and brokers tell no time: -1.
    return _EPOCH + timedelta(seconds=max(0.0, message.sent_at))


def _seconds(duration: Duration) -> float:
    return float(duration.seconds) + duration.nanos / 1e9


def _without_query(address: str) -> str:
    try:
        return urlunsplit(urlsplit(address)._replace(query="", fragment=""))
    except ValueError:
        return address.partition("?")[0].partition("#")[0]


def _word(enumeration: Any, value: int, prefix: str) -> str:
    """Returns `started` for SESSION_PHASE_STARTED; the number of a value that is not known here."""
    try:
        return str(enumeration.Name(value)).removeprefix(prefix).lower()
    except ValueError:
        return str(value)
