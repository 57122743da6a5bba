"""Response logs as attempts: the rows of a response file with ids that the platform accepts."""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from lab.responses import Row, RowError

_NAMESPACE = UUID("6d1c54f4-23c1-4f0a-9a5e-0f3a6c1b7d21")
# Rows that only have a position get a minute a position from here: a time is part of an attempt, and it must be the same each run.
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_CHOSEN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One row. The ids are resource ids; `id` is the same each time the same row of the same course is read."""

    id: str
    learner: str
    item: str
    skills: tuple[str, ...]
    correct: bool
    occurred_at: datetime
    response_time: timedelta | None = None


@dataclass(slots=True)
class ResponseLog:
    """`answers` by learner in the order of the file's first mention, each learner's in the order they were given.

    `titles` gives the text in the file for every id that had to be changed to be one.
    """

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    skills_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bad_rows: "list[RowError]" = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(map(len, self.answers.values()))

    @property
    def skills(self) -> list[str]:
        return sorted({skill for skills in self.skills_of.values() for skill in skills})

    def identifier(self, text: str) -> str:
        """Returns a text of the file as a resource id; what an id cannot hold is replaced, with a digest to keep ids apart."""
        if _CHOSEN_ID.fullmatch(text):
            return text
        kept = re.sub(r"[^A-Za-z0-9._~-]+", "-", text)[:100].strip("-._~")
        made = f"{kept or 'x'}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        self.titles[made] = text[:200]
        return made


def read_response_log(path: Path, course: str) -> ResponseLog:
    """Returns the log. Bad rows are set aside with their line; raises UnreadableLog if no row can be read at all."""
    from lab.responses import RowError, read_rows  # the laboratory is loaded by the commands that use it

    log = ResponseLog()
    for row in read_rows(path):
        if isinstance(row, RowError):
            log.bad_rows.append(row)
            continue
        answer = _answer(row, log, course)
        log.answers.setdefault(answer.learner, []).append(answer)
        log.skills_of[answer.item] = tuple(dict.fromkeys((*log.skills_of.get(answer.item, ()), *answer.skills)))
    for answers in log.answers.values():
        answers.sort(key=lambda each: each.occurred_at)
    return log


def _answer(row: "Row", log: ResponseLog, course: str) -> Answer:
    occurred_at = row.occurred_at or _BEGINNING + timedelta(minutes=row.position or 0)
    place = f"{row.stated} {row.item}" if row.occurred_at else str(occurred_at)
    return Answer(
        id=str(uuid5(_NAMESPACE, "\n".join((course, row.learner, place, row.item)))),
        learner=log.identifier(row.learner),
        item=log.identifier(row.item),
        skills=tuple(dict.fromkeys(map(log.identifier, row.skills))),
        correct=row.correct,
        occurred_at=occurred_at,
        response_time=None if row.response_time_ms is None else timedelta(milliseconds=row.response_time_ms),
    )
