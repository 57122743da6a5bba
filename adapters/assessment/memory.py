"""Assessment's state in memory, for tests: the same promises as PostgreSQL's, one organization unseen by another."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from domain.assessment.model.items import Item
from domain.assessment.model.responses import Response, RevealedHint, cursor_at, place_at
from domain.assessment.ports import HeldItems, Hints, HintUnit, PublishedBatch, Responses
from domain.shared.errors import RequestIdReused
from domain.shared.page import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Reveal:
    """A hint, and the response that claimed it; None while it is active."""

    hint: RevealedHint
    response: str | None = None


@dataclass
class MemoryTables:
    """Rows by organization and key; `attempts` holds what was published."""

    responses: dict[tuple[str, str], Response] = field(default_factory=dict)
    attempts: list[tuple[str, Response, tuple[str, ...]]] = field(default_factory=list)
    reveals: dict[tuple[str, str], Reveal] = field(default_factory=dict)
    revisions: dict[tuple[str, str, int], Item] = field(default_factory=dict)
    course_items: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)


class MemoryResponses(Responses):
    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def keep(self, organization: str, response: Response, skills: Sequence[str]) -> Response:
        key = (organization, response.id)
        if (first := self._tables.responses.get(key)) is not None:
            return first
        active = [
            each
            for each, reveal in self._tables.reveals.items()
            if each[0] == organization
            and reveal.response is None
            and (reveal.hint.learner, reveal.hint.item) == (response.learner, response.item)
        ]
        for each in active:
            self._tables.reveals[each] = replace(self._tables.reveals[each], response=response.id)
        kept = self._tables.responses[key] = replace(response, hints_revealed=len(active))
        self._tables.attempts.append((organization, kept, tuple(skills)))
        return kept

    async def find(self, organization: str, response_id: str) -> Response | None:
        return self._tables.responses.get((organization, response_id))

    async def page(self, organization: str, learner: str, request: PageRequest, sealed: bool = True) -> Page[Response]:
        below = place_at(request.after) if request.after else None
        found = sorted(
            (
                each
                for (owner, _), each in self._tables.responses.items()
                if (owner, each.learner) == (organization, learner)
                and (below is None or each.place < below)
                and (sealed or not each.sealed)
            ),
            key=lambda each: each.place,
            reverse=True,
        )
        shown = tuple(found[: request.size])
        return Page(shown, cursor_at(shown[-1].place) if len(found) > request.size else None)


class MemoryHints(Hints):
    def __init__(self, reveals: dict[tuple[str, str], Reveal], organization: str) -> None:
        self._reveals = reveals
        self._organization = organization

    async def active(self, learner: str, item: str) -> Sequence[RevealedHint]:
        mine = [each.hint for (owner, _), each in self._reveals.items() if owner == self._organization and each.response is None]
        return sorted((each for each in mine if (each.learner, each.item) == (learner, item)), key=lambda each: each.number)

    async def lock(self, learner: str, item: str) -> None:
        """Nothing to do: a unit here never waits, so none interrupts another."""

    async def find(self, request_id: str) -> RevealedHint | None:
        reveal = self._reveals.get((self._organization, request_id))
        return reveal.hint if reveal else None

    async def add(self, hint: RevealedHint) -> None:
        if (self._organization, hint.request_id) in self._reveals:
            raise RequestIdReused(f"request_id {hint.request_id} was used for another hint")
        self._reveals[(self._organization, hint.request_id)] = Reveal(hint)


class MemoryHintUnit(HintUnit):
    def __init__(self, tables: MemoryTables, organization: str) -> None:
        self._tables = tables
        self._changed = dict(tables.reveals)
        self.hints = MemoryHints(self._changed, organization)

    async def commit(self) -> None:
        self._tables.reveals = self._changed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None


class MemoryHeldItems(HeldItems):
    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    async def newest(self, organization: str, course: str, item: str) -> tuple[int, Item] | None:
        pinned = self._tables.course_items.get((organization, course, item))
        return (pinned[0], self._tables.revisions[(organization, item, pinned[1])]) if pinned else None

    async def of_course(self, organization: str, course: str, before: int) -> tuple[str, ...]:
        rows = self._tables.course_items.items()
        return tuple(
            sorted(
                item for (owner, place, item), (number, _) in rows if (owner, place) == (organization, course) and number < before
            )
        )

    async def hold(self, organization: str, course: str, asked: Sequence[str], batch: PublishedBatch) -> None:
        for item in batch.items:
            self._tables.revisions.setdefault((organization, item.id, item.revision), item)
            key = (organization, course, item.id)
            if self._tables.course_items.get(key, (0, 0))[0] < batch.number:
                self._tables.course_items[key] = (batch.number, item.revision)
        for gone in set(asked) - {each.id for each in batch.items}:
            if self._tables.course_items.get((organization, course, gone), (batch.number, 0))[0] < batch.number:
                del self._tables.course_items[(organization, course, gone)]
