"""The topics of the log, and their creation."""

import asyncio
from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from domain.shared.errors import Unavailable

TOPICS = (
    "user.attempts",
    "user.sessions",
    "learning.events",
    "progress.updates",
    "scheduler.decisions",
    "catalog.changes",
    "paths.changes",
    "identity.events",
)

PARTITIONS = 2
"""Of each topic: so many consumers of one group can share it. Keys keep their partition only while this stays the same."""

_SECONDS = 10.0


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
