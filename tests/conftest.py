"""Real stores, each started once for the run and only when a test asks for it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from tests import stores
from tests.e2e.platform import ROOT, Platform, running_platform

# How long an example takes says more about the machine's other work than about the code.
hypothesis.settings.register_profile("paideia", deadline=None)
hypothesis.settings.load_profile("paideia")

# Servers that run beside a test log while a command's output is being read: standard output is the command's alone.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Workers share the files out; those that look at the whole platform go to one, so that it starts once."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "the platform" if file.startswith("tests/e2e/test_") else file

    return ByFile(config, log)


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


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The whole stack, started once for the run, with the sample course loaded."""
    with running_platform(tmp_path_factory.mktemp("platform")) as platform:
        loaded = platform.paideia("load", "fractions")
        assert loaded.returncode == 0, loaded.stderr
        yield platform


@pytest.fixture(scope="session")
def data() -> Path:
    """Where the response logs are that some tests replay; a test that needs them is skipped where they are not."""
    folder = Path(os.environ.get("PAIDEIA_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "fraction.csv").exists():
        pytest.skip(f"no response logs in {folder}: set PAIDEIA_TEST_DATA")
    return folder
