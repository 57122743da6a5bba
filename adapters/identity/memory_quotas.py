"""What an organization may have and has, in memory."""

from collections.abc import Mapping

from adapters.identity.memory_people import PeopleState
from adapters.identity.memory_programs import ProgramState
from domain.identity.model import Organization, User
from domain.identity.ports import QuotaRepository
from domain.shared.plans import Plan, Quota


class MemoryQuotas(QuotaRepository):
    def __init__(
        self, organization: Organization | None, users: Mapping[str, User], people: PeopleState, programs: ProgramState
    ) -> None:
        self._organization = organization
        self._users = users
        self._people = people
        self._programs = programs

    async def plan(self) -> Plan:
        return Plan.STANDARD if self._organization is None else self._organization.plan

    async def hold(self, quota: Quota) -> None:
        """Units take turns."""

    async def used(self, quota: Quota) -> int:
        return {
            Quota.PEOPLE: sum(each.active for each in self._users.values()),
            Quota.CLASSES: sum(each.archived_at is None for each in self._people.classes.values()),
            Quota.PROGRAMS: sum(each.disabled_at is None for each in self._programs.programs.values()),
        }[quota]
