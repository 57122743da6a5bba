"""Tests' state in memory, for tests of the code: the same promises as PostgreSQL's, one organization unseen by another."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Self

from adapters.assessment.memory import MemoryTables
from domain.assessment.model.items import Item
from domain.assessment.model.responses import ItemNotPublished, Response, cursor_at, place_at
from domain.assessment.ports import Banks, Blueprints, PinnedItems, SessionAnswers, Sessions, SittingUnit
from domain.assessment.testing import banks
from domain.assessment.testing.banks import Bank, BankVersion, BankVersionNotFound
from domain.assessment.testing.blueprints import Blueprint, BlueprintExists, BlueprintNotFound
from domain.assessment.testing.sessions import Session, Taking
from domain.shared.errors import RequestIdReused
from domain.shared.page import Page, PageRequest

Key = tuple[str, ...]


@dataclass
class SittingTables:
    """Rows by organization and key. One unit at a time works on them, which is what PostgreSQL's row locks come to."""

    shared: MemoryTables
    versions: dict[Key, BankVersion] = field(default_factory=dict)
    blueprints: dict[Key, Blueprint] = field(default_factory=dict)
    sessions: dict[Key, Session] = field(default_factory=dict)
    requests: dict[Key, str] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def restore(self, before: "SittingTables") -> None:
        self.versions, self.blueprints = before.versions, before.blueprints
        self.sessions, self.requests = before.sessions, before.requests
        self.shared.responses, self.shared.attempts = before.shared.responses, before.shared.attempts

    def copy(self) -> "SittingTables":
        shared = replace(self.shared, responses=dict(self.shared.responses), attempts=list(self.shared.attempts))
        return SittingTables(shared, dict(self.versions), dict(self.blueprints), dict(self.sessions), dict(self.requests))


class _Rows:
    def __init__(self, tables: SittingTables, organization: str) -> None:
        self._tables = tables
        self._organization = organization


class MemoryBanks(_Rows, Banks):
    async def add(self, version: BankVersion, request_id: str) -> BankVersion:
        key, request = (self._organization, version.bank, version.version), (self._organization, "bank", request_id)
        if key not in self._tables.versions:
            if request in self._tables.requests:
                raise RequestIdReused(f"request_id {request_id} was used for another item bank version")
            self._tables.requests[request] = version.version
            self._tables.versions[key] = version
        return self._tables.versions[key]

    async def get(self, bank: str, version: str) -> BankVersion:
        try:
            return self._tables.versions[(self._organization, bank, version)]
        except KeyError:
            raise BankVersionNotFound(f"item bank {bank} has no version {version}") from None

    async def versions(self, bank: str, request: PageRequest) -> Page[BankVersion]:
        below = banks.place_at(request.after) if request.after else None
        found = [each for each in self._newest_first(bank) if below is None or each.place < below]
        shown = tuple(found[: request.size])
        return Page(shown, banks.cursor_at(shown[-1].place) if len(found) > request.size else None)

    async def find(self, bank: str) -> Bank | None:
        found = self._newest_first(bank)
        return Bank(found[0], len(found)) if found else None

    async def page(self, request: PageRequest) -> Page[Bank]:
        ids = sorted({bank for owner, bank, _ in self._tables.versions if owner == self._organization})
        left = [each for each in ids if request.after is None or each > request.after[0]]
        found = [await self.find(each) for each in left[: request.size]]
        return Page(tuple(each for each in found if each), (left[request.size - 1],) if len(left) > request.size else None)

    def _newest_first(self, bank: str) -> list[BankVersion]:
        rows = [each for key, each in self._tables.versions.items() if key[:2] == (self._organization, bank)]
        rows.sort(key=lambda each: each.place, reverse=True)
        return [replace(each, items=()) for each in rows]


