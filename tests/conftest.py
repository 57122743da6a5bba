"""Real stores, each started once for the run and only when a test asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import stores


@pytest.fixture(scope="session")
def store_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="session")
def postgres(store_directory: Path) -> Iterator[stores.PostgresServer]:
    """`.dsn("paideia_catalog")`, `.owner_dsn`, `.superuser_dsn`: migrated for every context that has migrations."""
    with stores.postgres_server(store_directory) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_url(store_directory: Path) -> Iterator[str]:
    with stores.valkey_server(store_directory) as url:
        yield url


@pytest.fixture(scope="session")
def kafka_bootstrap(store_directory: Path) -> Iterator[str]:
    with stores.kafka_broker(store_directory) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def s3(store_directory: Path) -> Iterator[stores.S3]:
    with stores.s3_server(store_directory) as server:
        yield server
