"""Keeps away from a context's handlers what comes about people whom the context has erased.

A device that was offline, a partner's program or a replay may bring it at any time. The verdict is final: the message is dropped, counted, and
not put aside.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import prometheus_client

from services.shared.log import LogMessage

_COLLECTION = "/learners/"

dropped_total = prometheus_client.Counter(
    "paideia_erased_people_messages_total", "Messages about people who were erased, which were dropped", ["context"]
)


class KeyedMessage(LogMessage, Protocol):
    """`key` is `{organization}/learners/{learner}` where the message is about a learner."""

    @property
    def key(self) -> str: ...


class Erased(Protocol):
    async def among(self, organization: str, people: Collection[str]) -> Collection[str]:
        """Those whom the context has erased. Raises Unavailable."""
        ...

    async def count(self, organization: str, dropped: Mapping[str, int]) -> None:
        """Keeps how many messages about whom were dropped. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class WithoutErased:
    """Hands on a batch of messages without those about people who were erased."""

    context: str
    handler: Callable[[Sequence[Any]], Awaitable[None]]
    erased: Erased

    async def __call__(self, batch: Sequence[KeyedMessage]) -> None:
        learners: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for message in batch:
            if learner := learner_of(message):
                learners[message.organization][learner] += 1
        gone = {where: set(await self.erased.among(where, who)) for where, who in learners.items()}
        if not any(gone.values()):
            await self.handler(batch)
            return
        if kept := [each for each in batch if learner_of(each) not in gone.get(each.organization, ())]:
            await self.handler(kept)
        for where, people in gone.items():
            if people:
                dropped = {each: learners[where][each] for each in sorted(people)}
                await self.erased.count(where, dropped)
                dropped_total.labels(self.context).inc(sum(dropped.values()))


def learner_of(message: KeyedMessage) -> str:
    """Empty where the message is about none, or does not say in whose organization."""
    organization, _, learner = message.key.partition(_COLLECTION)
    return learner if organization and organization == message.organization else ""
