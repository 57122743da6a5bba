"""An edge that is about to stop: nobody notices."""

import importlib.util
import threading
import time
from pathlib import Path

import httpx

from tests.edge.conftest import Front
from tests.edge.proxy import ROOT, edge, eventually
from tests.edge.upstream import CONTEXTS

FLAGS = ("--drain-time-s", "30", "--drain-strategy", "immediate")
_SPEC = importlib.util.spec_from_file_location("k8s_drain", ROOT / "k8s" / "drain.py")
assert _SPEC
assert _SPEC.loader
DRAIN = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(DRAIN)


def test_it_serves_until_load_balancers_know_then_sends_every_client_elsewhere(front: Front, tmp_path: Path) -> None:
    with (
        edge(tmp_path, dict.fromkeys(CONTEXTS, front.upstream.address), flags=FLAGS) as leaving,
        httpx.Client(base_url=leaving.url, timeout=10) as rest,
    ):
        eventually(lambda: rest.get("/v1/me", headers=front.bearer()).status_code == 200)
        draining = threading.Thread(target=DRAIN.drain, args=(1.0, 5.0, f"http://{leaving.admin}", 1.0))
        draining.start()
        served = []
        while draining.is_alive():
            served.append(rest.get("/v1/me", headers=front.bearer()))
            time.sleep(0.05)
        draining.join()
        # The client hears that it should come again, which it does as long as the door is open.
        served.append(rest.get("/v1/me", headers=front.bearer()))
    assert {answer.status_code for answer in served} == {200}
    assert "connection" not in served[0].headers
    assert served[-1].headers["connection"] == "close"
