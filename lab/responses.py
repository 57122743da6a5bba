"""Reads files of responses, CSV or Parquet: one row an answer, with the columns

    learner, position or occurred_at, item, skills (separated by ;), correct (0 or 1) [, rating, response_time_ms]

in any order; other columns are ignored. A row that cannot be understood is set aside with its line, and the rest goes on.
"""

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

FURTHEST_POSITION: Final = 50_000_000
MOST_SKILLS: Final = 20
_LONGEST_RESPONSE: Final = 86_400_000
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)


class UnreadableLog(Exception):
    """The file as a whole cannot be used; the message says why."""


class RowError(NamedTuple):
    """A row that was left out. `line` counts from 1: in CSV the header is line 1, in Parquet the first row is."""

    line: int
    text: str


class Row(NamedTuple):
    """One answer, checked. `position` or `occurred_at` is set, and `stated` is it as it stands in the file.

    `kept` holds the cells of the columns that were asked for.
    """

    line: int
    learner: str
    item: str
    skills: tuple[str, ...]
    correct: bool
    position: int | None
    occurred_at: datetime | None
    rating: int | None
    response_time_ms: float | None
    stated: str
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseLog:
    """All answers of a file as arrays of one length n, by learner in the order of first mention, each learner's in the order given.

    `learner` and `item` index `learners` and `items`. Row r's skills are `skill[skill_start[r]:skill_start[r + 1]]`, which index
    `skills`. `order` counts a learner's answers from 0. `occurred_at` is in seconds since 1970 (UTC) and None when the file has only
    positions; `rating` (1 to 4, 0 where missing) and `response_time_ms` (NaN where missing) are None when the file has no such column.
    `kept` has the text of every column that was asked for, by name.
    """

    learners: tuple[str, ...]
    items: tuple[str, ...]
    skills: tuple[str, ...]
    learner: NDArray[np.int32]
    item: NDArray[np.int32]
    order: NDArray[np.int32]
    correct: NDArray[np.bool_]
    skill_start: NDArray[np.int64]
    skill: NDArray[np.int32]
    occurred_at: NDArray[np.float64] | None
    rating: NDArray[np.int8] | None
    response_time_ms: NDArray[np.float64] | None
    kept: dict[str, tuple[str, ...]]
    errors: tuple[RowError, ...]

    @property
    def size(self) -> int:
        return int(self.correct.size)


def read_responses(path: Path, keep: Sequence[str] = ()) -> ResponseLog:
    """Returns the log, with the columns named in `keep` besides; raises UnreadableLog if the file or a column is missing."""
    read = list(read_rows(path, keep))
    errors = tuple(each for each in read if isinstance(each, RowError))
    rows = [each for each in read if isinstance(each, Row)]
    learners, learner = _indexed([each.learner for each in rows])
    timed = bool(rows) and rows[0].occurred_at is not None
    moment = np.array([_order_of(each) for each in rows], dtype=np.float64)
    by_learner = np.lexsort((np.arange(len(rows)), moment, learner))
    rows = [rows[each] for each in by_learner]
    learner = learner[by_learner]
    items, item = _indexed([each.item for each in rows])
    skills, skill = _indexed([skill for each in rows for skill in each.skills])
    first_of = np.searchsorted(learner, np.arange(len(learners)))
    return ResponseLog(
        learners=learners,
        items=items,
        skills=skills,
        learner=learner,
        item=item,
        order=(np.arange(len(rows)) - first_of[learner]).astype(np.int32),
        correct=np.array([each.correct for each in rows], dtype=np.bool_),
        skill_start=np.cumsum([0, *(len(each.skills) for each in rows)], dtype=np.int64),
        skill=skill,
        occurred_at=moment[by_learner] if timed else None,
        rating=_ratings(rows),
        response_time_ms=_response_times(rows),
        kept={name: tuple(each.kept[place] for each in rows) for place, name in enumerate(keep)},
        errors=errors,
    )


def _order_of(row: Row) -> float:
    return row.occurred_at.timestamp() if row.occurred_at is not None else float(row.position or 0)


def _ratings(rows: Sequence[Row]) -> NDArray[np.int8] | None:
    return np.array([each.rating or 0 for each in rows], dtype=np.int8) if any(each.rating for each in rows) else None


def _response_times(rows: Sequence[Row]) -> NDArray[np.float64] | None:
    if all(each.response_time_ms is None for each in rows):
        return None
    return np.array([np.nan if each.response_time_ms is None else each.response_time_ms for each in rows])


