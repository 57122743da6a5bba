"""What progress needs from outside."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from domain.progress.model import Answer, Attempt, Evidence, LearnerState, MasteryRecomputed, ProgressUpdated, SkillState
from domain.progress.workbook import Workbook
from domain.psychometrics.response_model import ItemEvidence
from domain.shared.page import Page, PageRequest


class ProgressRecords(Protocol):
    """Attempts and what they say, of the unit's organization."""

    async def open(self, answers: Sequence[Answer]) -> Workbook:
        """Returns the state that the answers touch. Nobody else counts anything of their learners until the unit ends."""
        ...

    async def save(self, workbook: Workbook) -> None:
        """Keeps what the workbook collected; evidence about items is added to what there is by then.

        Raises Conflict if one of the attempt ids was counted meanwhile for another learner.
        """

    async def attempt(self, learner: str, attempt_id: str) -> Attempt:
        """Raises AttemptNotFound."""
        ...

    async def attempts(self, learner: str | None, course: str | None, request: PageRequest) -> Page[Attempt]:
        """By learner and sequence; None means every learner's, or whatever the course. The cursor is `(learner, sequence)`.

        Raises InvalidInput naming `page_token` when the cursor is not one of these.
        """
        ...

    async def learner(self, learner: str, hold: bool = False) -> LearnerState:
        """Of a learner who never answered: empty. With `hold`, nobody else counts anything of the learner until the unit ends."""
        ...

    async def skill(self, learner: str, skill: str) -> SkillState:
        """Raises SkillNeverPractised."""
        ...

    async def evidence(self, learner: str, skill: str, most: int) -> Sequence[Evidence]:
        """The newest attempts that moved the skill, newest first."""
        ...

    async def masteries(self, course: str, request: PageRequest, learners: frozenset[str] | None = None) -> Page[SkillState]:
        """The skills that learners, these or all, practised in the course, by learner and skill; the cursor is `(learner, skill)`.

        Raises InvalidInput naming `page_token` when the cursor is not one of these.
        """
        ...

    async def recompute_alone(self, learner: str) -> None:
        """Waits until nobody else recomputes the learner, who goes on answering; nobody else begins until the unit ends."""
        ...

    def log(self, learner: str, after: int, through: int | None, by_occurrence: bool = False) -> AsyncIterator[Sequence[Attempt]]:
        """The learner's attempts whose sequence is above `after` and at most `through`, some hundred at a time, by sequence; or by the
        moments at which they occurred, those of one moment by sequence."""
        ...

    async def items(self, items: Collection[str]) -> Mapping[str, ItemEvidence]:
        """What is known of items now; items that were never answered are left out."""
        ...

    async def correct(self, attempts: Sequence[Attempt]) -> None:
        """Replaces the stored moves of attempts of one learner by these."""
        ...

    async def repair(self, state: LearnerState) -> None:
        """Replaces all that is kept of a learner but the attempts."""
        ...


class ProgressEvents(Protocol):
    async def add(self, updates: Sequence[ProgressUpdated | MasteryRecomputed]) -> None:
        """They reach the log if and only if the unit commits."""


class ProgressUnit(Protocol):
    """One transaction; leaving it without commit() undoes it."""

    records: ProgressRecords
    events: ProgressEvents

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


NewUnit = Callable[[str], ProgressUnit]
"""Opens a unit for an organization."""
