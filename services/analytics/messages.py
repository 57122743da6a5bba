"""Between the messages of reports and their domain."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from paideia.analytics.v1 import analytics_service_pb2 as pb

from domain.analytics.exports import Export, ExportFormat
from domain.analytics.model import MOST_LEARNERS, ReportKind, ReportQuery
from domain.analytics.reports import Cell, Choice, CohortWeek, Day, Item, Learner, PolicyArm, Summary, Week
from domain.shared.errors import InvalidInput
from services.shared.names import id_in
from services.shared.times import timestamp

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KINDS: Mapping[int, ReportKind] = {
    pb.ReportKind.Value(f"REPORT_KIND_{kind}"): kind for kind in ReportKind if kind is not ReportKind.SUMMARY
}
_FORMATS: Mapping[int, ExportFormat] = {pb.ExportFormat.Value(f"EXPORT_FORMAT_{each}"): each for each in ExportFormat}


class Filtered(Protocol):
    """A request for a report on a course."""

    @property
    def course(self) -> str: ...
    @property
    def start_date(self) -> str: ...
    @property
    def end_date(self) -> str: ...


class FilteredByLearners(Filtered, Protocol):
    @property
    def learners(self) -> Sequence[str]: ...


def query_in(kind: ReportKind, request: FilteredByLearners) -> ReportQuery:
    """Returns what is asked, or raises InvalidInput naming the field."""
    if len(request.learners) > MOST_LEARNERS:
        raise InvalidInput.of("learners", f"must be at most {MOST_LEARNERS:,}")
    return _query(kind, request, tuple(dict.fromkeys(id_in(each, "learners", "learners") for each in request.learners)))


def query_of_learner(kind: ReportKind, learner: str, request: Filtered) -> ReportQuery:
    return _query(kind, request, (learner,))


def _query(kind: ReportKind, request: Filtered, learners: tuple[str, ...]) -> ReportQuery:
    course = id_in(request.course, "courses", "course")
    return ReportQuery(kind, course, _day(request.start_date, "start_date"), _day(request.end_date, "end_date"), learners)


def _day(text: str, field: str) -> date | None:
    if not text:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput.of(field, "must be a day such as 2026-12-01") from None


def kind_in(kind: int) -> ReportKind:
    if kind not in _KINDS:
        raise InvalidInput.of("kind", f"must be one of {', '.join(_KINDS.values())}")
    return _KINDS[kind]


def format_in(format: int) -> ExportFormat:
    if format not in _FORMATS:
        raise InvalidInput.of("format", f"must be one of {', '.join(ExportFormat)}")
    return _FORMATS[format]


def summary_message(row: Summary) -> pb.CourseSummary:
    return pb.CourseSummary(
        learner_count=row.learners,
        attempt_count=row.attempts,
        correct_count=row.correct,
        share_correct=row.share_correct,
        mean_response_seconds=row.mean_response_seconds,
        hint_count=row.hints,
        session_count=row.sessions,
        completed_session_count=row.completed_sessions,
        first_date=row.first_day.isoformat() if row.first_day else "",
        last_date=row.last_day.isoformat() if row.last_day else "",
    )


def day_message(row: Day) -> pb.ActivityDay:
    return pb.ActivityDay(
        date=row.day.isoformat(),
        learner_count=row.learners,
        attempt_count=row.attempts,
        correct_count=row.correct,
        share_correct=row.share_correct,
        mean_response_seconds=row.mean_response_seconds,
        hint_count=row.hints,
    )


def learner_message(row: Learner) -> pb.LearnerProgress:
    return pb.LearnerProgress(
        learner=f"learners/{row.learner}",
        attempt_count=row.attempts,
        correct_count=row.correct,
        share_correct=row.share_correct,
        active_days=row.active_days,
        response_seconds=row.response_seconds,
        session_count=row.sessions,
        skill_count=row.skills,
        mastered_skill_count=row.mastered_skills,
        first_date=row.first_day.isoformat(),
        last_date=row.last_day.isoformat(),
    )


def cell_message(row: Cell) -> pb.SkillCell:
    return pb.SkillCell(
        learner=f"learners/{row.learner}",
        skill=f"skills/{row.skill}",
        attempt_count=row.attempts,
        correct_count=row.correct,
        share_correct=row.share_correct,
        mastery=row.mastery,
        mastery_lower=row.mastery_lower,
        mastery_upper=row.mastery_upper,
    )


def item_message(row: Item, choices: Sequence[Choice]) -> pb.ItemStatistics:
    return pb.ItemStatistics(
        item=f"items/{row.item}",
        learner_count=row.learners,
        correct_count=row.correct,
        difficulty=row.difficulty,
        discrimination=row.discrimination,
        median_response_seconds=row.median_response_seconds,
        attempt_count=row.attempts,
        choices=[
            pb.ChoiceStatistics(choice=each.choice, pick_count=each.picks, share=each.share, mean_rest_share=each.mean_rest_share)
            for each in choices
        ],
    )


def week_message(row: Week) -> pb.EngagementWeek:
    return pb.EngagementWeek(
        week=row.week.isoformat(),
        learner_count=row.learners,
        attempt_count=row.attempts,
        attempts_per_learner=row.attempts_per_learner,
        days_per_learner=row.days_per_learner,
        session_count=row.sessions,
        completed_session_count=row.completed_sessions,
        session_completion=row.session_completion,
        median_session_minutes=row.median_session_minutes,
    )


def cohort_message(row: CohortWeek) -> pb.RetentionCell:
    return pb.RetentionCell(
        cohort=row.cohort.isoformat(),
        weeks_later=row.weeks_later,
        learner_count=row.learners,
        active_count=row.active,
        share_active=row.share_active,
    )


def policy_message(row: PolicyArm) -> pb.DecisionStatistics:
    return pb.DecisionStatistics(
        policy_version=row.policy_version,
        arm=row.arm,
        mode=row.mode,
        shadow=row.shadow,
        decision_count=row.decisions,
        learner_count=row.learners,
        item_count=row.items,
        empty_count=row.empty,
        fallback_count=row.fell_back,
        answer_count=row.answered,
        correct_count=row.correct,
        share_correct=row.share_correct,
        mean_predicted_correct=row.mean_predicted,
    )


def export_message(export: Export, link: str = "") -> pb.Export:
    query = export.query
    return pb.Export(
        name=f"exports/{export.id}",
        kind=f"REPORT_KIND_{query.kind}",
        format=f"EXPORT_FORMAT_{export.format}",
        course=f"courses/{query.course}",
        start_date=query.start.isoformat() if query.start else "",
        end_date=query.end.isoformat() if query.end else "",
        learners=[f"learners/{each}" for each in query.learners],
        state=f"EXPORT_STATE_{export.state}",
        row_count=export.row_count,
        byte_count=export.byte_count,
        error=export.error,
        creator=export.creator,
        create_time=timestamp(export.created_at),
        finish_time=timestamp(export.finished_at) if export.finished_at else None,
        expire_time=timestamp(export.expires_at) if export.expires_at else None,
        download_uri=link,
    )
