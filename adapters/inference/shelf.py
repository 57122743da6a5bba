"""Models that were read from their artifacts, kept in the memory of the process, and the threads that compute."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from domain.inference.artifact import digest_of
from domain.inference.model import RegisteredModel
from domain.inference.ports import ArtifactStore, Computing, Shelf
from domain.inference.response_model import ResponseModel
from domain.inference.trained import TrainedModel
from domain.shared.errors import InvalidInput, Unavailable

T = TypeVar("T")
MOST_MODELS = 16


class ArtifactDamaged(Unavailable):
    reason = "ARTIFACT_DAMAGED"


class Threads(Computing):
    """Two threads, so that a model that computes for long leaves one for the others and the event loop to everybody."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2, "inference")

    async def __call__(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class CachedShelf(Shelf):
    """Keeps the models that were asked for last. An artifact is fetched once, however many ask, and used only if it is what was registered."""

    def __init__(self, artifacts: ArtifactStore, compute: Computing) -> None:
        self._artifacts = artifacts
        self._compute = compute
        self._models: OrderedDict[tuple[str, str], asyncio.Task[ResponseModel]] = OrderedDict()

    async def get(self, organization: str, model: RegisteredModel) -> ResponseModel:
        key = organization, model.digest
        task = self._models.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._models[key] = asyncio.create_task(self._read(organization, model))
            while len(self._models) > MOST_MODELS:
                self._models.popitem(last=False)
        self._models.move_to_end(key)
        return await asyncio.shield(task)  # others wait for the same one, whatever becomes of the call that asked first

    async def _read(self, organization: str, model: RegisteredModel) -> ResponseModel:
        artifact = await self._artifacts.get(organization, model.digest)
        if digest_of(artifact) != model.digest:
            raise ArtifactDamaged(f"the artifact of model {model.id} is not the one that was registered")
        try:
            return (await self._compute(partial(TrainedModel.unpacked, artifact))).model
        except InvalidInput as error:  # a release that makes other features cannot use it
            raise ArtifactDamaged(f"the artifact of model {model.id} cannot be used: {error.message}") from error
