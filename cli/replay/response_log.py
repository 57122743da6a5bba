"""Reads response logs: CSV with the columns `learner,position|occurred_at,item,skills,correct`."""

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

_NAMESPACE = UUID("6d1c54f4-23c1-4f0a-9a5e-0f3a6c1b7d21")
# Rows that only have a position get a minute a position from here: a time is part of an attempt, and it must be the same each run.
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_FURTHEST_POSITION = 50_000_000
_CHOSEN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")


class UnreadableLog(Exception):
    """The file as a whole cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out. `line` counts from 1 and includes the header."""

    line: int
    problem: str


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
    bad_rows: list[BadRow] = field(default_factory=list)
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
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableLog(f"{path}: {error.strerror}") from error
    rows = csv.reader(data.decode("utf-8-sig", errors="surrogateescape").splitlines(keepends=True), strict=True)
    try:
        header = [each.strip().lower() for each in next(rows)]
    except (StopIteration, csv.Error):
        raise UnreadableLog(f"{path}: is empty; the first line must name the columns") from None
    columns = _Columns.of(header, path)
    log = ResponseLog()
    placed: dict[str, list[tuple[datetime, int, Answer]]] = {}
    seen: dict[tuple[str, str], int] = {}
    for line, row in _numbered(rows, log):
        if row:
            _read_row(row, line, columns, log, placed, seen, course)
    for learner, answers in placed.items():
        log.answers[learner] = [each for _, _, each in sorted(answers, key=lambda each: each[:2])]
    return log


@dataclass(frozen=True, slots=True)
class _Columns:
    learner: int
    order: int
    timed: bool
    item: int
    skills: int
    correct: int
    response_time_ms: int | None
    count: int

    @classmethod
    def of(cls, header: list[str], path: Path) -> "_Columns":
        missing = [name for name in ("learner", "item", "skills", "correct") if name not in header]
        if "position" not in header and "occurred_at" not in header:
            missing.insert(1, "position (or occurred_at)")
        if missing:
            found = ", ".join(each.encode(errors="replace").decode() for each in header[:10])
            raise UnreadableLog(f"{path}: line 1: no column {', '.join(missing)}; found {found}")
        timed = "occurred_at" in header
        return cls(
            learner=header.index("learner"),
            order=header.index("occurred_at" if timed else "position"),
            timed=timed,
            item=header.index("item"),
            skills=header.index("skills"),
            correct=header.index("correct"),
            response_time_ms=header.index("response_time_ms") if "response_time_ms" in header else None,
            count=len(header),
        )


def _numbered(rows: "Iterator[list[str]]", log: ResponseLog) -> Iterator[tuple[int, list[str]]]:
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            log.bad_rows.append(BadRow(rows.line_num, f"is not CSV: {error}"))  # type: ignore[attr-defined]
            continue
        yield rows.line_num, row  # type: ignore[attr-defined]


class _Bad(Exception):
    pass


def _read_row(
    row: list[str],
    line: int,
    columns: _Columns,
    log: ResponseLog,
    placed: dict[str, list[tuple[datetime, int, Answer]]],
    seen: dict[tuple[str, str], int],
    course: str,
) -> None:
    try:
        if any("\udc80" <= character <= "\udcff" for cell in row for character in cell):
            raise _Bad("is not UTF-8: save the file as UTF-8")
        if len(row) != columns.count:
            raise _Bad(f"has {len(row)} columns where the header has {columns.count}")
        cells = [each.strip() for each in row]
        learner, item = cells[columns.learner], cells[columns.item]
        if not learner or not item:
            raise _Bad("learner and item must not be empty")
        occurred_at = (_moment if columns.timed else _position)(cells[columns.order])
        if cells[columns.correct] not in ("0", "1"):
            raise _Bad(f"correct must be 0 or 1, not {cells[columns.correct]!r}")
        skills = tuple(dict.fromkeys(log.identifier(each.strip()) for each in cells[columns.skills].split(";") if each.strip()))
        if not 1 <= len(skills) <= 20:
            raise _Bad("skills must be 1 to 20 names, separated by ';'")
        # At one moment a learner may answer several items, but not the same one twice.
        place = (learner, f"{cells[columns.order]} {item}" if columns.timed else str(occurred_at))
        if place in seen:
            raise _Bad(
                f"repeats the {'time and item' if columns.timed else 'position'} of line {seen[place]} for learner {learner!r}"
            )
        answer = Answer(
            id=str(uuid5(_NAMESPACE, "\n".join((course, learner, place[1], item)))),
            learner=log.identifier(learner),
            item=log.identifier(item),
            skills=skills,
            correct=cells[columns.correct] == "1",
            occurred_at=occurred_at,
            response_time=_milliseconds(cells[columns.response_time_ms]) if columns.response_time_ms is not None else None,
        )
    except _Bad as bad:
        log.bad_rows.append(BadRow(line, str(bad)))
        return
    seen[place] = line
    placed.setdefault(answer.learner, []).append((occurred_at, line, answer))
    known = log.skills_of.get(answer.item, ())
    log.skills_of[answer.item] = tuple(dict.fromkeys((*known, *skills)))


def _position(text: str) -> datetime:
    if not re.fullmatch(r"\d{1,9}", text) or int(text) > _FURTHEST_POSITION:
        raise _Bad(f"position must be a whole number from 0 to {_FURTHEST_POSITION:,}, not {text!r}")
    return _BEGINNING + timedelta(minutes=int(text))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Bad(f"occurred_at must be a time such as 2026-06-12T08:30:00Z, not {text!r}") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if not datetime(2000, 1, 1, tzinfo=UTC) <= moment <= datetime.now(UTC):
        raise _Bad(f"occurred_at must lie between 2000 and now, not {text!r}")
    return moment


def _milliseconds(text: str) -> timedelta | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,8}(\.\d+)?", text) or float(text) > 86_400_000:
        raise _Bad(f"response_time_ms must be a number from 0 to 86,400,000, not {text!r}")
    return timedelta(milliseconds=float(text))
