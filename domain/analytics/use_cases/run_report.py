from dataclasses import dataclass

from domain.analytics.model import ReportQuery
from domain.analytics.ports import NewAnalyticsUnit
from domain.analytics.reports import Row
from domain.shared.caller import Caller
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class RunReport:
    """A page of a report's rows."""

    new_unit: NewAnalyticsUnit

    async def __call__(self, caller: Caller, query: ReportQuery, request: PageRequest) -> Page[Row]:
        """Raises InvalidInput naming `page_token` when the cursor is not one of the report's."""
        async with self.new_unit(caller.organization) as unit:
            return await unit.reports.page(query, request)
