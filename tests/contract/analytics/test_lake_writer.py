"""The lake's writer over a real broker, S3 and PostgreSQL, killed again and again."""

import contextlib
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from uuid import UUID

import pytest
from confluent_kafka import Producer
from pyiceberg.expressions import EqualTo

from adapters.analytics.iceberg import IcebergLake
from adapters.analytics.lake_maintenance import findings
from domain.analytics.lake import QUARANTINE, SESSIONS
from tests.contract.analytics import writing as writers
from tests.contract.analytics.lakes import lake_of, properties
from tests.unit.analytics.lake_messages import session_event, told

EVENTS = 6_000
REPEATED = 900
FOREIGN = 40
TOPIC = SESSIONS.topic


def produce(bootstrap: str, numbers: list[int], foreign: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for number in numbers:
        message = told(TOPIC, session_event(number, f"l{number % 50}"), number=number)
        producer.produce(TOPIC, message.value, f"north/learners/l{number % 50}", headers=list(message.headers.items()))
        producer.poll(0)
    for number in range(foreign):
        message = told(TOPIC, session_event(number), number=number, type="paideia.future.v1.Thing")
        producer.produce(TOPIC, message.value, "north/learners/l0", headers=list(message.headers.items()))
    assert producer.flush(30) == 0


@pytest.fixture
def lake(postgres, s3) -> IcebergLake:
    return lake_of(postgres, s3)


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that have everything imported when they begin: that takes each of them longer than what is tested."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([writers.__name__])
    return context


@contextlib.contextmanager
def writing(
    processes: ForkServerContext, lake: IcebergLake, postgres, s3, bootstrap: str, log: Path, alone: bool
) -> Iterator[None]:
    """A writer's process, once it has begun; killed at the end whatever it does."""
    settings = {
        "lake": properties(postgres, s3, lake.name),
        "name": lake.name,
        "dsn": postgres.dsn("paideia_analytics").replace("postgresql://", "postgresql+asyncpg://", 1),
        "bootstrap": bootstrap,
        "topic": TOPIC,
        "alone": alone,
    }
    told, begun = processes.Pipe(duplex=False)
    process = processes.Process(target=writers.write, args=(settings, begun, str(log)))
    process.start()
    begun.close()
    try:
        assert told.poll(60), log.read_text()[-3_000:]
        assert told.recv() == "writing"
        yield
    finally:
        process.kill()
        process.join()
        process.close()
        told.close()


def events_in(lake: IcebergLake) -> Counter[str]:
    """How often each event is in the table."""
    return Counter(lake.table(SESSIONS).scan(selected_fields=("event_id",)).to_arrow()["event_id"].to_pylist())


@pytest.mark.fault
@pytest.mark.timeout(600)
@pytest.mark.parametrize("alone", [True, False], ids=["one after another", "two at once"])
def test_rows_are_the_events_exactly_however_often_the_writer_is_killed(
    processes: ForkServerContext, lake: IcebergLake, postgres, s3, kafka_bootstrap: str, tmp_path: Path, alone: bool
) -> None:
    chance = random.Random(5)
    numbers = [10**9 * (1 + alone) + number for number in range(EVENTS)]
    expected = {str(UUID(int=number, version=4)) for number in numbers}
    sent = [*numbers, *chance.choices(numbers, k=REPEATED)]
    chance.shuffle(sent)
    half = len(sent) // 2
    produce(kafka_bootstrap, sent[:half], FOREIGN)
    log = tmp_path / "writers.log"
    kills = 0
    with contextlib.ExitStack() as other:
        if not alone:
            other.enter_context(writing(processes, lake, postgres, s3, kafka_bootstrap, log, alone))
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and (kills < 5 or not expected <= events_in(lake).keys()):
            with writing(processes, lake, postgres, s3, kafka_bootstrap, log, alone):
                time.sleep(chance.uniform(0.2, 2.5))
            kills += 1
            if kills == 2:
                produce(kafka_bootstrap, sent[half:], 0)
    with writing(processes, lake, postgres, s3, kafka_bootstrap, log, alone):
        time.sleep(5)  # what is left of the repeated ones must change nothing
    found = events_in(lake)
    assert expected <= found.keys(), log.read_text()[-3_000:]
    assert max(found.values()) == 1
    told_foreign = lake.table(QUARANTINE).scan(row_filter=EqualTo("type", "paideia.future.v1.Thing")).to_arrow()
    assert told_foreign.num_rows == FOREIGN
    assert findings(lake.table(SESSIONS))["missing_files"] == 0
