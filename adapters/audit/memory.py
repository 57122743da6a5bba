"""The audit log in memory: the same promises as the real store, for tests and trials."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from adapters.audit.postgres import sequence_in
from domain.audit.model import Head, Link
from domain.audit.ports import ActFilter, AuditUnit, Chain, HeadOutbox
from domain.shared.page import Page, PageRequest


@dataclass
class MemoryState:
    links: list[Link] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    published: list[Head] = field(default_factory=list)

    def copy(self) -> "MemoryState":
        return MemoryState(list(self.links), list(self.heads), list(self.published))


class MemoryAuditStore:
    """Every organization's chain; units on it run one at a time."""

    def __init__(self) -> None:
        self.states: defaultdict[str, MemoryState] = defaultdict(MemoryState)
        self.turn = asyncio.Lock()

    def unit(self, organization: str) -> "MemoryAuditUnit":
        return MemoryAuditUnit(self, organization)


class MemoryChain(Chain, HeadOutbox):
    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def hold(self) -> None:
        return None

    async def tip(self) -> Link | None:
        return self._state.links[-1] if self._state.links else None

    async def known(self, event_ids: Collection[str]) -> frozenset[str]:
        return frozenset(each.act.event_id for each in self._state.links).intersection(event_ids)

    async def add(self, links: Sequence[Link] | Head) -> None:
        if isinstance(links, Head):
            self._state.published.append(links)
        else:
            self._state.links += links

    async def links(self, after: int, most: int) -> list[Link]:
        return [each for each in self._state.links if each.sequence > after][:most]

    async def page(self, wanted: ActFilter, request: PageRequest) -> Page[Link]:
        after = sequence_in(request.after) if request.after is not None else 0
        found = [each for each in self._state.links if each.sequence > after and _wanted(wanted, each)]
        page = tuple(found[: request.size])
        return Page(page, (str(page[-1].sequence),) if len(found) > request.size else None)

    async def add_head(self, head: Head) -> None:
        self._state.heads.append(head)

    async def heads(self, after: int, through: int | None) -> list[Head]:
        return [each for each in self._state.heads if after < each.sequence and (through is None or each.sequence <= through)]

    async def newest_head(self) -> Head | None:
        return self._state.heads[-1] if self._state.heads else None


class MemoryAuditUnit(AuditUnit):
    def __init__(self, store: MemoryAuditStore, organization: str) -> None:
        self._store = store
        self._organization = organization

    async def commit(self) -> None:
        self._store.states[self._organization] = self._state

    async def __aenter__(self) -> Self:
        await self._store.turn.acquire()
        self._state = self._store.states[self._organization].copy()
        self.chain = self.outbox = MemoryChain(self._state)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store.turn.release()


def _wanted(wanted: ActFilter, link: Link) -> bool:
    return (
        (wanted.start is None or link.recorded_at >= wanted.start)
        and (wanted.end is None or link.recorded_at < wanted.end)
        and wanted.actor in ("", link.act.actor)
        and wanted.act in ("", link.act.act)
    )
