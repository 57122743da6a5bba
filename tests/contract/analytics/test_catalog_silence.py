"""The lake's catalog over a network that acknowledges all and brings nothing: a call ends by itself, the next gets a new connection."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from adapters.analytics import catalog_connections
from adapters.analytics.iceberg import IcebergLake
from domain.analytics.lake import TABLES
from domain.shared.errors import Unavailable
from tests.contract.analytics.lakes import lake_of, properties
from tests.fault.network import Proxy, Weather


@pytest.fixture
def network(postgres) -> Iterator[Proxy]:
    with Proxy(urlsplit(postgres.superuser_dsn).port or 0) as proxy:
        yield proxy


@pytest.fixture
def lake(postgres, s3, network: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[IcebergLake]:
    """One whose catalog is behind the proxy and may take a second to answer."""
    near = lake_of(postgres, s3)
    near.table(TABLES[0])
    told = properties(postgres, s3, near.name)
    told["uri"] = told["uri"].replace(f":{urlsplit(postgres.superuser_dsn).port}/", f":{network.port}/")
    monkeypatch.setattr(catalog_connections.bound_waiting, "__defaults__", (1.0,))
    yield IcebergLake(told, name=near.name)
    monkeypatch.undo()
    catalog_connections.bound_waiting()


def test_a_call_on_a_connection_that_died_silently_is_refused_and_the_next_succeeds(lake: IcebergLake, network: Proxy) -> None:
    assert len(lake.tables([TABLES[0]])) == 1
    with network.weather(Weather.SILENT):
        pass
    with pytest.raises(Unavailable):
        lake.tables([TABLES[0]])
    assert len(lake.tables([TABLES[0]])) == 1


def test_connecting_over_a_silent_network_ends_by_itself(lake: IcebergLake, network: Proxy) -> None:
    with network.weather(Weather.SILENT), pytest.raises(Unavailable):
        lake.tables([TABLES[0]])
    assert len(lake.tables([TABLES[0]])) == 1
