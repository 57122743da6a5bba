"""Enrolment from a spreadsheet: a CSV text in, a verdict a row out."""

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.identity.model import User, UserDraft
from domain.shared.caller import Role
from domain.shared.errors import InvalidInput

MOST_ROWS = 1_000
LONGEST_TEXT = 1_000_000
_COLUMNS = ("user_id", "display_name", "email")
_SEPARATORS = (",", ";", "\t")
_LEARNER = frozenset({Role.LEARNER})


class Outcome(StrEnum):
    CREATED = "CREATED"
    """A new learner, enrolled."""
    ENROLLED = "ENROLLED"
    """A learner there was, enrolled."""
    ALREADY_ENROLLED = "ALREADY_ENROLLED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read: `line` counts from 1, the heading included. `user` is None if it cannot be, for the reason in `fault`."""

    line: int
    user_id: str
    user: User | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row; `reason` says why it was refused."""

    line: int
    user_id: str
    outcome: Outcome
    reason: str = ""


def rows_of(text: str, now: datetime) -> tuple[Row, ...]:
    """Returns the learners that a CSV text lists: a heading with `user_id`, and perhaps `display_name` and `email`, then a row each.

    Commas, semicolons and tabs separate, as the heading shows. Blank rows are passed over. Raises InvalidInput for `csv` when the text as a
    whole cannot be read; a row that cannot be read says so in its `fault`.
    """
    if len(text) > LONGEST_TEXT:
        raise InvalidInput.of("csv", f"must be at most {LONGEST_TEXT} characters")
    text = text.removeprefix("\ufeff")  # spreadsheets put it before UTF-8
    heading_text = text.partition("\n")[0].strip().lower()
    separator = max(_SEPARATORS, key=heading_text.count)
    try:
        lines = list(enumerate(csv.reader(io.StringIO(text), delimiter=separator, strict=True), start=1))
    except csv.Error as error:
        raise InvalidInput.of("csv", f"cannot be read as CSV: {error}") from None
    if not lines:
        raise InvalidInput.of("csv", "must have a heading with user_id, then a row for each learner")
    heading = [each.strip().lower() for each in lines[0][1]]
    unknown = [each for each in heading if each not in _COLUMNS]
    if "user_id" not in heading or unknown or len(set(heading)) != len(heading):
        raise InvalidInput.of("csv", "its heading must be user_id, and perhaps display_name and email, each once")
    filled = [(line, cells) for line, cells in lines[1:] if any(each.strip() for each in cells)]
    if not 1 <= len(filled) <= MOST_ROWS:
        raise InvalidInput.of("csv", f"must have 1 to {MOST_ROWS} learners, not {len(filled)}")
    return _without_repeats([_row(line, cells, heading, now) for line, cells in filled])


def _row(line: int, cells: list[str], heading: list[str], now: datetime) -> Row:
    if len(cells) != len(heading):
        return Row(line, cells[0].strip()[:128], None, f"has {len(cells)} cells under a heading of {len(heading)}")
    given = dict(zip(heading, (each.strip() for each in cells), strict=True))
    draft = UserDraft(given["user_id"], given.get("display_name", ""), given.get("email") or None, _LEARNER)
    try:
        return Row(line, draft.id, draft.user(now))
    except InvalidInput as error:
        return Row(line, draft.id[:128], None, error.message.replace("user.", ""))


def _without_repeats(rows: list[Row]) -> tuple[Row, ...]:
    ids: dict[str, int] = {}
    emails: dict[str, int] = {}
    kept: list[Row] = []
    for row in rows:
        if row.user is not None:
            first = ids.setdefault(row.user.id, row.line)
            if first == row.line and row.user.email is not None:
                first = emails.setdefault(row.user.email, row.line)
            if first != row.line:
                row = Row(row.line, row.user_id, None, f"repeats the id or the address of line {first}")
        kept.append(row)
    return tuple(kept)
