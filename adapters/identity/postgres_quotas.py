"""What an organization may have and has, in PostgreSQL. Counted, not kept as a number: nothing can drift."""

from collections.abc import Mapping

from sqlalchemy import ColumnElement, Table, func, select

from adapters.identity.postgres_people_tables import classes
from adapters.identity.postgres_programs import programs
from adapters.identity.postgres_tables import Repository, organizations, users
from adapters.shared.postgres_quotas import hold_quota
from domain.identity.ports import QuotaRepository
from domain.shared.plans import Plan, Quota, plan_named

_COUNTED: Mapping[Quota, tuple[Table, ColumnElement[bool]]] = {
    Quota.PEOPLE: (users, users.c.deactivated_at.is_(None)),
    Quota.CLASSES: (classes, classes.c.archived_at.is_(None)),
    Quota.PROGRAMS: (programs, programs.c.disabled_at.is_(None)),
}


class PostgresQuotas(Repository, QuotaRepository):
    async def plan(self) -> Plan:
        query = select(organizations.c.plan).where(self.mine(organizations))
        return plan_named((await self.connection.execute(query)).scalar_one_or_none())

    async def hold(self, quota: Quota) -> None:
        await hold_quota(self.connection, "identity", quota, self.organization)

    async def used(self, quota: Quota) -> int:
        table, there = _COUNTED[quota]
        query = select(func.count()).select_from(table).where(self.mine(table), there)
        return (await self.connection.execute(query)).scalar_one()
