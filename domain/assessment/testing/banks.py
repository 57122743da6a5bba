"""Item banks: calibrated items in versions that never change."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite

from domain.psychometrics.irt import GREATEST_DIFFICULTY, GREATEST_SLOPE
from domain.shared.errors import FieldViolation, InvalidInput, NotFound

MOST_ITEMS = 10_000
GREATEST_GUESS = 0.5
LONGEST_CALIBRATION = 128


class BankNotFound(NotFound):
    reason = "ITEM_BANK_NOT_FOUND"


class BankVersionNotFound(NotFound):
    reason = "ITEM_BANK_VERSION_NOT_FOUND"


class ResponseModel(StrEnum):
    ONE = "1PL"
    TWO = "2PL"
    THREE = "3PL"


@dataclass(frozen=True, slots=True)
class CalibratedItem:
    """The parameters of the item with the bare id `item`, in the logistic metric; standard errors are None where not estimated."""

    item: str
    slope: float
    difficulty: float
    guess: float = 0.0
    slope_error: float | None = None
    difficulty_error: float | None = None
    guess_error: float | None = None


@dataclass(frozen=True, slots=True)
class BankVersion:
    """One calibration of a bank. `version` is made of the content; `items` is empty where only `item_count` matters."""

    bank: str
    version: str
    model: ResponseModel
    calibration: str
    item_count: int
    published_at: datetime
    items: tuple[CalibratedItem, ...] = ()

    @classmethod
    def of(
        cls, bank: str, model: ResponseModel, calibration: str, items: Sequence[CalibratedItem], now: datetime
    ) -> "BankVersion":
        """Raises InvalidInput naming every parameter at fault."""
        if faults := [*_faults(model, calibration, items)]:
            raise InvalidInput(faults)
        return cls(bank, _version(model, calibration, items), model, calibration, len(items), now, tuple(items))

    @property
    def place(self) -> "Place":
        """Where the version stands among its bank's, which are listed by falling place."""
        return self.published_at, self.version


Place = tuple[datetime, str]


def cursor_at(place: Place) -> tuple[str, ...]:
    """The cursor of the page after this place."""
    return place[0].isoformat(), place[1]


def place_at(cursor: tuple[str, ...]) -> Place:
    """The place that a cursor stands for, or InvalidInput if no page returned it."""
    try:
        time, version = cursor
        moment = datetime.fromisoformat(time)
        if moment.tzinfo is None:
            raise ValueError
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged") from None
    return moment, version


@dataclass(frozen=True, slots=True)
class Bank:
    """What there is of a bank; `newest` comes without its items."""

    newest: BankVersion
    version_count: int


def _version(model: ResponseModel, calibration: str, items: Sequence[CalibratedItem]) -> str:
    rows = [
        [each.item, each.slope, each.difficulty, each.guess, each.slope_error, each.difficulty_error, each.guess_error]
        for each in items
    ]
    return hashlib.sha256(json.dumps([model, calibration, rows]).encode()).hexdigest()[:16]


def _faults(model: ResponseModel, calibration: str, items: Sequence[CalibratedItem]) -> Iterator[FieldViolation]:
    if len(calibration) > LONGEST_CALIBRATION or not calibration.isprintable():
        yield FieldViolation("calibration", f"must have at most {LONGEST_CALIBRATION} printable characters")
    if not 1 <= len(items) <= MOST_ITEMS:
        yield FieldViolation("items", f"must hold 1 to {MOST_ITEMS:,} items")
    counts = Counter(each.item for each in items)
    slopes = {each.slope for each in items}
    for place, each in enumerate(items):
        field = f"items[{place}]"
        if counts[each.item] > 1:
            yield FieldViolation(f"{field}.item", f"must be there once, and items/{each.item} is {counts[each.item]} times")
        if not 0 < each.slope <= GREATEST_SLOPE:
            yield FieldViolation(f"{field}.slope", f"must be above 0 and at most {GREATEST_SLOPE:g}")
        elif model is ResponseModel.ONE and len(slopes) > 1:
            yield FieldViolation(f"{field}.slope", "must be the same for all items in the one-parameter model")
        if not abs(each.difficulty) <= GREATEST_DIFFICULTY:
            yield FieldViolation(f"{field}.difficulty", f"must be from -{GREATEST_DIFFICULTY:g} to {GREATEST_DIFFICULTY:g}")
        if not 0 <= each.guess <= GREATEST_GUESS:
            yield FieldViolation(f"{field}.guess", f"must be from 0 to {GREATEST_GUESS}")
        elif each.guess and model is not ResponseModel.THREE:
            yield FieldViolation(f"{field}.guess", f"must be 0 in the model {model}")
        for name in ("slope_error", "difficulty_error", "guess_error"):
            error = getattr(each, name)
            if error is not None and not (isfinite(error) and error >= 0):
                yield FieldViolation(f"{field}.{name}", "must be a number that is not negative, or absent")
