"""Group commit: calls that come while a transaction of their organization is under way share the next one.

A lone call starts at once; under load, one transaction counts what would have been many, so the cost of a trip and of a commit is paid
once for all of them, and calls of one process never wait for each other's row locks.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from domain.progress.model import Answer, Outcome
from domain.shared.errors import DomainError

Record = Callable[[str, Sequence[Answer]], Awaitable[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class _Call:
    answers: Sequence[Answer]
    outcomes: "asyncio.Future[list[Outcome]]"


class GroupCommit:
    """Records like the callable it is given, several calls at a time, at most `most` answers together."""

    def __init__(self, record: Record, most: int = 1_000) -> None:
        self._record = record
        self._most = most
        self._waiting: dict[str, deque[_Call]] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def __call__(self, organization: str, answers: Sequence[Answer]) -> list[Outcome]:
        """Returns the outcomes of these answers. A caller who gives up does not disturb the others; its answers may still count."""
        call = _Call(answers, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(organization, deque()).append(call)
        if organization not in self._under_way:
            self._under_way[organization] = asyncio.create_task(self._work_off(organization))
        return await call.outcomes

    async def _work_off(self, organization: str) -> None:
        waiting = self._waiting[organization]
        try:
            while waiting:
                await self._commit(organization, self._next_group(waiting))
        finally:
            del self._waiting[organization], self._under_way[organization]
            for call in waiting:
                call.outcomes.cancel()

    def _next_group(self, waiting: deque[_Call]) -> list[_Call]:
        group = [waiting.popleft()]
        size = len(group[0].answers)
        while waiting and size + len(waiting[0].answers) <= self._most:
            group.append(waiting.popleft())
            size += len(group[-1].answers)
        return group

    async def _commit(self, organization: str, group: list[_Call]) -> None:
        try:
            outcomes = iter(await self._record(organization, [answer for call in group for answer in call.answers]))
        except asyncio.CancelledError:
            for call in group:
                call.outcomes.cancel()
            raise
        except Exception as error:
            await self._failed(organization, group, error)
            return
        for call in group:
            own = [next(outcomes) for _ in call.answers]
            if not call.outcomes.done():
                call.outcomes.set_result(own)

    async def _failed(self, organization: str, group: list[_Call], error: Exception) -> None:
        """A refusal is everybody's; a fault may be one call's only, so each gets a transaction of its own."""
        if len(group) > 1 and not isinstance(error, DomainError):
            for call in group:
                await self._commit(organization, [call])
        elif not group[0].outcomes.done() or len(group) > 1:
            for call in group:
                if not call.outcomes.done():
                    call.outcomes.set_exception(error)
