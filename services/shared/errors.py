"""The one place where refusals become gRPC statuses (and, through Envoy, REST answers)."""

from datetime import timedelta
from math import ceil

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from domain.shared.errors import (
    AlreadyExists,
    Conflict,
    DomainError,
    Forbidden,
    InvalidInput,
    LimitReached,
    NotAllowedNow,
    NotFound,
    QuotaReached,
    Unauthenticated,
    Unavailable,
)

ERROR_DOMAIN = "paideia"

_CODES: tuple[tuple[type[DomainError], grpc.StatusCode], ...] = (
    (InvalidInput, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (NotAllowedNow, grpc.StatusCode.FAILED_PRECONDITION),
    (Conflict, grpc.StatusCode.ABORTED),
    (Forbidden, grpc.StatusCode.PERMISSION_DENIED),
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (LimitReached, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (QuotaReached, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
)
_MOST_VIOLATIONS = 100
LONGEST_MESSAGE = 1000
"""Characters: statuses travel in headers, which are bounded."""


def code_of(error: DomainError) -> grpc.StatusCode:
    return next(code for kind, code in _CODES if isinstance(error, kind))


def status_of(error: DomainError) -> status_pb2.Status:
    """Returns the status with ErrorInfo, and BadRequest, QuotaFailure or RetryInfo where they apply."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN)
    details: list[Message] = [info]
    if isinstance(error, QuotaReached):
        info.metadata.update({"quota": error.quota, "limit": str(error.limit), "plan": error.plan})
        failed = error_details_pb2.QuotaFailure.Violation(subject=f"quotas/{error.quota}", description=error.message)
        details.append(error_details_pb2.QuotaFailure(violations=[failed]))
    if isinstance(error, InvalidInput):
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=each.field, description=each.description)
                    for each in error.violations[:_MOST_VIOLATIONS]
                ]
            )
        )
    if (wait := _wait_of(error)) is not None:
        delay = Duration()
        delay.FromTimedelta(wait)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return status(code_of(error), error.message[:LONGEST_MESSAGE], details)


def trailers_of(error: DomainError) -> tuple[tuple[str, str | bytes], ...]:
    """Returns the trailing metadata of a refusal: the whole status, and for REST callers the Retry-After header."""
    details = ("grpc-status-details-bin", status_of(error).SerializeToString())
    if (wait := _wait_of(error)) is not None:
        return details, ("retry-after", str(ceil(wait.total_seconds())))
    return (details,)


def _wait_of(error: DomainError) -> timedelta | None:
    return error.retry_after if isinstance(error, LimitReached | QuotaReached | Unavailable) else None


def status(code: grpc.StatusCode, message: str, details: list[Message]) -> status_pb2.Status:
    packed = []
    for detail in details:
        packed.append(Any())
        packed[-1].Pack(detail)
    return status_pb2.Status(code=code_pb2.Code.Value(code.name), message=message, details=packed)
