"""What reports take from the log."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from domain.analytics.model import Attempted, Decided, Facts, MasteryTold, SessionMarked
from domain.analytics.use_cases.record_facts import RecordFacts
from domain.shared.errors import InvalidInput
from services.analytics import log_messages
from services.shared.log import LogMessage

TOPICS = ("user.attempts", "user.sessions", "progress.updates", "scheduler.decisions")


class TopicMessage(LogMessage, Protocol):
    """Tells its topic, too: reports read several."""

    @property
    def topic(self) -> str: ...


@dataclass(slots=True)
class _Told:
    attempts: list[Attempted] = field(default_factory=list)
    sessions: list[SessionMarked] = field(default_factory=list)
    decisions: list[Decided] = field(default_factory=list)
    masteries: list[MasteryTold] = field(default_factory=list)

    def take(self, message: TopicMessage) -> None:
        match message.topic:
            case "user.attempts":
                self.attempts.append(log_messages.attempted(message.value))
            case "user.sessions":
                self.sessions.append(log_messages.session_marked(message.value))
            case "progress.updates":
                self.masteries.extend(log_messages.masteries_told(message.value))
            case "scheduler.decisions":
                self.decisions.append(log_messages.decided(message.value))
            case other:
                raise InvalidInput.of("topic", f"reports do not know {other}")


@dataclass(frozen=True, slots=True)
class LogFacts:
    """Records a batch of the log, one transaction an organization. A message that cannot be read fails its batch, which is then halved."""

    record: RecordFacts

    async def __call__(self, batch: Sequence[TopicMessage]) -> None:
        by_organization: defaultdict[str, _Told] = defaultdict(_Told)
        for message in batch:
            if not message.organization:
                raise InvalidInput.of("ce_organization", "must be in the headers")
            by_organization[message.organization].take(message)
        for organization, told in sorted(by_organization.items()):
            await self.record(organization, Facts(told.attempts, told.sessions, told.decisions, told.masteries))
