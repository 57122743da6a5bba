"""The gRPC face of reports: messages in, use case, message out."""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from grpc.aio import ServicerContext
from paideia.analytics.v1 import analytics_service_pb2 as pb
from paideia.analytics.v1.analytics_service_pb2_grpc import AnalyticsServiceServicer

from domain.analytics.model import ReportKind, ReportQuery
from domain.analytics.reports import Cell, Choice, CohortWeek, Day, Item, Learner, PolicyArm, Row, Summary, Week
from domain.analytics.use_cases.create_export import CreateExport
from domain.analytics.use_cases.get_export import GetExport
from domain.analytics.use_cases.get_usage import GetUsage
from domain.analytics.use_cases.list_exports import ListExports
from domain.analytics.use_cases.rebuild_reports import RebuildReports
from domain.analytics.use_cases.run_report import RunReport
from domain.shared.ids import canonical_uuid
from domain.shared.page import Page, PageRequest
from services.analytics import messages
from services.shared.call import caller, learners_seen
from services.shared.names import id_in
from services.shared.paging import next_token, page_request

Call: TypeAlias = "ServicerContext[Any, Any]"
R = TypeVar("R", bound=Row)
_MOST = 1_000


class Paged(Protocol):
    @property
    def page_size(self) -> int: ...
    @property
    def page_token(self) -> str: ...


class PagedReport(messages.FilteredByLearners, Paged, Protocol):
    """A request for a page of a report."""


@dataclass(frozen=True)
class AnalyticsUseCases:
    """What the servicer serves; the container fills it by name."""

    run_report: RunReport
    rebuild_reports: RebuildReports
    create_export: CreateExport
    get_usage: GetUsage
    get_export: GetExport
    list_exports: ListExports


