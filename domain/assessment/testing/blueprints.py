"""Blueprints: how a test is made. Neither a blueprint nor the pool of item revisions pinned to it ever changes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.assessment.testing.balance import Balance, ContentArea
from domain.assessment.testing.norms import UNKNOWN, Norm, Prior
from domain.shared.errors import AlreadyExists, FieldViolation, InvalidInput, NotAllowedNow, NotFound, RequestIdReused

MOST_AREAS = 50
LONGEST_TEST = 500
LONGEST_TITLE = 200
LONGEST_TIME = timedelta(hours=24)
LONGEST_WAIT = timedelta(days=366)
MOST_EASY_ITEMS = 20
MOST_EASIER = 5.0
MOST_ALIKE = 50


class BlueprintNotFound(NotFound):
    reason = "TEST_BLUEPRINT_NOT_FOUND"


class BlueprintExists(AlreadyExists):
    reason = "TEST_BLUEPRINT_EXISTS"


class BlueprintRetired(NotAllowedNow):
    reason = "TEST_BLUEPRINT_RETIRED"


class Visibility(StrEnum):
    """What learners see of a finished test: nothing, the scores, or also which items were right."""

    NONE = "NONE"
    SCORE = "SCORE"
    ITEMS = "ITEMS"


@dataclass(frozen=True, slots=True)
class Randomesque:
    """A draw among the `size` most informative items."""

    size: int


@dataclass(frozen=True, slots=True)
class SympsonHetter:
    """No item in more than this share of simulated tests."""

    max_rate: float


@dataclass(frozen=True, slots=True)
class AdaptiveForm:
    """`standard_error` None: the test always has `max_length` items. `start_ability` None: the first item is chosen for the prior's mean."""

    max_length: int
    min_length: int = 1
    standard_error: float | None = None
    start_ability: float | None = None
    easier_by: float = 0.0
    easy_items: int = 0
    exposure: Randomesque | SympsonHetter | None = None

    def faults(self) -> Iterator[FieldViolation]:
        if not 1 <= self.max_length <= LONGEST_TEST:
            yield FieldViolation("adaptive.max_length", f"must be from 1 to {LONGEST_TEST}")
        if not 1 <= self.min_length <= self.max_length:
            yield FieldViolation("adaptive.min_length", "must be at least 1 and at most max_length")
        if self.standard_error is not None and not 0 < self.standard_error <= 10:
            yield FieldViolation("adaptive.standard_error", "must be above 0 and at most 10, or absent")
        if self.start_ability is not None and not abs(self.start_ability) <= 10:
            yield FieldViolation("adaptive.start_ability", "must be from -10 to 10, or absent")
        if not 0 <= self.easier_by <= MOST_EASIER:
            yield FieldViolation("adaptive.easier_by", f"must be from 0 to {MOST_EASIER:g}")
        if not 0 <= self.easy_items <= MOST_EASY_ITEMS:
            yield FieldViolation("adaptive.easy_items", f"must be from 0 to {MOST_EASY_ITEMS}")
        match self.exposure:
            case Randomesque(size) if not 2 <= size <= MOST_ALIKE:
                yield FieldViolation("adaptive.randomesque.size", f"must be from 2 to {MOST_ALIKE}")
            case SympsonHetter(rate) if not 0 < rate < 1:
                yield FieldViolation("adaptive.sympson_hetter.max_rate", "must be above 0 and below 1")


@dataclass(frozen=True, slots=True)
class FixedForm:
    """Bare item ids; with `shuffled`, each session has an order of its own."""

    items: tuple[str, ...]
    shuffled: bool = False

    @property
    def min_length(self) -> int:
        return len(self.items)

    @property
    def max_length(self) -> int:
        return len(self.items)

    def faults(self) -> Iterator[FieldViolation]:
        if not 1 <= len(self.items) <= LONGEST_TEST:
            yield FieldViolation("fixed.items", f"must hold 1 to {LONGEST_TEST} items")
        for place, each in enumerate(self.items):
            if each in self.items[:place]:
                yield FieldViolation(f"fixed.items[{place}]", f"items/{each} is there already")


@dataclass(frozen=True, slots=True)
class Retakes:
    """How many sessions a learner may start (0: any number), and how long after the end of one the next may start."""

    max_sessions: int = 0
    wait: timedelta = timedelta(0)


ANY_RETAKES = Retakes()


@dataclass(frozen=True, slots=True)
class PoolItem:
    """An item that sessions may draw. `area` is its place in the blueprint's areas, 0 when there are none. Without a bank the parameters
    are None. `admission` is the Sympson-Hetter parameter: the probability that the item is used once it is chosen."""

    item: str
    revision: int
    area: int = 0
    slope: float | None = None
    difficulty: float | None = None
    guess: float | None = None
    admission: float = 1.0


