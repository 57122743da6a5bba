"""What people have agreed to: a history that is only added to."""

from dataclasses import dataclass
from datetime import datetime

from domain.shared.errors import InvalidInput, NotAllowedNow, NotFound
from domain.shared.ids import chosen_id

MOST_PURPOSES = 100
_LONGEST_TEXT = 10_000


class PurposeNotFound(NotFound):
    reason = "PURPOSE_NOT_FOUND"

    def __init__(self, purpose: str) -> None:
        super().__init__(f"no purpose {purpose}")


class TooManyPurposes(NotAllowedNow):
    reason = "TOO_MANY_PURPOSES"


class PurposeChanged(NotAllowedNow):
    reason = "PURPOSE_CHANGED"


class GuardianDecides(NotAllowedNow):
    reason = "GUARDIAN_DECIDES"

    def __init__(self) -> None:
        super().__init__("a learner who has guardians does not decide alone to share: a guardian does")


@dataclass(frozen=True, slots=True)
class Purpose:
    """A version of what people are asked to agree to; it never changes."""

    id: str
    version: int
    text: str
    published_at: datetime

    @classmethod
    def publish(cls, purpose: str, text: str, before: "Purpose | None", now: datetime) -> "Purpose":
        """The next version. Raises InvalidInput."""
        wording = text.strip()
        if not 1 <= len(wording) <= _LONGEST_TEXT:
            raise InvalidInput.of("purpose.text", f"must be 1 to {_LONGEST_TEXT:,} characters")
        return cls(chosen_id(purpose, "purpose.name"), 1 if before is None else before.version + 1, wording, now)


@dataclass(frozen=True, slots=True)
class Consent:
    """Given or withdrawn, for one version of a purpose, by whoever said so."""

    user: str
    purpose: str
    version: int
    given: bool
    by: str
    at: datetime


def current(history: tuple[Consent, ...]) -> frozenset[int]:
    """Returns where in a history, oldest first, the entries are that count: the newest of each purpose."""
    return frozenset({each.purpose: at for at, each in enumerate(history)}.values())