class MemoryBlueprints(_Rows, Blueprints):
    async def add(self, blueprint: Blueprint, request_id: str) -> None:
        key, request = (self._organization, blueprint.id), (self._organization, "blueprint", request_id)
        if key in self._tables.blueprints:
            raise BlueprintExists(f"there is a test blueprint {blueprint.id} already")
        if request in self._tables.requests:
            raise RequestIdReused(f"request_id {request_id} was used for another blueprint")
        self._tables.requests[request] = blueprint.id
        self._tables.blueprints[key] = blueprint

    async def created_by(self, request_id: str) -> Blueprint | None:
        created = self._tables.requests.get((self._organization, "blueprint", request_id))
        return None if created is None else self._tables.blueprints[(self._organization, created)]

    async def get(self, blueprint: str) -> Blueprint:
        try:
            return self._tables.blueprints[(self._organization, blueprint)]
        except KeyError:
            raise BlueprintNotFound(f"no test blueprint {blueprint}") from None

    async def page(self, request: PageRequest) -> Page[Blueprint]:
        mine = sorted(key[1] for key in self._tables.blueprints if key[0] == self._organization)
        left = [each for each in mine if request.after is None or each > request.after[0]]
        shown = [replace(await self.get(each), pool=()) for each in left[: request.size]]
        return Page(tuple(shown), (shown[-1].id,) if len(left) > request.size else None)

    async def retired_at(self, blueprint: str) -> datetime | None:
        return (await self.get(blueprint)).retired_at

    async def retire(self, blueprint: str, now: datetime) -> None:
        key = (self._organization, blueprint)
        if (found := self._tables.blueprints.get(key)) is not None and found.retired_at is None:
            self._tables.blueprints[key] = replace(found, retired_at=now)


class MemorySessions(_Rows, Sessions):
    async def lock(self, learner: str, blueprint: str) -> None:
        """Nothing to do: units take turns."""

    async def find(self, session: str) -> Session | None:
        return self._tables.sessions.get((self._organization, session))

    async def takings(self, learner: str, blueprint: str) -> tuple[Taking, ...]:
        return tuple(
            Taking(each.id, each.state, each.ended_at, each.deadline)
            for each in self._mine(learner)
            if each.blueprint == blueprint
        )

    async def save(self, session: Session) -> None:
        self._tables.sessions[(self._organization, session.id)] = session

    async def page(self, learner: str, request: PageRequest) -> Page[Session]:
        below = place_at(request.after) if request.after else None
        found = [each for each in self._mine(learner) if below is None or (each.started_at, each.id) < below]
        shown = tuple(replace(each, steps=()) for each in found[: request.size])
        return Page(shown, cursor_at((shown[-1].started_at, shown[-1].id)) if len(found) > request.size else None)

    def _mine(self, learner: str) -> list[Session]:
        rows = [
            each for (owner, _), each in self._tables.sessions.items() if (owner, each.learner) == (self._organization, learner)
        ]
        return sorted(rows, key=lambda each: (each.started_at, each.id), reverse=True)


class MemorySessionAnswers(_Rows, SessionAnswers):
    async def add(self, response: Response, skills: Sequence[str]) -> None:
        key = (self._organization, response.id)
        if key in self._tables.shared.responses:
            raise RequestIdReused(f"request_id {response.id} was used for another response")
        self._tables.shared.responses[key] = response
        self._tables.shared.attempts.append((self._organization, response, tuple(skills)))

    async def find(self, response_id: str) -> Response | None:
        return self._tables.shared.responses.get((self._organization, response_id))

    async def unseal(self, session: str) -> None:
        for key, each in self._tables.shared.responses.items():
            if key[0] == self._organization and each.test_session == session:
                self._tables.shared.responses[key] = replace(each, sealed=False)


class MemoryPinnedItems(_Rows, PinnedItems):
    async def get(self, item: str, revision: int) -> Item:
        try:
            return self._tables.shared.revisions[(self._organization, item, revision)]
        except KeyError:
            raise ItemNotPublished(f"revision {revision} of item {item} was never published") from None


class MemorySittingUnit(SittingUnit):
    def __init__(self, tables: SittingTables, organization: str) -> None:
        self._tables = tables
        self.banks = MemoryBanks(tables, organization)
        self.blueprints = MemoryBlueprints(tables, organization)
        self.sessions = MemorySessions(tables, organization)
        self.answers = MemorySessionAnswers(tables, organization)
        self.items = MemoryPinnedItems(tables, organization)

    async def commit(self) -> None:
        self._before = self._tables.copy()

    async def __aenter__(self) -> Self:
        await self._tables.turn.acquire()
        self._before = self._tables.copy()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._tables.restore(self._before)
        self._tables.turn.release()
