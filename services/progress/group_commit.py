"""Group commit: calls that come while a transaction of their organization is under way share the next one.

Under load one transaction counts what would have been many, so the cost of a trip and of a commit is paid once for all of them, and calls
of one process never wait for each other's row locks.
"""

from collections.abc import Awaitable, Callable, Sequence

from domain.progress.model import Answer, Outcome
from domain.shared.coalescer import Coalescer

Record = Callable[[str, Sequence[Answer]], Awaitable[list[Outcome]]]


class GroupCommit:
    """Records like the callable it is given, several calls at a time, at most `most` answers together."""

    def __init__(self, record: Record, most: int = 1_000) -> None:
        self._record = record
        self._together: Coalescer[Sequence[Answer], list[Outcome]] = Coalescer(self._record_all, most, size=len)

    async def __call__(self, organization: str, answers: Sequence[Answer]) -> list[Outcome]:
        """Returns the outcomes of these answers. A caller who gives up does not disturb the others; its answers may still count."""
        return await self._together(organization, answers)

    async def _record_all(self, organization: str, calls: Sequence[Sequence[Answer]]) -> list[list[Outcome]]:
        outcomes = iter(await self._record(organization, [answer for answers in calls for answer in answers]))
        return [[next(outcomes) for _ in answers] for answers in calls]
