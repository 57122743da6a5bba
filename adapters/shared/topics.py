"""The topics of the log, what each carries, and their creation."""

import asyncio
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from domain.shared.errors import Unavailable

TYPES: Mapping[str, frozenset[str]] = {
    "user.attempts": frozenset({"paideia.ingestion.v1.LearningEvent"}),
    "user.sessions": frozenset({"paideia.ingestion.v1.LearningEvent"}),
    "learning.events": frozenset({"paideia.ingestion.v1.LearningEvent"}),
    "progress.updates": frozenset({"paideia.progress.v1.ProgressUpdated"}),
    "scheduler.decisions": frozenset({"paideia.scheduler.v1.DecisionMade"}),
    "catalog.changes": frozenset({"paideia.catalog.v1.CoursePublished"}),
    "paths.changes": frozenset({"paideia.paths.v1.PathAdapted"}),
    "ml.training_events": frozenset({"paideia.inference.v1.PredictionsCompared"}),
    "audit.acts": frozenset({"paideia.audit.v1.ActRecorded", "paideia.identity.v1.SecurityNoticed"}),
    "audit.heads": frozenset({"paideia.audit.v1.HeadSigned"}),
    "identity.events": frozenset(
        f"paideia.identity.v1.{each}"
        for each in (
            "UserCreated",
            "UserDeactivated",
            "SessionRevoked",
            "SecurityNoticed",
            "SightChanged",
            "SigningKeyMade",
            "OrganizationPlanChanged",
        )
    ),
    "privacy.orders": frozenset({"paideia.identity.v1.PrivacyOrdered"}),
    "privacy.receipts": frozenset({"paideia.identity.v1.PrivacyPartDone"}),
}
"""The types of event that this release knows on each topic. A consumer puts any other aside: it comes from a newer release, or by mistake."""

TOPICS = tuple(TYPES)

SELDOM = frozenset({"catalog.changes", "privacy.orders", "privacy.receipts"})
"""Topics on which hours may pass between two messages: nobody is served worse if one takes some tenths of a second."""

PARTITIONS = 2
"""Of each topic: so many consumers of one group can share it. Keys keep their partition only while this stays the same."""

_SECONDS = 10.0


def knows(topic: str, type: str) -> bool:
    """Returns whether events of this type belong on the topic; topics that are not listed take any."""
    types = TYPES.get(topic)
    return types is None or type in types


def dead_letters_of(topic: str) -> str:
    """Returns the topic that takes what a consumer of `topic` could not handle."""
    return f"{topic}.dlq"


async def ensure_topics(bootstrap: str, topics: Iterable[str] = TOPICS, partitions: int = PARTITIONS) -> None:
    """Creates the topics that are missing, each with its dead letters; those that exist stay as they are.

    Raises Unavailable when the broker cannot do it now.
    """
    wanted = [NewTopic(each, num_partitions=partitions, replication_factor=-1) for each in topics]
    wanted += [NewTopic(dead_letters_of(each.topic), num_partitions=1, replication_factor=-1) for each in wanted]
    await asyncio.to_thread(_create, bootstrap, wanted)


def _create(bootstrap: str, wanted: list[NewTopic]) -> None:
    # Every failed attempt to connect would be a line of its log; the error that is raised says it once.
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        existing = admin.list_topics(timeout=_SECONDS).topics
        missing = [each for each in wanted if each.topic not in existing]
        if not missing:
            return
        for created in admin.create_topics(missing, request_timeout=_SECONDS).values():
            try:
                created.result(_SECONDS)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
    except (KafkaException, TimeoutError) as error:
        raise Unavailable(f"the log's topics cannot be created now: {error}") from error
