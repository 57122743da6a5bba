"""Whose work a teacher or a guardian sees, as identity tells it and a process remembers it.

A learner who asks for their own work, and an administrator, cost nothing here: only a call about somebody else's work by a teacher or a
guardian asks, and identity is asked at most every 30 seconds for one caller.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from paideia.identity.v1 import people_pb2

from domain.shared.errors import Forbidden

EVERY_LEARNER = "-"
"""Stands for the id of a learner in a name that means them all."""

REMEMBERED_SECONDS = 30.0
_MOST_REMEMBERED = 10_000


class OneLearnerAtATime(Forbidden):
    reason = "NAME_ONE_LEARNER"

    def __init__(self) -> None:
        super().__init__("this organization shows teachers their own classes only: name one learner instead of learners/-")


@dataclass(frozen=True, slots=True)
class Sight:
    """Learners besides the caller: as a teacher `taught` (None: all of them), as a guardian, to read only, `wards`."""

    taught: frozenset[str] | None = None
    wards: frozenset[str] = frozenset()


class Sights(Protocol):
    async def of(self, organization: str, user: str) -> Sight:
        """Raises Unavailable when nobody can tell."""


class EverybodyTeachesEverybody:
    """For a process that asks nobody: every teacher sees every learner, and nobody is anybody's guardian."""

    async def of(self, organization: str, user: str) -> Sight:
        return Sight()


Ask = Callable[[str, str], Awaitable[Sight]]
"""Asks identity for the sight of a user of an organization. Raises DomainError."""

Who = tuple[str, str]


class RememberedSights:
    """What identity said, for at most 30 seconds from when it was asked, and no longer than until it said that it has changed.

    Nothing is remembered of a failure: without identity, a caller whose sight is not remembered is told to come back.
    """

    def __init__(self, ask: Ask, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._known: OrderedDict[Who, tuple[float, Sight]] = OrderedDict()
        self._asking: dict[Who, asyncio.Future[Sight]] = {}
        self._changes = 0

    async def of(self, organization: str, user: str) -> Sight:
        who = organization, user
        known = self._known.get(who)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        asking = self._asking.get(who)
        if asking is None:
            asking = self._asking[who] = asyncio.ensure_future(self._learn(who))
            asking.add_done_callback(lambda done: self._asked(who, done))
        # Others wait for the same answer, whatever becomes of the call that asked first.
        return await asyncio.shield(asking)

    def forget(self, organization: str, user: str) -> None:
        """Called when identity says that a sight has changed; `user` is "-" for everybody's of the organization."""
        self._changes += 1
        for who in [(organization, user)] if user != EVERY_LEARNER else [each for each in self._known if each[0] == organization]:
            self._known.pop(who, None)
        for who in [each for each in self._asking if each[0] == organization]:
            del self._asking[who]

    async def _learn(self, who: Who) -> Sight:
        until, changes = self._monotonic() + REMEMBERED_SECONDS, self._changes
        sight = await self._ask(*who)
        if changes == self._changes:  # else the answer may be from before the change
            self._known[who] = until, sight
            self._known.move_to_end(who)
            while len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
        return sight

    def _asked(self, who: Who, done: "asyncio.Future[Sight]") -> None:
        if self._asking.get(who) is done:
            del self._asking[who]
        if not done.cancelled():
            done.exception()  # whoever waits has it; nobody may be waiting any more


def sight_from(answer: people_pb2.GetSightResponse) -> Sight:
    return Sight(None if answer.everyone else frozenset(answer.taught), frozenset(answer.wards))
