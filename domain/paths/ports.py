"""What paths need of the world."""

from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Protocol, Self

from domain.paths.graph import CourseGraph
from domain.paths.model import LearnerMastery, Path, PathAdapted, Revision
from domain.shared.page import Page, PageRequest


class PathRepository(Protocol):
    """The paths of one organization."""

    async def get(self, learner: str, path_id: str) -> Path:
        """Raises PathNotFound."""
        ...

    async def hold(self, learner: str, path_id: str) -> Path:
        """As get(); until the unit ends no other unit gets past this call for the path."""
        ...

    async def hold_learner(self, learner: str) -> int:
        """Returns how many paths of the learner are not archived; until the unit ends no other unit gets past this call for them."""
        ...

    async def hold_of(self, learners: Collection[str]) -> Sequence[Path]:
        """Returns the learners' paths that are not archived, by learner and id, held as hold() does."""
        ...

    async def add(self, path: Path) -> None:
        """Raises PathAlreadyExists."""
        ...

    async def save(self, path: Path) -> None:
        """Replaces a path that is there."""
        ...

    async def page(self, request: PageRequest, learner: str | None, course: str | None, archived: bool) -> Page[Path]:
        """Returns paths by learner and id, of one learner or of all, in one course or in all; archived ones only if asked for."""
        ...

    async def outdated(self, course: str, publication: int, request: PageRequest) -> Page[tuple[str, str]]:
        """Returns learner and id of the paths in the course that are not archived and were planned from an earlier publication."""
        ...


class RevisionRepository(Protocol):
    """What changed in the paths of one organization; never changed itself."""

    async def add(self, revision: Revision) -> None: ...

    async def page(self, learner: str, path_id: str, request: PageRequest) -> Page[Revision]:
        """Returns a path's revisions, newest first."""
        ...


class EventOutbox(Protocol):
    """Takes what happened, to be published if the unit commits."""

    async def add(self, event: PathAdapted) -> None: ...


class PathsUnit(Protocol):
    """One transaction; leaving it without commit() undoes it."""

    paths: PathRepository
    revisions: RevisionRepository
    events: EventOutbox

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


NewPathsUnit = Callable[[str], PathsUnit]
"""Returns a unit for an organization's id."""


class CourseGraphs(Protocol):
    """The context that publishes courses."""

    async def newest(self, organization: str, course: str, at_least: int = 0) -> CourseGraph:
        """Returns the newest publication, `at_least` or later. Raises CourseNotPublished, or Unavailable."""
        ...


class MasterySource(Protocol):
    """The context that measures mastery."""

    async def of(self, organization: str, learner: str) -> LearnerMastery:
        """Returns what it knows of the learner, which may be nothing. Raises Unavailable."""
        ...
