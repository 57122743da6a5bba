"""Between the messages of paths and their domain."""

import re
from collections.abc import Sequence
from datetime import date

from paideia.paths.v1 import paths_service_pb2 as pb
from paideia.progress.v1.events_pb2 import ProgressUpdated

from domain.paths.effort import Mastery
from domain.paths.model import (
    DEFAULT_TARGET,
    Feasibility,
    Goal,
    MasteryUpdate,
    Override,
    OverrideKind,
    Path,
    PathChange,
    Revision,
    Step,
)
from domain.paths.use_cases.override_step import OverrideCommand
from domain.shared.errors import FieldViolation, InvalidInput
from domain.shared.page import PageRequest
from services.shared.etags import revision_in
from services.shared.masks import fields_in
from services.shared.names import id_in, ids_in
from services.shared.paging import page_request
from services.shared.times import span, timestamp

NAME = ("learners", "paths")
_FIELDS = frozenset({"title", "goal_skills", "target_mastery", "due_date", "minutes_per_day", "learner_may_skip"})
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KINDS = {pb.OverrideKind.Value(f"OVERRIDE_KIND_{kind}"): kind for kind in OverrideKind}


def path_in(request: pb.CreatePathRequest) -> Path:
    """Returns the path as its creator describes it."""
    fields = request.path
    faults: list[FieldViolation] = []
    if not fields.course:
        faults.append(FieldViolation("path.course", "must be there"))
    if not fields.due_date:
        faults.append(FieldViolation("path.due_date", "must be there"))
    if faults:
        raise InvalidInput(faults)
    return Path(
        learner=id_in(request.parent, "learners", "parent"),
        id=request.path_id,
        course=id_in(fields.course, "courses", "path.course"),
        goal=Goal(
            due=date_in(fields.due_date, "path.due_date"),
            minutes_per_day=fields.minutes_per_day,
            skills=_skills(fields.goal_skills, "path.goal_skills"),
            target=fields.target_mastery if fields.HasField("target_mastery") else DEFAULT_TARGET,
        ),
        title=fields.title,
        learner_may_skip=fields.learner_may_skip,
    )


def change_in(request: pb.UpdatePathRequest) -> PathChange:
    mask = fields_in(request.update_mask, _FIELDS)
    fields = request.path
    return PathChange(
        title=fields.title if "title" in mask else None,
        skills=_skills(fields.goal_skills, "path.goal_skills") if "goal_skills" in mask else None,
        target=(fields.target_mastery if fields.HasField("target_mastery") else DEFAULT_TARGET)
        if "target_mastery" in mask
        else None,
        due=date_in(fields.due_date, "path.due_date") if "due_date" in mask else None,
        minutes_per_day=fields.minutes_per_day if "minutes_per_day" in mask else None,
        learner_may_skip=fields.learner_may_skip if "learner_may_skip" in mask else None,
    )


def command_in(request: pb.OverrideStepRequest) -> OverrideCommand:
    if request.kind not in _KINDS:
        raise InvalidInput.of("kind", f"must be one of {', '.join(OverrideKind)}")
    return OverrideCommand(
        kind=_KINDS[request.kind],
        skills=_skills(request.skills, "skills"),
        note=request.note,
        withdraw=request.withdraw,
        edition=revision_in(request.etag, "path"),
    )


def date_in(text: str, field: str) -> date:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput.of(field, "must be a day such as 2026-12-01") from None


def path_message(path: Path, whole: bool = True) -> pb.Path:
    """A path that is not `whole` is without what lists leave out."""
    message = pb.Path(
        name=path.name,
        title=path.title,
        course=f"courses/{path.course}",
        goal_skills=_skill_names(path.goal.skills),
        target_mastery=path.goal.target,
        due_date=path.goal.due.isoformat(),
        minutes_per_day=path.goal.minutes_per_day,
        learner_may_skip=path.learner_may_skip,
        state=f"PATH_STATE_{path.state}",
        summary=path.summary,
        feasibility=_feasibility_message(path.feasibility),
        creator=f"users/{path.creator}",
        revision=path.revision,
        publication=path.publication,
        plan_date=path.planned_on.isoformat(),
        etag=str(path.edition),
        create_time=timestamp(path.created_at),
        update_time=timestamp(path.updated_at or path.created_at),
        archive_time=timestamp(path.archived_at) if path.archived_at else None,
    )
    if whole:
        shown = {each.skill for each in path.visible}
        message.steps.extend(_step_message(each, [one for one in each.prerequisites if one in shown]) for each in path.visible)
        message.overrides.extend(map(_override_message, path.overrides))
        message.teacher_settings.extend(
            pb.TeacherSetting(field=field, user=f"users/{user}") for field, user in sorted(path.teacher_settings.items())
        )
    return message


