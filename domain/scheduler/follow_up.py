"""What follows a decision once it is taken: it is counted, and the policies in the shadow decide the same, silently."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from uuid import NAMESPACE_URL, uuid5

from domain.scheduler.model import Decision
from domain.scheduler.policies import Assignment
from domain.scheduler.policy import Policy
from domain.scheduler.ports import DecisionLog

MOST_WAITING = 256
PAUSE_SECONDS = 0.005
"""Between two silent decisions, so that a process makes at most 200 a second however large the shares are."""

DecideAgain: TypeAlias = Callable[[Policy, str], Decision]
"""Makes a decision again by another policy under an id of its own, all other inputs being the same."""
Count: TypeAlias = Callable[[str, str], None]
"""Counts a decision of a policy's version under its stage, or under `shadow_dropped`."""
Failed: TypeAlias = Callable[[str, Exception], None]
"""Takes note of why a policy in the shadow could not decide."""


def shadow_id(decision_id: str, policy: str) -> str:
    """Returns the id of a policy's silent decision, the same each time, so that nothing is recorded twice."""
    return str(uuid5(NAMESPACE_URL, f"decisions/{decision_id}/shadows/{policy}"))


@dataclass(frozen=True, slots=True)
class _Shadow:
    organization: str
    shadow_of: str
    policy: Policy
    again: DecideAgain


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Silent decisions are made one after another after the answer was given; when too many wait, new ones are dropped and counted.
    Whatever becomes of them, learners are served."""

    decisions: DecisionLog
    count: Count
    failed: Failed
    _waiting: "asyncio.Queue[_Shadow]" = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def __call__(self, organization: str, assignment: Assignment, decision: Decision, again: DecideAgain) -> None:
        self.count(decision.policy_version, assignment.stage)
        for policy in assignment.shadows:
            try:
                self._waiting.put_nowait(_Shadow(organization, decision.id, policy, again))
            except asyncio.QueueFull:
                self.count(policy.version, "shadow_dropped")

    async def run(self) -> None:
        """Makes the silent decisions, until cancelled."""
        while True:
            await self._one(await self._waiting.get())
            await asyncio.sleep(PAUSE_SECONDS)

    async def work_off(self) -> None:
        """Makes those that wait now."""
        while not self._waiting.empty():
            await self._one(self._waiting.get_nowait())

    async def _one(self, shadow: _Shadow) -> None:
        try:
            decision = shadow.again(shadow.policy, shadow_id(shadow.shadow_of, shadow.policy.version))
            await self.decisions.add(shadow.organization, replace(decision, shadow_of=shadow.shadow_of))
            self.count(shadow.policy.version, "shadow")
        except Exception as error:  # a policy that cannot decide must not stop the others
            self.failed(shadow.policy.version, error)
