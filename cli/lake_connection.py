"""The lake of the stack on this machine, or the one that the host's settings name: what `paideia lake` does with it."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stack.home import find_home
from stack.record import read_record

if TYPE_CHECKING:
    from pyiceberg.table import Table

_DATABASE = "paideia"


class LakeAway(Exception):
    """The lake cannot be reached, or changed too often meanwhile; the text says what would help."""


class WrongAnswer(Exception):
    """What was asked for cannot be answered as it stands."""


def lake_tools(home: Path | None) -> "LakeTools":
    """Returns the tools. Raises LakeAway when no stack runs and the environment names no lake."""
    from adapters.shared.resources import Settings

    found = find_home(home)
    cache = found.run / "lake"
    dsn = os.environ.get("PAIDEIA_POSTGRES_DSN", "")
    if dsn and home is None:
        settings = Settings(
            dsn,
            Path(os.environ.get("PAIDEIA_SECRETS_DIR", found.secrets)),
            redis_url="",
            kafka_bootstrap="",
            s3_endpoint=os.environ.get("PAIDEIA_S3_ENDPOINT", ""),
            s3_region=os.environ.get("PAIDEIA_S3_REGION", "us-east-1"),
            lake_catalog=os.environ.get("PAIDEIA_LAKE_CATALOG", "sql"),
            lake_catalog_uri=os.environ.get("PAIDEIA_LAKE_CATALOG_URI", ""),
            lake_warehouse=os.environ.get("PAIDEIA_LAKE_WAREHOUSE", "s3://lake"),
        )
        return LakeTools(settings, cache)
    record = read_record(found.record)
    parts = record.parts if record else {}
    if not all(name in parts and parts[name].address for name in ("postgres", "objects")):
        raise LakeAway("no stack runs here: start it with `paideia up`")
    settings = Settings(
        f"postgresql://{{role}}@{parts['postgres'].address}/{_DATABASE}",
        found.secrets,
        redis_url="",
        kafka_bootstrap="",
        s3_endpoint=parts["objects"].address,
    )
    return LakeTools(settings, cache)


class LakeTools:
    """Opens the lake when it is first needed: what Iceberg needs takes a second to load. Every method raises LakeAway or WrongAnswer."""

    def __init__(self, settings: Any, cache: Path) -> None:
        from adapters.analytics.iceberg import DEFINITIONS, IcebergLake, catalog_properties

        self._settings = settings
        self._cache = cache
        self._definitions = DEFINITIONS
        with _told():
            self._lake = IcebergLake(catalog_properties(settings))

    def facts(self) -> list[dict[str, Any]]:
        from adapters.analytics.lake_maintenance import facts_of

        with _told():
            return [asdict(facts_of(definition.name, table)) for definition, table in self._lake.tables(self._definitions)]

    def passed(self) -> dict[tuple[str, int], int]:
        """Returns what the lake holds of each topic's partitions: the offset behind it, 0 where it has none yet."""
        from adapters.analytics.iceberg import offsets_of
        from adapters.shared.topics import PARTITIONS

        nothing = {(each.topic, partition): 0 for each in self._definitions if each.topic for partition in range(PARTITIONS)}
        with _told():
            return nothing | {
                (definition.topic, partition): offset
                for definition, table in self._lake.tables(self._definitions)
                if definition.topic
                for partition, offset in offsets_of(table).items()
            }

    @contextmanager
    def answer(
        self, sql: str, since: datetime | None, until: datetime | None, organization: str, seconds: float, gigabytes: float
    ) -> Iterator[tuple[list[str], Iterator[tuple[Any, ...]]]]:
        """Yields the columns and the rows as they come."""
        from adapters.analytics.duckdb import FileCache, LakeQueries, Scope

        scope = Scope(_utc(since), _utc(until), organization)
        queries = LakeQueries(self._lake, self._definitions, FileCache(self._cache, int(gigabytes * 1e9)))
        with _told(), queries.answer(sql, scope, seconds) as found:
            rows = (row for batch in found for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))
            yield found.schema.names, rows

    def compact(self, names: Sequence[str]) -> list[dict[str, Any]]:
        from adapters.analytics.lake_maintenance import compact

        def step(name: str) -> dict[str, Any]:
            replaced, by = compact(lambda: self._load(name))
            return {"name": name, "files_replaced": replaced, "by": by}

        return self._each(names, step)

    def expire(self, names: Sequence[str], before: datetime, drop_before: datetime | None) -> list[dict[str, Any]]:
        from adapters.analytics import lake_maintenance as maintenance

        def step(name: str) -> dict[str, Any]:
            def reload() -> "Table":
                return self._load(name)

            day = _utc(drop_before)
            dropped = maintenance.drop_before(reload, day) if day else 0
            snapshots = maintenance.expire(reload, before)
            files, size = maintenance.remove_orphans(reload, before)
            return {"name": name, "dropped_files": dropped, "snapshots": snapshots, "removed_files": files, "removed_bytes": size}

        return self._each(names, step)

    def doctor(self) -> list[dict[str, Any]]:
        from adapters.analytics.lake_maintenance import findings

        return self._each([], lambda name: {"name": name, **findings(self._load(name))})

    def forget(self, organization: str, learner: str) -> bool:
        from sqlalchemy.ext.asyncio import create_async_engine

        from adapters.analytics.lake_secrets import PostgresPseudonyms

        async def work() -> bool:
            dsn = self._settings.dsn("paideia_analytics").replace("postgresql://", "postgresql+asyncpg://", 1)
            engine = create_async_engine(dsn, connect_args={"timeout": 5})
            try:
                return await PostgresPseudonyms(engine, self._settings.secret("lake_key").encode()).forget(organization, learner)
            finally:
                await engine.dispose()

        with _told():
            return asyncio.run(work())

    def _each(self, names: Sequence[str], step: Any) -> list[dict[str, Any]]:
        with _told():
            there = [definition.name for definition, _ in self._lake.tables(self._definitions)]
            if unknown := sorted(set(names) - {each.name for each in self._definitions}):
                raise WrongAnswer(f"there is no table {', '.join(unknown)}")
            return [step(each) for each in there if not names or each in names]

    def _load(self, name: str) -> "Table":
        (_, table), *_ = self._lake.tables([each for each in self._definitions if each.name == name])
        return table


@contextmanager
def _told() -> Iterator[None]:
    from adapters.analytics.duckdb import QueryRefused
    from adapters.analytics.iceberg import TROUBLE
    from adapters.shared.resources import MissingSecret

    try:
        yield
    except QueryRefused as error:
        raise WrongAnswer(str(error)) from error
    except (*TROUBLE, MissingSecret) as error:
        raise LakeAway(str(error)) from error


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None
