"""What predictions need from outside."""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

from domain.inference.history import Entry
from domain.inference.model import ModelChange, PredictionsCompared, RegisteredModel
from domain.inference.response_model import ResponseModel
from domain.shared.page import Page, PageRequest

T = TypeVar("T")


class ModelRepository(Protocol):
    """The models that an organization registered, and the changes of their standing."""

    async def hold(self) -> None:
        """Makes every other transaction that would change models of the organization wait until this one ends."""

    async def get(self, model_id: str) -> RegisteredModel:
        """Raises ModelNotFound."""

    async def in_use(self) -> Sequence[RegisteredModel]:
        """Returns those in the shadow, the canary and the live one, in the order of ids."""

    async def page(self, request: PageRequest) -> Page[RegisteredModel]:
        """Returns a page in the order of ids."""

    async def add(self, model: RegisteredModel) -> None:
        """Raises ModelAlreadyExists."""

    async def save(self, model: RegisteredModel, change: ModelChange) -> None:
        """Keeps its standing with the change that led to it."""

    async def changes(self, model_id: str) -> Sequence[ModelChange]:
        """Returns its changes, the first one first."""


class HistoryRepository(Protocol):
    """The newest answers of each learner, as domain/inference/history.py keeps them."""

    async def of(self, learners: Sequence[str]) -> Mapping[str, tuple[Entry, ...]]:
        """Returns the entries of those learners that have any, oldest first."""

    async def add(self, entries: Mapping[str, Sequence[Entry]]) -> None:
        """Puts new answers to each learner's, whoever else does meanwhile; repeats change nothing."""


class EventOutbox(Protocol):
    async def add(self, event: PredictionsCompared) -> None: ...


class InferenceUnit(Protocol):
    """One transaction of one organization; leaving it without commit() undoes it."""

    models: ModelRepository
    histories: HistoryRepository
    events: EventOutbox

    async def commit(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NewInferenceUnit(Protocol):
    def __call__(self, organization: str) -> InferenceUnit: ...


class ArtifactStore(Protocol):
    """Where artifacts lie, by the SHA-256 of their bytes: what has a digest never changes."""

    async def put(self, organization: str, digest: str, artifact: bytes) -> None:
        """Raises Unavailable."""

    async def get(self, organization: str, digest: str) -> bytes:
        """Raises Unavailable, also when there is none."""


class Shelf(Protocol):
    """Models ready to predict."""

    async def get(self, organization: str, model: RegisteredModel) -> ResponseModel:
        """Returns the model of the artifact with the digest that was registered. Raises Unavailable."""


class Computing(Protocol):
    """Where what takes long is computed, so that nobody else waits for it."""

    async def __call__(self, work: Callable[[], T]) -> T: ...
