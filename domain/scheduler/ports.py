"""What the scheduler needs of the world."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from domain.scheduler.difficulties import DifficultyEpoch
from domain.scheduler.model import Decision, LearnerUpdate, Publication
from domain.scheduler.policies import Assignment, PolicyChange, PolicyVersion
from domain.scheduler.policy import Policy
from domain.scheduler.state import LearnerState
from domain.shared.page import Page, PageRequest


class StateRepository(Protocol):
    """Learners' states, durable."""

    async def of(self, learners: Collection[str]) -> dict[str, LearnerState]:
        """Returns a state for every learner asked for, a new one for those who never answered."""

    async def save(self, states: Mapping[str, LearnerState]) -> None:
        """Keeps each state unless a newer one is there."""


class DifficultyRepository(Protocol):
    """The newest known difficulty of items in logits."""

    async def of(self, items: Collection[str]) -> dict[str, float]:
        """Returns the difficulties that are known."""

    async def save(self, difficulties: Mapping[str, float]) -> None: ...


class PublicationRepository(Protocol):
    """Publications as the catalog handed them out."""

    async def newest(self, course: str) -> Publication | None: ...

    async def newest_number(self, course: str) -> int:
        """Returns 0 if there is none."""

    async def save(self, publication: Publication) -> None:
        """Keeps it for ever; saving it again changes nothing."""


class SchedulerUnit(Protocol):
    """One transaction of one organization; leaving it without commit() undoes it."""

    states: StateRepository
    difficulties: DifficultyRepository
    publications: PublicationRepository

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NewUnit(Protocol):
    def __call__(self, organization: str) -> SchedulerUnit: ...


class UpdateRepository(Protocol):
    """Every update and every repair of every learner, kept for ever."""

    async def add(self, updates: Sequence[LearnerUpdate]) -> None:
        """Keeps each; what is kept already stays as it is."""

    async def of(self, learner: str, up_to: int) -> list[LearnerUpdate]:
        """Returns a learner's updates and repairs up to a sequence, its repairs included, in order."""


class DifficultyEpochRepository(Protocol):
    """The epochs of each course's item difficulties, numbered from 1 on, kept for ever."""

    async def between(self, course: str, after: int, up_to: int | None = None) -> list[DifficultyEpoch]:
        """Returns, in order, what leads from one epoch to another, the newest if none is given; from the last complete one on if that
        comes after the first."""

    async def add(self, course: str, epoch: DifficultyEpoch) -> bool:
        """Keeps it, unless its number is taken: returns whether it was kept."""


class PublicationHistory(Protocol):
    """Publications that decisions were made from."""

    async def numbered(self, course: str, number: int) -> Publication:
        """Raises CourseNotPublished."""


class HistoryUnit(Protocol):
    """One transaction over what decisions are made again from; leaving it without commit() undoes it."""

    updates: UpdateRepository
    epochs: DifficultyEpochRepository
    publications: PublicationHistory

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NewHistory(Protocol):
    def __call__(self, organization: str) -> HistoryUnit: ...


@dataclass(frozen=True, slots=True)
class HotView:
    """What a cache knows: None for what it does not."""

    state: LearnerState | None = None
    publication: int | None = None
    decision: Decision | None = None


class HotStates(Protocol):
    """A cache in front of the units, shared by all processes. It may forget anything at any time, and never raises."""

    async def read(self, organization: str, learner: str, course: str, decision_id: str) -> HotView:
        """Returns a learner's state, the number of a course's newest publication, and the decision that has the id if one was kept lately,
        in one round trip."""

    async def states(self, organization: str, learners: Sequence[str]) -> dict[str, LearnerState]:
        """Returns those it knows."""

    async def keep(self, organization: str, states: Mapping[str, LearnerState]) -> None:
        """Keeps each state unless it has a newer one."""

    async def keep_publication(self, organization: str, course: str, number: int) -> None:
        """Keeps the number unless it has a higher one."""


class PublicationSource(Protocol):
    """The context that publishes courses."""

    async def newest(self, organization: str, course: str) -> Publication:
        """Raises CourseNotPublished, or Unavailable."""

    async def newest_number(self, organization: str, course: str) -> int:
        """Returns the number alone, which costs little. Raises CourseNotPublished, or Unavailable."""


class DecisionLog(Protocol):
    """The records of decisions, each with its event."""

    async def add(self, organization: str, decision: Decision) -> Decision:
        """Makes the record durable before it returns it; if the id is taken, returns the record that has it. Raises Unavailable."""

    async def keep(self, organization: str, decision: Decision) -> Decision:
        """Takes the record over: it can be read at once and is durable soon, also if the process that took it dies meanwhile.

        Only for an id that the cache has just been asked for in vain. Returns the record that has the id. Raises Unavailable when
        too much waits to become durable.
        """

    async def get(self, organization: str, decision_id: str) -> Decision:
        """Raises DecisionNotFound."""


class PolicyRepository(Protocol):
    """The policies that an organization created, and the changes of their standing."""

    async def hold(self) -> None:
        """Makes every other transaction that would change policies of the organization wait until this one ends."""

    async def get(self, policy_id: str) -> PolicyVersion:
        """Raises PolicyNotFound."""

    async def in_use(self) -> list[PolicyVersion]:
        """Returns those in the shadow, canaries and live ones."""

    async def page(self, request: PageRequest) -> Page[PolicyVersion]:
        """Returns a page in the order of ids."""

    async def add(self, version: PolicyVersion) -> None:
        """Raises PolicyAlreadyExists."""

    async def save(self, version: PolicyVersion, change: PolicyChange) -> None:
        """Keeps its standing with the change that led to it."""

    async def changes(self, policy_id: str) -> list[PolicyChange]:
        """Returns its changes, the first one first."""

    async def changes_by(self, request_id: str) -> list[PolicyChange]:
        """Returns what a request changed: nothing if it was never made."""


class PolicyUnit(Protocol):
    """One transaction of one organization; leaving it without commit() undoes it."""

    policies: PolicyRepository

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NewPolicyUnit(Protocol):
    def __call__(self, organization: str) -> PolicyUnit: ...


class PolicyBook(Protocol):
    """Which policy decides for whom."""

    async def assigned(self, organization: str, course: str, learner: str) -> Assignment:
        """Answers from the memory of the process; only an organization's first question is read. Raises Unavailable."""

    async def version(self, organization: str, policy_version: str) -> Policy:
        """Returns a policy that a record names, whatever became of it since. Raises PolicyNotFound, or Unavailable."""

    async def renew(self, organization: str) -> None:
        """Takes note that a policy was staged."""
