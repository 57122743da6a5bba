"""Paths as JSON documents."""

from datetime import date, datetime
from typing import Any

from domain.paths.effort import Mastery, Minutes, Pace
from domain.paths.model import Feasibility, Goal, Override, OverrideKind, Path, Step, StepStatus, Verdict

Json = dict[str, Any]


def document_of(path: Path) -> Json:
    goal, feasible = path.goal, path.feasibility
    return {
        "goal": {
            "due": goal.due.isoformat(),
            "minutes_per_day": goal.minutes_per_day,
            "skills": list(goal.skills),
            "target": goal.target,
        },
        "creator": path.creator,
        "created_at": path.created_at.isoformat(),
        "title": path.title,
        "learner_may_skip": path.learner_may_skip,
        "overrides": [
            {"kind": each.kind, "skills": list(each.skills), "by": each.by, "at": each.at.isoformat(), "note": each.note}
            for each in path.overrides
        ],
        "teacher_settings": dict(path.teacher_settings),
        "steps": [_step_document(each) for each in path.steps],
        "feasibility": {
            "verdict": feasible.verdict,
            "minutes": list(feasible.minutes),
            "available": feasible.available,
            "missing": feasible.missing,
            "end": _text(feasible.end),
            "sufficient": feasible.sufficient,
            "droppable": list(feasible.droppable),
        },
        "summary": path.summary,
        "pace": list(path.pace),
        "sequence": path.sequence,
        "repair": path.repair,
        "planned_on": path.planned_on.isoformat(),
        "revision": path.revision,
        "edition": path.edition,
        "updated_at": _text(path.updated_at),
        "archived_at": _text(path.archived_at),
    }


def path_of(learner: str, path_id: str, course: str, publication: int, document: Json) -> Path:
    goal, feasible = document["goal"], document["feasibility"]
    return Path(
        learner=learner,
        id=path_id,
        course=course,
        goal=Goal(date.fromisoformat(goal["due"]), goal["minutes_per_day"], tuple(goal["skills"]), goal["target"]),
        creator=document["creator"],
        created_at=datetime.fromisoformat(document["created_at"]),
        title=document["title"],
        learner_may_skip=document["learner_may_skip"],
        overrides=tuple(
            Override(
                OverrideKind(each["kind"]), tuple(each["skills"]), each["by"], datetime.fromisoformat(each["at"]), each["note"]
            )
            for each in document["overrides"]
        ),
        teacher_settings=document["teacher_settings"],
        steps=tuple(map(_step, document["steps"])),
        feasibility=Feasibility(
            verdict=Verdict(feasible["verdict"]),
            minutes=Minutes(*feasible["minutes"]),
            available=feasible["available"],
            missing=feasible["missing"],
            end=_day(feasible["end"]),
            sufficient=feasible["sufficient"],
            droppable=tuple(feasible["droppable"]),
        ),
        summary=document["summary"],
        pace=Pace(*document["pace"]),
        sequence=document["sequence"],
        repair=document.get("repair", 0),  # paths kept before there were repairs have none
        publication=publication,
        planned_on=date.fromisoformat(document["planned_on"]),
        revision=document["revision"],
        edition=document["edition"],
        updated_at=_moment(document["updated_at"]),
        archived_at=_moment(document["archived_at"]),
    )


def _step_document(step: Step) -> Json:
    return {
        "skill": step.skill,
        "title": step.title,
        "prerequisites": list(step.prerequisites),
        "target": step.target,
        "mastery": list(step.mastery),
        "status": step.status,
        "reached": step.reached,
        "known": step.known,
        "minutes": list(step.minutes),
        "start": _text(step.start),
        "end": _text(step.end),
        "reason": step.reason,
    }


def _step(document: Json) -> Step:
    return Step(
        skill=document["skill"],
        title=document["title"],
        prerequisites=tuple(document["prerequisites"]),
        target=document["target"],
        mastery=Mastery(*document["mastery"]),
        status=StepStatus(document["status"]),
        reached=document["reached"],
        known=document["known"],
        minutes=Minutes(*document["minutes"]),
        start=_day(document["start"]),
        end=_day(document["end"]),
        reason=document["reason"],
    )


def _text(moment: date | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
