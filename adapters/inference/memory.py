"""Models, histories and artifacts in memory: the same promises as the real stores, for tests and trials."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar

from domain.inference.history import Entry, with_entries
from domain.inference.model import (
    ModelAlreadyExists,
    ModelChange,
    ModelNotFound,
    PredictionsCompared,
    RegisteredModel,
)
from domain.inference.ports import ArtifactStore, Computing, EventOutbox, HistoryRepository, InferenceUnit, ModelRepository
from domain.shared.errors import Unavailable
from domain.shared.page import Page, PageRequest
from domain.shared.rollout import IN_USE

T = TypeVar("T")


@dataclass
class MemoryState:
    """One organization's models by id and entries by learner. Every value is immutable, so a copy of the containers is a snapshot."""

    models: dict[str, RegisteredModel] = field(default_factory=dict)
    changes: tuple[ModelChange, ...] = ()
    histories: dict[str, tuple[Entry, ...]] = field(default_factory=dict)
    events: tuple[PredictionsCompared, ...] = ()

    def snapshot(self) -> "MemoryState":
        return MemoryState(dict(self.models), self.changes, dict(self.histories), self.events)


class MemoryInferenceStore:
    """Every organization's; units on it run one at a time."""

    def __init__(self) -> None:
        self.states: defaultdict[str, MemoryState] = defaultdict(MemoryState)
        self.turn = asyncio.Lock()

    def unit(self, organization: str) -> "MemoryInferenceUnit":
        return MemoryInferenceUnit(self, organization)


class MemoryModels(ModelRepository):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def hold(self) -> None:
        return None

    async def get(self, model_id: str) -> RegisteredModel:
        if model_id not in self._state.models:
            raise ModelNotFound(f"no model {model_id}")
        return self._state.models[model_id]

    async def in_use(self) -> Sequence[RegisteredModel]:
        return [each for _, each in sorted(self._state.models.items()) if each.standing.stage in IN_USE]

    async def page(self, request: PageRequest) -> Page[RegisteredModel]:
        after = request.after[0] if request.after else ""
        found = [self._state.models[each] for each in sorted(self._state.models) if each > after]
        more = len(found) > request.size
        return Page(tuple(found[: request.size]), (found[request.size - 1].id,) if more else None)

    async def add(self, model: RegisteredModel) -> None:
        if model.id in self._state.models:
            raise ModelAlreadyExists(f"model {model.id} exists already")
        self._state.models[model.id] = model

    async def save(self, model: RegisteredModel, change: ModelChange) -> None:
        self._state.models[model.id] = model
        self._state.changes = (*self._state.changes, change)

    async def changes(self, model_id: str) -> Sequence[ModelChange]:
        return [each for each in self._state.changes if each.model == model_id]


class MemoryHistories(HistoryRepository):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def of(self, learners: Sequence[str]) -> Mapping[str, tuple[Entry, ...]]:
        return {each: self._state.histories[each] for each in learners if each in self._state.histories}

    async def add(self, entries: Mapping[str, Sequence[Entry]]) -> None:
        for learner, new in entries.items():
            self._state.histories[learner] = with_entries(self._state.histories.get(learner, ()), new)


class MemoryEvents(EventOutbox):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def add(self, event: PredictionsCompared) -> None:
        self._state.events = (*self._state.events, event)


class MemoryInferenceUnit(InferenceUnit):
    def __init__(self, store: MemoryInferenceStore, organization: str) -> None:
        self._store = store
        self._organization = organization

    async def __aenter__(self) -> Self:
        await self._store.turn.acquire()
        self._state = self._store.states[self._organization].snapshot()
        self.models = MemoryModels(self._state)
        self.histories = MemoryHistories(self._state)
        self.events = MemoryEvents(self._state)
        return self

    async def commit(self) -> None:
        self._store.states[self._organization] = self._state

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store.turn.release()


class MemoryArtifacts(ArtifactStore):
    def __init__(self) -> None:
        self.artifacts: dict[tuple[str, str], bytes] = {}

    async def put(self, organization: str, digest: str, artifact: bytes) -> None:
        self.artifacts[organization, digest] = artifact

    async def get(self, organization: str, digest: str) -> bytes:
        if (organization, digest) not in self.artifacts:
            raise Unavailable(f"there is no artifact {digest}")
        return self.artifacts[organization, digest]


class AtOnce(Computing):
    """Computes where it is asked."""

    async def __call__(self, work: Callable[[], T]) -> T:
        return work()
