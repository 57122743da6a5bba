"""A process that writes one table of a lake, as the host does: for tests that kill it. Reads its settings as JSON from its argument."""

import asyncio
import json
import sys
from datetime import timedelta

from sqlalchemy.ext.asyncio import create_async_engine

from adapters.analytics.iceberg import IcebergLake, IcebergTable
from adapters.analytics.lake_secrets import PostgresPseudonyms
from adapters.analytics.lake_source import TopicFrom
from adapters.analytics.lake_turn import turn_at_the_lake
from domain.analytics.lake import QUARANTINE, SESSIONS, LakeTable
from services.analytics.lake_writer import LakeWriter


async def main(lake: dict[str, str], name: str, dsn: str, bootstrap: str, topic: str, alone: bool) -> None:
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
    print("writing", flush=True)
    if alone:
        async with turn_at_the_lake(engine):
            await writer.run()
    await writer.run()


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
