"""Assessment with everything around it in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.assessment.memory import MemoryHeldItems, MemoryHintUnit, MemoryResponses, MemoryTables
from adapters.assessment.published_items import CachedPublishedItems
from adapters.assessment.re2 import Re2PatternMatcher
from domain.assessment.model.items import Item
from domain.assessment.model.responses import CourseNotPublished, Response
from domain.assessment.ports import AttemptListener, CatalogContent, PublishedBatch
from domain.assessment.use_cases.get_item_view import GetItemView
from domain.assessment.use_cases.get_response import GetResponse
from domain.assessment.use_cases.list_responses import ListResponses
from domain.assessment.use_cases.reveal_hint import RevealHint
from domain.assessment.use_cases.submit_response import SubmitResponse
from domain.shared.errors import Unavailable
from tests.unit.assessment.examples import CORRECT

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class FakeCatalog(CatalogContent):
    """Publishes in memory; `away` makes it fail, `asked` records what it was asked for."""

    def __init__(self) -> None:
        self.publications: dict[tuple[str, str], tuple[int, dict[str, Item]]] = {}
        self.asked: list[tuple[str, ...]] = []
        self.away = False

    def publish(self, organization: str, course: str, *items: Item) -> None:
        number, _ = self.publications.get((organization, course), (0, {}))
        self.publications[(organization, course)] = (number + 1, {each.id: each for each in items})

    async def published(self, organization: str, course: str, items: Sequence[str]) -> PublishedBatch:
        self.asked.append(tuple(items))
        if self.away:
            raise Unavailable("the catalog is away")
        if (organization, course) not in self.publications:
            raise CourseNotPublished(f"course {course} is not published")
        number, pool = self.publications[(organization, course)]
        return PublishedBatch(number, tuple(pool[each] for each in items if each in pool))


class FakeListener(AttemptListener):
    def __init__(self) -> None:
        self.heard: list[Response] = []

    async def hear(self, organization: str, response: Response, skills: Sequence[str]) -> None:
        self.heard.append(response)


@dataclass
class World:
    """The course `demo` of `north` publishes an item of every kind."""

    tables: MemoryTables = field(default_factory=MemoryTables)
    catalog: FakeCatalog = field(default_factory=FakeCatalog)
    listener: FakeListener = field(default_factory=FakeListener)
    now: datetime = NOW
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.catalog.publish("north", "demo", *(item for item, _ in CORRECT.values()))
        self.items = CachedPublishedItems(self.catalog, MemoryHeldItems(self.tables), now=lambda: self.seconds)
        self.responses = MemoryResponses(self.tables)
        self.get_item_view = GetItemView(self.items, self.new_unit)
        self.reveal_hint = RevealHint(self.items, self.new_unit)
        self.submit = SubmitResponse(self.items, self.responses, self.listener, Re2PatternMatcher(), lambda: self.now)
        self.get_response = GetResponse(self.responses)
        self.list_responses = ListResponses(self.responses)

    def new_unit(self, organization: str) -> MemoryHintUnit:
        return MemoryHintUnit(self.tables, organization)