def revision_message(revision: Revision) -> pb.PathRevision:
    return pb.PathRevision(
        number=revision.number,
        cause=f"REVISION_CAUSE_{revision.cause}",
        reason=revision.reason,
        user=f"users/{revision.by}" if revision.by else "",
        changes=revision.changes,
        create_time=timestamp(revision.at),
    )


def update_in(event: ProgressUpdated) -> MasteryUpdate:
    """Returns what an event of the log says, or raises InvalidInput if it cannot be meant."""
    if event.sequence < 1:
        raise InvalidInput.of("sequence", "must count from 1")
    if event.revision < 0:
        raise InvalidInput.of("revision", "must count from 1, or be 0")
    if not all(0 <= each <= 1 for skill in event.skills for each in (skill.mean, skill.lower, skill.upper)):
        raise InvalidInput.of("skills", "must have a mean and an interval in [0, 1]")
    return MasteryUpdate(
        learner=id_in(event.learner, "learners", "learner"),
        sequence=event.sequence,
        skills={id_in(each.skill, "skills", "skills"): Mastery(each.mean, each.lower, each.upper) for each in event.skills},
        seconds=span(event.response_time, "response_time").total_seconds() if event.HasField("response_time") else None,
        repair=event.revision,
    )


def page_of(page_size: int, page_token: str) -> PageRequest:
    """Returns the page asked for of a list ordered by learner and id."""
    request = page_request(page_size, page_token, maximum=200)
    if request.after is not None and len(request.after) != 2:
        raise _wrong_token()
    return request


def revisions_page_of(page_size: int, page_token: str) -> PageRequest:
    """Returns the page asked for of a list ordered by number."""
    request = page_request(page_size, page_token)
    if request.after is not None and not (
        len(request.after) == 1 and request.after[0].isdecimal() and len(request.after[0]) < 19
    ):
        raise _wrong_token()
    return request


def _wrong_token() -> InvalidInput:
    return InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged")


def ids_of(name: str, field: str = "name") -> tuple[str, str]:
    """Returns the learner's and the path's id."""
    learner, path_id = ids_in(name, NAME, field)
    return learner, path_id


def _step_message(step: Step, prerequisites: Sequence[str]) -> pb.Step:
    return pb.Step(
        skill=f"skills/{step.skill}",
        title=step.title,
        prerequisites=_skill_names(prerequisites),
        status=f"STEP_STATUS_{step.status}",
        target_mastery=step.target,
        mastery=step.mastery.mean,
        mastery_lower=step.mastery.lower,
        mastery_upper=step.mastery.upper,
        expected_minutes=step.minutes.expected,
        minutes_lower=step.minutes.lower,
        minutes_upper=step.minutes.upper,
        start_date=_day(step.start),
        end_date=_day(step.end),
        reason=step.reason,
    )


def _feasibility_message(feasibility: Feasibility) -> pb.Feasibility:
    return pb.Feasibility(
        verdict=f"VERDICT_{feasibility.verdict}",
        expected_minutes=feasibility.minutes.expected,
        minutes_lower=feasibility.minutes.lower,
        minutes_upper=feasibility.minutes.upper,
        available_minutes=feasibility.available,
        missing_minutes=feasibility.missing,
        expected_end_date=_day(feasibility.end),
        sufficient_minutes_per_day=feasibility.sufficient,
        droppable_skills=_skill_names(feasibility.droppable),
    )


def _override_message(override: Override) -> pb.Override:
    return pb.Override(
        kind=f"OVERRIDE_KIND_{override.kind}",
        skills=_skill_names(override.skills),
        user=f"users/{override.by}",
        note=override.note,
        create_time=timestamp(override.at),
    )


def _skills(names: Sequence[str], field: str) -> tuple[str, ...]:
    return tuple(id_in(name, "skills", f"{field}[{index}]") for index, name in enumerate(names))


def _skill_names(ids: Sequence[str]) -> list[str]:
    return [f"skills/{each}" for each in ids]


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()
