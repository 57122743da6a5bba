"""Lakes for tests: each in a namespace of its own below the run's bucket, and rows to put into them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import UUID, uuid4

from adapters.analytics.iceberg import IcebergLake
from domain.analytics.lake import Row

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)


def properties(postgres, s3, folder: str) -> dict[str, str]:
    dsn = postgres.dsn("paideia_analytics").replace("postgresql://", "postgresql+psycopg2://", 1)
    return {
        "type": "sql",
        "uri": f"{dsn}?options={quote('-c search_path=lake_catalog', safe='')}",
        "init_catalog_tables": "false",
        "warehouse": f"s3://{s3.bucket}/{folder}",
        "s3.endpoint": s3.endpoint,
        "s3.region": s3.region,
        "s3.access-key-id": s3.access_key,
        "s3.secret-access-key": s3.secret_key,
    }


def lake_of(postgres, s3) -> IcebergLake:
    """A lake that no other test sees."""
    folder = f"lake-{uuid4().hex[:12]}"
    return IcebergLake(properties(postgres, s3, folder), name=folder)


def session(number: int, *, organization: str = "north", time: datetime = NOW, **columns: object) -> Row:
    """A row of `sessions`; the same number is the same event."""
    return {
        "event_id": str(UUID(int=number, version=4)),
        "organization": organization,
        "time": time,
        "learner": f"{number % 7:032x}",
        "sent_at": time,
        "session": f"s{number}",
        "phase": "started",
        "client_sequence": number,
    } | columns


def sessions(numbers: Sequence[int], **columns: object) -> list[Row]:
    return [session(each, **columns) for each in numbers]  # type: ignore[arg-type]


def days_ago(days: int) -> datetime:
    return NOW - timedelta(days=days)
