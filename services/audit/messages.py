"""Between the messages of the audit log and its domain."""

from paideia.audit.v1 import audit_service_pb2 as pb

from domain.audit.model import Fault, Head, Link
from domain.audit.ports import ActFilter
from domain.audit.use_cases.verify_acts import Verdict
from domain.shared.errors import InvalidInput
from services.shared.times import timestamp, when

_LONGEST = 300


def act_message(link: Link) -> pb.Act:
    act = link.act
    return pb.Act(
        sequence=link.sequence,
        occur_time=timestamp(act.occurred_at),
        record_time=timestamp(link.recorded_at),
        actor=act.actor,
        act=act.act,
        target=act.target,
        outcome=f"OUTCOME_{act.outcome}",
        reason=act.reason,
        address=act.address,
        trace_id=act.trace_id,
        count=act.count,
        event_id=act.event_id,
        previous_hash=link.previous.hex(),
        hash=link.hash.hex(),
    )


def filter_in(request: pb.ListActsRequest) -> ActFilter:
    for field in ("actor", "act"):
        text = getattr(request, field)
        if len(text) > _LONGEST or "\0" in text:
            raise InvalidInput.of(field, f"must be at most {_LONGEST} characters, without NUL")
    return ActFilter(
        when(request.start_time, "start_time") if request.HasField("start_time") else None,
        when(request.end_time, "end_time") if request.HasField("end_time") else None,
        request.actor,
        request.act,
    )


def after_in(request: pb.VerifyActsRequest) -> tuple[int, bytes]:
    """Returns the act after which to begin."""
    if request.after_sequence < 0:
        raise InvalidInput.of("after_sequence", "must not be negative")
    try:
        after = bytes.fromhex(request.after_hash)
    except ValueError:
        after = b"?"  # of a length that is refused below
    if len(after) != (32 if request.after_sequence else 0) and not (request.after_sequence == 0 and after == bytes(32)):
        raise InvalidInput.of("after_hash", "must be the last_hash that came with this last_sequence")
    return request.after_sequence, after or bytes(32)


def verdict_message(verdict: Verdict) -> pb.VerifyActsResponse:
    return pb.VerifyActsResponse(
        act_count=verdict.acts,
        head_count=verdict.heads,
        last_sequence=verdict.last[0],
        last_hash=verdict.last[1].hex(),
        done=verdict.done,
        faults=map(_fault_message, verdict.faults),
    )


def head_message(head: Head, public_key: str) -> pb.Head:
    return pb.Head(sequence=head.sequence, signature=head.signature, public_key=public_key)


def _fault_message(fault: Fault) -> pb.Fault:
    return pb.Fault(kind=f"FAULT_KIND_{fault.kind}", sequence=fault.sequence, message=fault.message)
