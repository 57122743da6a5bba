"""What follows an answer once it is given: the models in the shadow predict the same, silently, and it is told what all of them said."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeAlias

from domain.inference.history import History
from domain.inference.model import PredictionsCompared, RegisteredModel
from domain.inference.ports import Computing, NewInferenceUnit, Shelf
from domain.inference.response_model import Candidate

MOST_WAITING = 256
PAUSE_SECONDS = 0.005
"""Between two learners, so that a process looks silently at no more than 200 a second however large the shares are."""

Count: TypeAlias = Callable[[str, str], None]
"""Counts a prediction by a model's id under its stage, `shadow`, `shadow_dropped` or `shadow_failed`."""
Failed: TypeAlias = Callable[[str, Exception], None]
"""Takes note of why a model in the shadow could not predict."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a learner was answered, from what, and who should say the same silently."""

    learner: str
    items: tuple[Candidate, ...]
    history: History
    model: RegisteredModel
    probabilities: tuple[float, ...]
    shadows: tuple[RegisteredModel, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Shadowing:
    """Silent predictions are made one after another after the answer was given; when too many wait, new ones are dropped and counted.
    Whatever becomes of them, callers have their answer."""

    new_unit: NewInferenceUnit
    shelf: Shelf
    compute: Computing
    count: Count
    failed: Failed
    _waiting: "asyncio.Queue[tuple[str, Served]]" = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def __call__(self, organization: str, served: Served) -> None:
        self.count(served.model.id, served.model.standing.stage)
        if not served.shadows:
            return
        try:
            self._waiting.put_nowait((organization, served))
        except asyncio.QueueFull:
            for each in served.shadows:
                self.count(each.id, "shadow_dropped")

    async def run(self) -> None:
        """Makes the silent predictions, until cancelled."""
        while True:
            await self._one(*await self._waiting.get())
            await asyncio.sleep(PAUSE_SECONDS)

    async def work_off(self) -> None:
        """Makes those that wait now."""
        while not self._waiting.empty():
            await self._one(*self._waiting.get_nowait())

    async def _one(self, organization: str, served: Served) -> None:
        beside: list[tuple[RegisteredModel, tuple[float, ...]]] = []
        for each in served.shadows:
            try:
                model = await self.shelf.get(organization, each)
                table = await self.compute(partial(model.predict, [served.history], served.items, served.at.timestamp()))
            except Exception as error:  # a model that cannot predict must not stop the others
                self._failed(each, error)
            else:
                beside.append((each, tuple(table[0].tolist())))
        try:
            await self._tell(organization, served, beside)
        except Exception as error:
            for each, _ in beside:
                self._failed(each, error)

    async def _tell(self, organization: str, served: Served, beside: list[tuple[RegisteredModel, tuple[float, ...]]]) -> None:
        if not beside:
            return
        items = tuple([each.item for each in served.items])
        told = PredictionsCompared(
            served.learner, items, len(served.history), served.model, served.probabilities, tuple(beside), served.at
        )
        async with self.new_unit(organization) as unit:
            await unit.events.add(told)
            await unit.commit()
        for each, _ in beside:
            self.count(each.id, "shadow")

    def _failed(self, model: RegisteredModel, error: Exception) -> None:
        self.count(model.id, "shadow_failed")
        self.failed(model.id, error)
