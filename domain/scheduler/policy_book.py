"""The rollouts of this process: which policy decides for whom, without asking anybody."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from domain.scheduler.policies import BUILT_IN, Assignment, Rollout
from domain.scheduler.policy import Policy
from domain.scheduler.ports import NewPolicyUnit, PolicyBook
from domain.shared.clock import Clock

MOST_ORGANIZATIONS = 1_024
# How long another process may go on with the policies before a change.
REFRESH = timedelta(seconds=5)


@dataclass(slots=True)
class _Held:
    """A rollout with the number of the read that it came from and when the next one is due to begin."""

    rollout: Rollout
    read: int
    asked_at: datetime


@dataclass(slots=True)
class HeldPolicies(PolicyBook):
    """Reads an organization's policies at its first request, and again every few seconds while it is in use, off the request. While they
    cannot be read, what is held goes on."""

    new_unit: NewPolicyUnit
    clock: Clock
    _held: OrderedDict[str, _Held] = field(default_factory=OrderedDict)
    _loading: dict[str, "asyncio.Task[_Held]"] = field(default_factory=dict)
    _background: set["asyncio.Task[_Held]"] = field(default_factory=set)
    _reads: int = 0

    async def assigned(self, organization: str, course: str, learner: str) -> Assignment:
        held = self._held.get(organization) or await self._first(organization)
        now = self.clock()
        if now - held.asked_at > REFRESH:
            held.asked_at = now  # at once, so that only one request starts it
            self._later(self._read(organization))
        return held.rollout.assigned(course, learner)

    async def version(self, organization: str, policy_version: str) -> Policy:
        if (built_in := BUILT_IN.get(policy_version)) is not None:
            return built_in
        async with self.new_unit(organization) as unit:
            return (await unit.policies.get(policy_version)).policy

    async def renew(self, organization: str) -> None:
        await self._read(organization)

    async def _first(self, organization: str) -> _Held:
        task = self._loading.get(organization)
        if task is None:
            task = self._loading[organization] = asyncio.create_task(self._read(organization))
            task.add_done_callback(lambda _: self._loading.pop(organization, None))
        return await asyncio.shield(task)

    async def _read(self, organization: str) -> _Held:
        self._reads = number = self._reads + 1
        async with self.new_unit(organization) as unit:
            rollout = Rollout.of(await unit.policies.in_use())
        held = self._held.get(organization)
        # A read that began later may have ended earlier, and knows more.
        if held is None or held.read < number:
            held = self._held[organization] = _Held(rollout, number, self.clock())
        self._held.move_to_end(organization)
        while len(self._held) > MOST_ORGANIZATIONS:
            self._held.popitem(last=False)
        return held

    def _later(self, work: Coroutine[Any, Any, _Held]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[_Held]") -> None:
        self._background.discard(task)
        # What is held serves until the next attempt; the error is taken so that nobody reports it as forgotten.
        if not task.cancelled():
            task.exception()


@dataclass(frozen=True, slots=True)
class FixedPolicies(PolicyBook):
    """One policy for everybody, for simulations and replays."""

    policy: Policy

    async def assigned(self, organization: str, course: str, learner: str) -> Assignment:
        return Assignment(self.policy)

    async def version(self, organization: str, policy_version: str) -> Policy:
        return self.policy

    async def renew(self, organization: str) -> None:
        return None
