"""A process that writes one table of a lake, as the host does: for tests that kill it."""

import asyncio
import os
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy.ext.asyncio import create_async_engine

from adapters.analytics.iceberg import IcebergLake, IcebergTable
from adapters.analytics.lake_secrets import PostgresPseudonyms
from adapters.analytics.lake_source import TopicFrom
from adapters.analytics.lake_turn import turn_at_the_lake
from domain.analytics.lake import QUARANTINE, SESSIONS, LakeTable
from services.analytics.lake_writer import LakeWriter


def write(settings: dict[str, Any], begun: Connection, log: str) -> None:
    """Runs in a process of its own, which is killed; tells when it begins."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    asyncio.run(_write(begun, **settings))


async def _write(begun: Connection, lake: dict[str, str], name: str, dsn: str, bootstrap: str, topic: str, alone: bool) -> None:
    opened = IcebergLake(lake, name=name)
    engine = create_async_engine(dsn)
    writer = LakeWriter(
        LakeTable(SESSIONS.name, topic, SESSIONS.columns),
        IcebergTable(opened, SESSIONS),
        IcebergTable(opened, QUARANTINE),
        PostgresPseudonyms(engine, b"k" * 32),
        lambda topic, offsets: TopicFrom(bootstrap, topic, offsets),
        most=400,
        longest=timedelta(seconds=0.3),
    )
    begun.send("writing")
    if alone:
        async with turn_at_the_lake(engine):
            await writer.run()
    await writer.run()