def _indexed(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Returns the different names in the order of first mention, and for each name its place among them."""
    place: dict[str, int] = {}
    indices = np.array([place.setdefault(each, len(place)) for each in names], dtype=np.int32)
    return tuple(place), indices


def read_rows(path: Path, keep: Collection[str] = ()) -> Iterator[Row | RowError]:
    """Yields every row in the order of the file; raises UnreadableLog if none can be read at all."""
    table = _parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _csv(path)
    columns = _Columns.of(next(table)[1], path, tuple(keep))
    seen: dict[tuple[str, str], int] = {}
    for line, cells in table:
        if isinstance(cells, str):
            yield RowError(line, cells)
        elif cells:
            try:
                yield _row(line, cells, columns, seen)
            except _Bad as bad:
                yield RowError(line, str(bad))


class _Columns(NamedTuple):
    learner: int
    order: int
    timed: bool
    item: int
    skills: int
    correct: int
    rating: int | None
    response_time_ms: int | None
    kept: tuple[int, ...]
    width: int

    @classmethod
    def of(cls, names: Sequence[str] | str, path: Path, keep: tuple[str, ...]) -> "_Columns":
        header = [each.strip().lower() for each in names]
        kept = [each.strip().lower() for each in keep]
        missing = [name for name in ("learner", "item", "skills", "correct", *kept) if name not in header]
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
            rating=header.index("rating") if "rating" in header else None,
            response_time_ms=header.index("response_time_ms") if "response_time_ms" in header else None,
            kept=tuple(header.index(each) for each in kept),
            width=len(header),
        )


# A table is the header, then rows; instead of its cells a row that cannot be split has what is wrong with it.
_Table = Iterator[tuple[int, list[str] | str]]


def _csv(path: Path) -> _Table:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableLog(f"{path}: {error.strerror}") from error
    rows = csv.reader(data.decode("utf-8-sig", errors="surrogateescape").splitlines(keepends=True), strict=True)
    try:
        header = next(rows)
    except (StopIteration, csv.Error):
        raise UnreadableLog(f"{path}: is empty; the first line must name the columns") from None
    yield 1, header
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield rows.line_num, f"is not CSV: {error}"
        else:
            yield rows.line_num, cells


def _parquet(path: Path) -> _Table:
    import pyarrow.parquet  # who reads CSV need not wait for it

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except OSError as error:
        raise UnreadableLog(f"{path}: {error.strerror or error}") from error
    except pyarrow.ArrowInvalid as error:
        raise UnreadableLog(f"{path}: is not Parquet: {error}") from error
    with file:
        yield 0, file.schema_arrow.names
        line = 0
        for batch in file.iter_batches():
            columns = [each.to_pylist() for each in batch.columns]
            for cells in zip(*columns, strict=True):
                line += 1
                yield line, [_text(each) for each in cells]


def _text(value: object) -> str:
    """A Parquet value as it would stand in CSV."""
    match value:
        case None:
            return ""
        case bool():
            return str(int(value))
        case float() if value.is_integer():
            return str(int(value))
        case date():
            return value.isoformat()
        case list():
            return ";".join(map(_text, value))
    return str(value)


class _Bad(Exception):
    pass


def _row(line: int, raw: Sequence[str], columns: _Columns, seen: dict[tuple[str, str], int]) -> Row:
    # ASCII is known at a glance; only other text can hold what was not UTF-8.
    if any(not cell.isascii() and any("\ud800" <= each <= "\udfff" for each in cell) for cell in raw):
        raise _Bad("is not UTF-8: save the file as UTF-8")
    if len(raw) != columns.width:
        raise _Bad(f"has {len(raw)} columns where the header has {columns.width}")
    cells = [each.strip() for each in raw]
    learner, item, order, correct = cells[columns.learner], cells[columns.item], cells[columns.order], cells[columns.correct]
    if not learner or not item:
        raise _Bad("learner and item must not be empty")
    occurred_at = _moment(order) if columns.timed else None
    position = None if columns.timed else _position(order)
    if correct not in ("0", "1"):
        raise _Bad(f"correct must be 0 or 1, not {correct!r}")
    skills = tuple(dict.fromkeys(name for each in cells[columns.skills].split(";") if (name := each.strip())))
    if not 1 <= len(skills) <= MOST_SKILLS:
        raise _Bad(f"skills must be 1 to {MOST_SKILLS} names, separated by ';'")
    rating = _rating(cells[columns.rating]) if columns.rating is not None else None
    response_time = _milliseconds(cells[columns.response_time_ms]) if columns.response_time_ms is not None else None
    # At one moment a learner may answer several items, but not the same one twice.
    place = (learner, f"{order} {item}" if columns.timed else str(position))
    if (first := seen.setdefault(place, line)) != line:
        raise _Bad(f"repeats the {'time and item' if columns.timed else 'position'} of line {first} for learner {learner!r}")
    kept = tuple([cells[each] for each in columns.kept])
    return Row(line, learner, item, skills, correct == "1", position, occurred_at, rating, response_time, order, kept)


def _position(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 9) or int(text) > FURTHEST_POSITION:
        raise _Bad(f"position must be a whole number from 0 to {FURTHEST_POSITION:,}, not {text!r}")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Bad(f"occurred_at must be a time such as 2026-06-12T08:30:00Z, not {text!r}") from None
    if not _EARLIEST <= moment <= datetime.now(UTC):
        raise _Bad(f"occurred_at must lie between 2000 and now, not {text!r}")
    return moment


def _rating(text: str) -> int | None:
    if not text:
        return None
    if text not in ("1", "2", "3", "4"):
        raise _Bad(f"rating must be 1 (again), 2 (hard), 3 (good) or 4 (easy), not {text!r}")
    return int(text)


def _milliseconds(text: str) -> float | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,8}(\.\d+)?", text) or float(text) > _LONGEST_RESPONSE:
        raise _Bad(f"response_time_ms must be a number from 0 to {_LONGEST_RESPONSE:,}, not {text!r}")
    return float(text)
