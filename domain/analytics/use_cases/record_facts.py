from dataclasses import dataclass

from domain.analytics.model import Facts
from domain.analytics.ports import NewAnalyticsUnit


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """Keeps what the log tells of an organization, and adds it to the aggregates in the same transaction: each fact once for ever."""

    new_unit: NewAnalyticsUnit

    async def __call__(self, organization: str, facts: Facts) -> int:
        """Returns how many of the attempts were new."""
        async with self.new_unit(organization) as unit:
            new = await unit.reports.record(facts)
            await unit.commit()
        return new