@dataclass(frozen=True, slots=True)
class Blueprint:
    """As its author wrote it, and what became of it. Ids are bare; `bank` and `bank_version` are empty when there is none. In lists the
    pool is left out; `pool_size` always says how large it is."""

    id: str
    title: str
    course: str
    form: AdaptiveForm | FixedForm
    bank: str = ""
    bank_version: str = ""
    areas: tuple[ContentArea, ...] = ()
    prior: Prior = UNKNOWN
    time_limit: timedelta | None = None
    retakes: Retakes = ANY_RETAKES
    norm: Norm | None = None
    visibility: Visibility = Visibility.SCORE
    pool: tuple[PoolItem, ...] = ()
    pool_size: int = 0
    warnings: tuple[str, ...] = ()
    created_at: datetime | None = None
    retired_at: datetime | None = None

    def check(self) -> None:
        """Raises InvalidInput naming every field with which no test can be made, whatever the items."""
        if faults := [*self._faults()]:
            raise InvalidInput(faults)

    def balance(self) -> Balance:
        """The bounds over the areas; one area without bounds when the author gave none."""
        areas = self.areas or (ContentArea(""),)
        return Balance(areas, tuple(sum(each.area == place for each in self.pool) for place in range(len(areas))))

    def repeated_by(self, request: "Blueprint") -> "Blueprint":
        """Returns this blueprint to a repeat of the request that created it, or raises RequestIdReused if the request is another one."""
        if replace(self, pool=(), pool_size=0, warnings=(), created_at=None, retired_at=None) != request:
            raise RequestIdReused(f"the request_id was used for another blueprint, {self.id}")
        return self

    def _faults(self) -> Iterator[FieldViolation]:
        if not (self.title.strip() and len(self.title) <= LONGEST_TITLE and self.title.isprintable()):
            yield FieldViolation("title", f"must have 1 to {LONGEST_TITLE} printable characters")
        if isinstance(self.form, AdaptiveForm) and not self.bank:
            yield FieldViolation("bank_version", "must be given for an adaptive test")
        yield from self.form.faults()
        yield from self.prior.faults("prior")
        if self.time_limit is not None and not timedelta(0) < self.time_limit <= LONGEST_TIME:
            yield FieldViolation("time_limit", "must be above 0 and at most 24 hours, or absent")
        if self.retakes.max_sessions < 0:
            yield FieldViolation("retakes.max_sessions", "must not be negative")
        if not timedelta(0) <= self.retakes.wait <= LONGEST_WAIT:
            yield FieldViolation("retakes.wait", "must be from 0 to 366 days")
        if self.norm is not None:
            yield from self.norm.faults()
            if isinstance(self.form, FixedForm) and not self.bank:
                yield FieldViolation("norm", "needs a bank_version: without one no ability is measured")
        yield from self._area_faults()

    def _area_faults(self) -> Iterator[FieldViolation]:
        if len(self.areas) > MOST_AREAS:
            yield FieldViolation("content_areas", f"must be at most {MOST_AREAS}")
        sound = True
        for place, area in enumerate(self.areas):
            field, faults = f"content_areas[{place}]", []
            if area.skill in (each.skill for each in self.areas[:place]):
                faults.append(FieldViolation(f"{field}.skill", f"skills/{area.skill} is there already"))
            if not 0 <= area.min_share <= 1:
                faults.append(FieldViolation(f"{field}.min_share", "must be from 0 to 1"))
            if not area.min_share <= area.max_share <= 1:
                faults.append(FieldViolation(f"{field}.max_share", "must be from min_share to 1"))
            if not 0 <= area.min_count <= LONGEST_TEST:
                faults.append(FieldViolation(f"{field}.min_count", f"must be from 0 to {LONGEST_TEST}"))
            if area.max_count is not None and area.max_count < area.min_count:
                faults.append(FieldViolation(f"{field}.max_count", "must be at least min_count, or absent"))
            sound = sound and not faults
            yield from faults
        if sound and self.areas:
            yield from self._sum_faults()

    def _sum_faults(self) -> Iterator[FieldViolation]:
        least, most = sum(each.min_share for each in self.areas), sum(each.max_share for each in self.areas)
        if least > 1 + 1e-9:
            yield FieldViolation("content_areas", f"the smallest shares add up to {least:.0%}, which is more than 100 %")
        if most < 1 - 1e-9:
            yield FieldViolation("content_areas", f"the largest shares add up to {most:.0%}, which is less than 100 %")
        if (count := sum(each.min_count for each in self.areas)) > self.form.max_length:
            yield FieldViolation(
                "content_areas", f"the smallest counts add up to {count}, and a test has {self.form.max_length} items"
            )
