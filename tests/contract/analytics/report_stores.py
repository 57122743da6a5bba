"""What the contract suites of reports run against."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.analytics.exports_postgres import PostgresDueExports
from adapters.analytics.postgres import PostgresAnalyticsUnit
from domain.analytics.model import Facts, ReportQuery
from domain.analytics.ports import AnalyticsUnit, DueExports
from domain.analytics.reports import Row
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True)
class Store:
    """`unit` opens a transaction of an organization."""

    unit: Callable[[str], AnalyticsUnit]
    due: DueExports
    engine: AsyncEngine | None = None

    async def record(self, organization: str, facts: Facts) -> int:
        async with self.unit(organization) as unit:
            new = await unit.reports.record(facts)
            await unit.commit()
        return new

    async def page(
        self, organization: str, query: ReportQuery, size: int = 1_000, after: tuple[str, ...] | None = None
    ) -> Page[Row]:
        async with self.unit(organization) as unit:
            return await unit.reports.page(query, PageRequest(size, after))

    async def rows(self, organization: str, query: ReportQuery, size: int = 1_000) -> list[Row]:
        """Every row, page by page."""
        found: list[Row] = []
        after: tuple[str, ...] | None = None
        while True:
            page = await self.page(organization, query, size, after)
            found += page.elements
            if (after := page.next) is None:
                return found


def engine_of(dsn: str) -> AsyncEngine:
    return create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), pool_size=12)


def postgres_store(engine: AsyncEngine) -> Store:
    return Store(lambda organization: PostgresAnalyticsUnit(engine, organization), PostgresDueExports(engine), engine)
