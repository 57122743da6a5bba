"""Services that are away, come late, come back; keys that change."""

from pathlib import Path

import httpx

from tests.edge.conftest import Front
from tests.edge.proxy import edge, eventually, free_port
from tests.edge.upstream import CONTEXTS, Signer, upstream


def test_keys_are_learned_when_identity_comes_late_and_when_they_change(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    signer = Signer()
    with edge(tmp_path, dict.fromkeys(CONTEXTS, address)) as before, httpx.Client(base_url=before.url, timeout=20) as rest:
        # Nobody is there yet: what needs no token is unavailable, what needs one cannot be verified.
        away = rest.post("/v1/sessions:signIn", json={})
        assert (away.status_code, away.json()["code"], away.headers["retry-after"]) == (503, 14, "1")
        assert "127.0.0.1" not in away.text
        assert rest.get("/v1/me", headers={"authorization": f"Bearer {signer.token()}"}).status_code == 401
        assert eventually(lambda: rest.get("/readyz").status_code == 503)
        assert rest.get("/healthz").status_code == 200

        def welcome() -> bool:
            return rest.get("/v1/me", headers={"authorization": f"Bearer {signer.token()}"}).status_code == 200

        with upstream(signer, address):
            eventually(welcome)
            eventually(lambda: rest.get("/readyz").status_code == 200)
            old = signer.token()
            signer.rotate()
            eventually(welcome)
            assert rest.get("/v1/me", headers={"authorization": f"Bearer {old}"}).status_code == 200
        # Known keys go on serving while identity is away.
        eventually(lambda: rest.get("/v1/me", headers={"authorization": f"Bearer {old}"}).status_code == 503)
        # The process comes back on its port, and the edge goes on with it.
        with upstream(signer, address):
            eventually(welcome)


def test_an_absent_service_is_503_in_json_and_its_neighbours_serve(front: Front, tmp_path: Path) -> None:
    targets = dict.fromkeys(CONTEXTS, front.upstream.address) | {"catalog": f"127.0.0.1:{free_port()}"}
    with edge(tmp_path, targets) as before, httpx.Client(base_url=before.url, timeout=20) as rest:
        eventually(lambda: rest.get("/v1/me", headers=front.bearer()).status_code == 200)
        for reply in (
            rest.get("/v1/courses/sql", headers=front.bearer()),
            rest.patch("/v1/courses/sql", headers=front.bearer("AUTHOR"), json={}),
        ):
            assert (reply.status_code, reply.json()["code"]) == (503, 14)
            assert reply.json()["details"][1]["retryDelay"] == "1s"
            assert reply.headers["content-type"] == "application/json"
        assert rest.get("/v1/me", headers=front.bearer()).status_code == 200


def test_with_one_process_of_two_gone_every_call_still_succeeds(front: Front, tmp_path: Path) -> None:
    targets: dict[str, object] = dict.fromkeys(CONTEXTS, front.upstream.address)
    both = {**targets, "catalog": [f"127.0.0.1:{free_port()}", front.upstream.address]}
    with (
        edge(tmp_path, {}, settings={"targets": both}) as before,
        httpx.Client(base_url=before.url, timeout=20) as rest,
    ):
        eventually(lambda: rest.get("/v1/me", headers=front.bearer()).status_code == 200)
        reads = {rest.get("/v1/courses/sql", headers=front.bearer()).status_code for _ in range(30)}
        writes = {rest.patch("/v1/courses/sql", headers=front.bearer("AUTHOR"), json={}).status_code for _ in range(30)}
        assert (reads, writes) == ({200}, {200})
