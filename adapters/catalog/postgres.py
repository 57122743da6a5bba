"""The catalog in PostgreSQL. Row-level security confines every statement to the unit's organization."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.catalog.kafka import envelope
from adapters.catalog.postgres_courses import PostgresCourses, PostgresPublications
from adapters.catalog.postgres_items import PostgresItems
from adapters.catalog.postgres_skills import PostgresSkills
from adapters.catalog.postgres_tables import courses, items
from adapters.shared.outbox import add_to_outbox
from adapters.shared.postgres import PostgresUnit
from adapters.shared.postgres_quotas import hold_quota
from domain.catalog.model import CoursePublished
from domain.catalog.ports import CatalogUnit, EventOutbox, QuotaCounter
from domain.shared.plans import Quota

_COUNTED = {Quota.COURSES: courses, Quota.ITEMS: items}


class PostgresQuotaCounter(QuotaCounter):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def hold(self, quota: Quota) -> None:
        await hold_quota(self._connection, "catalog", quota, self._organization)

    async def used(self, quota: Quota) -> int:
        table = _COUNTED[quota]
        query = select(func.count()).select_from(table).where(table.c.organization_id == self._organization)
        return (await self._connection.execute(query)).scalar_one()


class PostgresEvents(EventOutbox):
    def __init__(self, connection: AsyncConnection, organization: str) -> None:
        self._connection = connection
        self._organization = organization

    async def add(self, event: CoursePublished) -> None:
        await add_to_outbox(self._connection, [envelope(self._organization, event)])


class PostgresCatalogUnit(PostgresUnit, CatalogUnit):
    def _open(self) -> None:
        self.skills = PostgresSkills(self.connection, self._organization)
        self.items = PostgresItems(self.connection, self._organization)
        self.courses = PostgresCourses(self.connection, self._organization)
        self.publications = PostgresPublications(self.connection, self._organization)
        self.quotas = PostgresQuotaCounter(self.connection, self._organization)
        self.events = PostgresEvents(self.connection, self._organization)
