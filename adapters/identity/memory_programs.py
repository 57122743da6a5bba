"""Programs, and what identity providers say of users and classes, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adapters.identity.memory_people import PeopleState
from domain.identity.classes import Class
from domain.identity.model import User
from domain.identity.programs import Program, ProgramAlreadyExists, ProgramNotFound
from domain.identity.programs_ports import ProgramRepository
from domain.identity.provisioning import GroupRef, Kind, Record, UserNameTaken
from domain.identity.provisioning_ports import ProvisioningRepository
from domain.shared.page import Page, PageRequest


@dataclass
class ProgramState:
    """What one organization knows of programs; when an assertion is forgotten, by program and digest, and when a revoked
    token is; records by kind and id."""

    programs: dict[str, Program] = field(default_factory=dict)
    assertions: dict[tuple[str, bytes], datetime] = field(default_factory=dict)
    revoked: dict[str, datetime] = field(default_factory=dict)
    records: dict[tuple[Kind, str], Record] = field(default_factory=dict)

    def copy(self) -> "ProgramState":
        return ProgramState(dict(self.programs), dict(self.assertions), dict(self.revoked), dict(self.records))


class MemoryPrograms(ProgramRepository):
    def __init__(self, state: ProgramState) -> None:
        self._state = state

    async def add(self, program: Program) -> None:
        if program.id in self._state.programs:
            raise ProgramAlreadyExists(f"there is a program {program.id} already")
        self._state.programs[program.id] = program

    async def get(self, program_id: str) -> Program:
        try:
            return self._state.programs[program_id]
        except KeyError:
            raise ProgramNotFound(program_id) from None

    async def find(self, program_id: str) -> Program | None:
        return self._state.programs.get(program_id)

    async def save(self, program: Program) -> None:
        self._state.programs[program.id] = program

    async def page(self, request: PageRequest) -> Page[Program]:
        after = request.after[0] if request.after is not None else ""
        found = [self._state.programs[each] for each in sorted(self._state.programs) if each > after]
        shown = tuple(found[: request.size])
        return Page(shown, (shown[-1].id,) if len(found) > request.size else None)

    async def spend_assertion(self, program_id: str, digest: bytes, until: datetime, now: datetime) -> bool:
        for key in [key for key, moment in self._state.assertions.items() if moment <= now]:
            del self._state.assertions[key]
        if (program_id, digest) in self._state.assertions:
            return False
        self._state.assertions[program_id, digest] = until
        return True

    async def revoke_token(self, token_id: str, until: datetime, now: datetime) -> bool:
        for token in [token for token, moment in self._state.revoked.items() if moment <= now]:
            del self._state.revoked[token]
        if token_id in self._state.revoked:
            return False
        self._state.revoked[token_id] = until
        return True

    async def is_token_revoked(self, token_id: str) -> bool:
        return token_id in self._state.revoked


class MemoryProvisioning(ProvisioningRepository):
    def __init__(self, state: ProgramState, people: PeopleState, users: dict[str, User]) -> None:
        self._records = state.records
        self._people = people
        self._users = users

    async def find(self, kind: Kind, ids: Sequence[str]) -> Mapping[str, Record]:
        return {each: self._records[kind, each] for each in ids if (kind, each) in self._records}

    async def save(self, record: Record) -> None:
        if record.user_name is not None and await self.named(record.user_name) not in (None, record.id):
            raise UserNameTaken
        self._records[record.kind, record.id] = record

    async def forget(self, kind: Kind, resource_id: str) -> None:
        self._records.pop((kind, resource_id), None)

    async def named(self, user_name: str) -> str | None:
        wanted = user_name.casefold()
        named = (each for each in self._records.values() if each.kind is Kind.USER and each.user_name is not None)
        return next((each.id for each in named if (each.user_name or "").casefold() == wanted), None)

    async def with_external_id(self, kind: Kind, external_id: str) -> Sequence[str]:
        return sorted(each.id for each in self._records.values() if each.kind is kind and each.external_id == external_id)

    async def ids(self, kind: Kind, most: int, *, offset: int = 0, after: str = "") -> Sequence[str]:
        return [each for each in self._shown(kind) if each > after][offset : offset + most]

    async def count(self, kind: Kind) -> int:
        return len(self._shown(kind))

    async def classes(self, ids: Sequence[str]) -> Mapping[str, tuple[Class, Sequence[str]]]:
        known = [self._people.classes[each] for each in ids if each in self._people.classes]
        members = sorted(self._people.members)
        return {
            each.id: (each, [user for class_id, user in members if class_id == each.id])
            for each in known
            if each.archived_at is None
        }

    async def groups_of(self, user_ids: Sequence[str]) -> Mapping[str, Sequence[GroupRef]]:
        found: dict[str, list[GroupRef]] = {}
        for class_id, user in sorted(self._people.members):
            group = self._people.classes[class_id]
            if user in user_ids and group.archived_at is None:
                found.setdefault(user, []).append(GroupRef(class_id, group.display_name))
        return found

    def _shown(self, kind: Kind) -> list[str]:
        if kind is Kind.GROUP:
            return sorted(each.id for each in self._people.classes.values() if each.archived_at is None)
        gone = {each.id for each in self._records.values() if each.kind is kind and each.removed_at is not None}
        return sorted(set(self._users) - gone)
