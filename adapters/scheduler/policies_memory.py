"""Policies in memory, for tests and simulations. A unit sees and changes its organization's policies only."""

import asyncio
from collections import defaultdict
from copy import copy
from dataclasses import dataclass, field
from typing import Self

from domain.scheduler.policies import PolicyAlreadyExists, PolicyChange, PolicyNotFound, PolicyVersion
from domain.scheduler.ports import PolicyRepository, PolicyUnit
from domain.shared.page import Page, PageRequest
from domain.shared.rollout import IN_USE


@dataclass
class _Rows:
    versions: dict[str, PolicyVersion] = field(default_factory=dict)
    changes: list[PolicyChange] = field(default_factory=list)

    def copy(self) -> "_Rows":
        return _Rows(copy(self.versions), copy(self.changes))


class MemoryPolicyStore:
    """What the units of all organizations share."""

    def __init__(self) -> None:
        self.rows: defaultdict[str, _Rows] = defaultdict(_Rows)
        self.locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def unit(self, organization: str) -> "MemoryPolicyUnit":
        return MemoryPolicyUnit(self, organization)


class MemoryPolicies(PolicyRepository):
    def __init__(self, store: MemoryPolicyStore, organization: str) -> None:
        self._store = store
        self._organization = organization
        self.rows = store.rows[organization].copy()
        self.holds = False

    async def hold(self) -> None:
        await self._store.locks[self._organization].acquire()
        self.holds = True
        self.rows = self._store.rows[self._organization].copy()

    async def get(self, policy_id: str) -> PolicyVersion:
        if (found := self.rows.versions.get(policy_id)) is None:
            raise PolicyNotFound(f"no policy {policy_id}")
        return found

    async def in_use(self) -> list[PolicyVersion]:
        return [each for each in self.rows.versions.values() if each.standing.stage in IN_USE]

    async def page(self, request: PageRequest) -> Page[PolicyVersion]:
        after = request.after[0] if request.after else ""
        found = [self.rows.versions[each] for each in sorted(self.rows.versions) if each > after]
        more = len(found) > request.size
        return Page(tuple(found[: request.size]), (found[request.size - 1].id,) if more else None)

    async def add(self, version: PolicyVersion) -> None:
        if version.id in self.rows.versions:
            raise PolicyAlreadyExists(f"policy {version.id} exists already")
        self.rows.versions[version.id] = version

    async def save(self, version: PolicyVersion, change: PolicyChange) -> None:
        self.rows.versions[version.id] = version
        self.rows.changes.append(change)

    async def changes(self, policy_id: str) -> list[PolicyChange]:
        return [each for each in self.rows.changes if each.policy == policy_id]

    async def changes_by(self, request_id: str) -> list[PolicyChange]:
        return [each for each in self.rows.changes if each.request_id == request_id]


class MemoryPolicyUnit(PolicyUnit):
    def __init__(self, store: MemoryPolicyStore, organization: str) -> None:
        self._store = store
        self._organization = organization

    async def __aenter__(self) -> Self:
        self._policies = self.policies = MemoryPolicies(self._store, self._organization)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._policies.holds:
            self._store.locks[self._organization].release()

    async def commit(self) -> None:
        self._store.rows[self._organization] = self._policies.rows
