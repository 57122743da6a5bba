"""The kinds of refusal. A context raises a subclass whose name and `reason` state the fact; one place maps kinds to gRPC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field: its path in the request (`item.skills`) and a sentence saying what would be right."""

    field: str
    description: str


class DomainError(Exception):
    """A refusal that the caller is meant to see. `reason` is stable and machine-readable, in UPPER_SNAKE_CASE."""

    reason = "DOMAIN_ERROR"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(DomainError):
    """The request can never succeed as it is. Names every field at fault that was found."""

    reason = "INVALID_INPUT"

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        super().__init__("; ".join(f"{each.field}: {each.description}" for each in violations))
        self.violations = tuple(violations)

    @classmethod
    def of(cls, field: str, description: str) -> "InvalidInput":
        return cls([FieldViolation(field, description)])


class NotFound(DomainError):
    """There is no such thing in the caller's organization, whether or not another organization has it."""

    reason = "NOT_FOUND"


class AlreadyExists(DomainError):
    """The id is taken."""

    reason = "ALREADY_EXISTS"


class RequestIdReused(AlreadyExists):
    """The request id was used with another body: a new request needs a new id."""

    reason = "REQUEST_ID_REUSED"


class NotAllowedNow(DomainError):
    """The state of things forbids it; another act has to come first."""

    reason = "NOT_ALLOWED_NOW"


class Conflict(DomainError):
    """Somebody else changed it meanwhile: read again, then repeat."""

    reason = "CONFLICT"


class Forbidden(DomainError):
    """The caller is known and may not."""

    reason = "FORBIDDEN"


class Unauthenticated(DomainError):
    """The caller is not known."""

    reason = "UNAUTHENTICATED"


class _Retryable(DomainError):
    def __init__(self, message: str, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimitReached(_Retryable):
    """Too much or too fast; may be repeated after `retry_after`."""

    reason = "LIMIT_REACHED"


class Unavailable(_Retryable):
    """Something this needs is down; may be repeated after `retry_after`."""

    reason = "UNAVAILABLE"


class QuotaReached(DomainError):
    """The organization has as much of something as its plan allows. Waiting helps only where there is a `retry_after`."""

    reason = "QUOTA_REACHED"

    def __init__(self, quota: str, in_words: str, limit: int, used: int, plan: str, retry_after: timedelta | None = None) -> None:
        super().__init__(
            f"the plan {plan} of this organization allows {limit:,} {in_words}, and there are {used:,}: "
            "an administrator of the organization asks the platform's operator for another plan"
        )
        self.quota = quota
        self.limit = limit
        self.plan = plan
        self.retry_after = retry_after
