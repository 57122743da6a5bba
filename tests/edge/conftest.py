"""One upstream and one Envoy for the run; tests that stop or strain them start their own."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.edge.proxy import Edge, edge, eventually
from tests.edge.upstream import CONTEXTS, Signer, Upstream, upstream


@dataclass(frozen=True)
class Front:
    """The edge, what stands behind it, and a REST client without a token."""

    edge: Edge
    upstream: Upstream
    rest: httpx.Client

    def bearer(self, *roles: str, **changes: object) -> dict[str, str]:
        return {"authorization": f"Bearer {self.upstream.signer.token(*roles, **changes)}"}  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    with (
        upstream(Signer()) as behind,
        edge(tmp_path_factory.mktemp("edge"), dict.fromkeys(CONTEXTS, behind.address)) as before,
        httpx.Client(base_url=before.url, timeout=20) as rest,
    ):
        front = Front(before, behind, rest)
        eventually(lambda: rest.get("/v1/me", headers=front.bearer()).status_code == 200)
        yield front