class AnalyticsServicer(AnalyticsServiceServicer):
    def __init__(self, use_cases: AnalyticsUseCases) -> None:
        self._use = use_cases

    async def GetCourseOverview(self, request: pb.GetCourseOverviewRequest, context: Call) -> pb.CourseOverview:
        days = await self._page(Day, ReportKind.DAYS, request, context)
        summaries = await self._rows(Summary, await self._query(ReportKind.SUMMARY, request, context), context, 1)
        return pb.CourseOverview(
            summary=messages.summary_message(summaries[0]),
            days=map(messages.day_message, days.elements),
            next_page_token=next_token(days),
        )

    async def ListLearnerProgress(self, request: pb.ListLearnerProgressRequest, context: Call) -> pb.ListLearnerProgressResponse:
        page = await self._page(Learner, ReportKind.LEARNERS, request, context)
        return pb.ListLearnerProgressResponse(
            learners=map(messages.learner_message, page.elements), next_page_token=next_token(page)
        )

    async def GetLearnerReport(self, request: pb.GetLearnerReportRequest, context: Call) -> pb.LearnerReport:
        query = messages.query_of_learner(ReportKind.DAYS, id_in(request.learner, "learners", "learner"), request)
        days = await self._run(Day, query, page_request(request.page_size, request.page_token), context)
        progress = await self._rows(Learner, replace(query, kind=ReportKind.LEARNERS), context, 1)
        skills = await self._rows(Cell, replace(query, kind=ReportKind.HEAT_MAP), context, _MOST)
        return pb.LearnerReport(
            progress=messages.learner_message(progress[0]) if progress else None,
            skills=map(messages.cell_message, skills),
            days=map(messages.day_message, days.elements),
            next_page_token=next_token(days),
        )

    async def GetSkillHeatMap(self, request: pb.GetSkillHeatMapRequest, context: Call) -> pb.SkillHeatMap:
        page = await self._page(Cell, ReportKind.HEAT_MAP, request, context)
        return pb.SkillHeatMap(cells=map(messages.cell_message, page.elements), next_page_token=next_token(page))

    async def ListItemStatistics(self, request: pb.ListItemStatisticsRequest, context: Call) -> pb.ListItemStatisticsResponse:
        page = await self._page(Item, ReportKind.ITEMS, request, context)
        choices: defaultdict[str, list[Choice]] = defaultdict(list)
        if page.elements:
            narrowed = await self._query(ReportKind.CHOICES, request, context)
            query = replace(narrowed, items=tuple(each.item for each in page.elements))
            for each in await self._all(Choice, query, context):
                choices[each.item].append(each)
        return pb.ListItemStatisticsResponse(
            items=[messages.item_message(each, choices[each.item]) for each in page.elements], next_page_token=next_token(page)
        )

    async def GetEngagement(self, request: pb.GetEngagementRequest, context: Call) -> pb.Engagement:
        page = await self._page(Week, ReportKind.ENGAGEMENT, request, context)
        return pb.Engagement(weeks=map(messages.week_message, page.elements), next_page_token=next_token(page))

    async def GetRetention(self, request: pb.GetRetentionRequest, context: Call) -> pb.Retention:
        page = await self._page(CohortWeek, ReportKind.RETENTION, request, context)
        return pb.Retention(cells=map(messages.cohort_message, page.elements), next_page_token=next_token(page))

    async def GetDecisionReport(self, request: pb.GetDecisionReportRequest, context: Call) -> pb.DecisionReport:
        page = await self._page(PolicyArm, ReportKind.DECISIONS, request, context)
        return pb.DecisionReport(rows=map(messages.policy_message, page.elements), next_page_token=next_token(page))

    async def CreateExport(self, request: pb.CreateExportRequest, context: Call) -> pb.Export:
        format = messages.format_in(request.format)
        query = messages.query_in(messages.kind_in(request.kind), request).narrowed(await learners_seen(context))
        return messages.export_message(await self._use.create_export(caller(context), query, format))

    async def GetUsage(self, request: pb.GetUsageRequest, context: Call) -> pb.GetUsageResponse:
        used = await self._use.get_usage(caller(context))
        return pb.GetUsageResponse(used={str(quota): count for quota, count in used.items()})

    async def GetExport(self, request: pb.GetExportRequest, context: Call) -> pb.Export:
        export_id = canonical_uuid(id_in(request.name, "exports"), "name")
        return messages.export_message(*await self._use.get_export(caller(context), export_id, await learners_seen(context)))

    async def ListExports(self, request: pb.ListExportsRequest, context: Call) -> pb.ListExportsResponse:
        wanted = page_request(request.page_size, request.page_token)
        page = await self._use.list_exports(caller(context), wanted, own=await learners_seen(context) is not None)
        return pb.ListExportsResponse(exports=map(messages.export_message, page.elements), next_page_token=next_token(page))

    async def RebuildReports(self, request: pb.RebuildReportsRequest, context: Call) -> pb.RebuildReportsResponse:
        rebuilt = await self._use.rebuild_reports(caller(context))
        return pb.RebuildReportsResponse(
            attempt_count=rebuilt.attempts, row_count=rebuilt.rows, difference_count=rebuilt.differences
        )

    async def _page(self, row: type[R], kind: ReportKind, request: PagedReport, context: Call) -> Page[R]:
        wanted = page_request(request.page_size, request.page_token)
        return await self._run(row, await self._query(kind, request, context), wanted, context)

    async def _query(self, kind: ReportKind, request: messages.FilteredByLearners, context: Call) -> ReportQuery:
        """What is asked, of the learners that may be shown."""
        return messages.query_in(kind, request).narrowed(await learners_seen(context))

    async def _run(self, row: type[R], query: ReportQuery, wanted: PageRequest, context: Call) -> Page[R]:
        """A page of a report whose rows are of this type."""
        return cast(Page[R], await self._use.run_report(caller(context), query, wanted))

    async def _rows(self, row: type[R], query: ReportQuery, context: Call, most: int) -> tuple[R, ...]:
        return (await self._run(row, query, PageRequest(most), context)).elements

    async def _all(self, row: type[R], query: ReportQuery, context: Call) -> list[R]:
        found: list[R] = []
        wanted = PageRequest(_MOST)
        while True:
            page = await self._run(row, query, wanted, context)
            found += page.elements
            if page.next is None:
                return found
            wanted = PageRequest(_MOST, page.next)
