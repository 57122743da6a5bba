"""Acts, and the chain that they form: each link holds the hash of the one before, so that nothing can be changed unnoticed."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from domain.shared.errors import Forbidden, NotFound

PLATFORM = "-"
"""The chain of what cannot be put down to an organization; no organization can be called that."""

BEGINNING = bytes(32)
"""What the first link holds in place of a hash."""

MOST_FAULTS = 100


class NoHeadYet(NotFound):
    reason = "NO_ACT_YET"


class OperatorsOnly(Forbidden):
    reason = "OPERATORS_ONLY"

    def __init__(self) -> None:
        super().__init__("the chain of the platform is for operators")


class Outcome(StrEnum):
    SUCCEEDED = "SUCCEEDED"
    REFUSED = "REFUSED"
    CHALLENGED = "CHALLENGED"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did or tried, as the log tells it. `event_id` is unique for ever. No field holds personal data besides ids.

    `proven`: whether it is more than a claim that this organization is concerned.
    """

    event_id: str
    occurred_at: datetime
    actor: str
    act: str
    target: str = ""
    outcome: Outcome = Outcome.SUCCEEDED
    reason: str = ""
    address: str = ""
    trace_id: str = ""
    count: int = 1

    @property
    def proven(self) -> bool:
        return not self.actor.startswith("claims/")


@dataclass(frozen=True, slots=True)
class Link:
    """An act in its organization's chain."""

    organization: str
    sequence: int
    recorded_at: datetime
    act: Act
    previous: bytes
    hash: bytes = field(default=b"")

    def computed_hash(self) -> bytes:
        """SHA-256 over JSON in UTF-8: the fields below, sorted by name, without spaces; times in microseconds since 1970."""
        fields = {
            "act": self.act.act,
            "actor": self.act.actor,
            "address": self.act.address,
            "count": self.act.count,
            "event_id": self.act.event_id,
            "occurred_at": microseconds(self.act.occurred_at),
            "organization": self.organization,
            "outcome": str(self.act.outcome),
            "previous": self.previous.hex(),
            "reason": self.act.reason,
            "recorded_at": microseconds(self.recorded_at),
            "sequence": self.sequence,
            "target": self.act.target,
            "trace_id": self.act.trace_id,
            "version": 1,
        }
        return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain as it was at a time, and a signature that says so."""

    sequence: int
    signature: str


@dataclass(frozen=True, slots=True)
class SignedEnd:
    """What a head's signature vouches for."""

    organization: str
    sequence: int
    hash: bytes


class FaultKind(StrEnum):
    CHANGED = "CHANGED"
    OUT_OF_CHAIN = "OUT_OF_CHAIN"
    MISSING = "MISSING"
    FORGED_HEAD = "FORGED_HEAD"
    OTHER_ACT = "OTHER_ACT"
    CUT_OFF = "CUT_OFF"
    UNSIGNED = "UNSIGNED"


@dataclass(frozen=True, slots=True)
class Fault:
    kind: FaultKind
    sequence: int
    message: str


def microseconds(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def chained(organization: str, tip: Link | None, acts: Sequence[Act], now: datetime) -> list[Link]:
    """Returns the links that follow `tip` (None: the chain begins)."""
    links: list[Link] = []
    for act in acts:
        before = links[-1] if links else tip
        link = Link(organization, before.sequence + 1 if before else 1, now, act, before.hash if before else BEGINNING)
        links.append(Link(organization, link.sequence, now, act, link.previous, link.computed_hash()))
    return links


def faults_in(after: tuple[int, bytes], links: Sequence[Link]) -> Iterator[Fault]:
    """What is wrong with the links that should follow the act numbered and hashed as `after`."""
    sequence, previous = after
    for link in links:
        if link.sequence != sequence + 1:
            yield Fault(FaultKind.MISSING, sequence + 1, f"acts {sequence + 1} to {link.sequence - 1} are not there")
        elif link.previous != previous:
            yield Fault(FaultKind.OUT_OF_CHAIN, link.sequence, f"act {link.sequence} does not follow from the one before it")
        if link.hash != link.computed_hash():
            yield Fault(FaultKind.CHANGED, link.sequence, f"act {link.sequence} is not what its hash was computed from")
        sequence, previous = link.sequence, link.hash
