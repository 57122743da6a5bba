"""Browsers on the pages of organizations, which choose from where their tokens may be used."""

import time
from pathlib import Path

import httpx
import pytest

from tests.edge.conftest import Front
from tests.edge.proxy import edge, eventually, free_port
from tests.edge.upstream import CONTEXTS, Signer, upstream

PAGE = "https://learn.north.test"
ASKED = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}


@pytest.fixture(scope="module", autouse=True)
def identity_answers(front: Front) -> None:
    """A question that identity did not answer is put again after a second, and what ran before may have kept identity from answering."""
    eventually(lambda: front.rest.options("/v1/courses/sql", headers=ASKED | {"origin": PAGE}).status_code == 204)


def test_a_preflight_from_a_page_of_some_organization_is_answered(front: Front) -> None:
    reply = front.rest.options("/v1/courses/sql", headers=ASKED | {"origin": PAGE})
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (204, PAGE)
    assert "authorization" in reply.headers["access-control-allow-headers"]
    assert "origin" in reply.headers["vary"]


def test_an_answer_is_readable_with_a_token_of_the_organization_whose_page_it_is(front: Front) -> None:
    own = front.rest.get("/v1/courses/sql", headers=front.bearer(org="north") | {"origin": PAGE})
    assert (own.status_code, own.headers["access-control-allow-origin"]) == (200, PAGE)
    other = front.rest.get("/v1/courses/sql", headers=front.bearer(org="south") | {"origin": PAGE})
    assert "access-control-allow-origin" not in other.headers


def test_a_page_may_sign_in_and_read_refusals(front: Front) -> None:
    body = {"organization": "organizations/north", "login": "ada", "password": "wrong"}
    assert (
        front.rest.post("/v1/sessions:signIn", json=body, headers={"origin": PAGE}).headers["access-control-allow-origin"] == PAGE
    )
    assert front.rest.get("/v1/me", headers={"origin": PAGE}).headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "https://learn.north.test.evil.test", "https://x y", "file://"])
def test_other_origins_get_no_permission(front: Front, origin: str) -> None:
    assert "access-control-allow-origin" not in front.rest.options("/v1/courses/sql", headers=ASKED | {"origin": origin}).headers
    reply = front.rest.get("/v1/courses/sql", headers=front.bearer() | {"origin": origin})
    assert (reply.status_code, reply.headers.get("access-control-allow-origin")) == (200, None)


def test_identity_is_asked_once_for_an_origin(front: Front) -> None:
    before = front.upstream.seen.origins.count(PAGE)
    for _ in range(5):
        front.rest.get("/v1/courses/sql", headers=front.bearer() | {"origin": PAGE})
    assert front.upstream.seen.origins.count(PAGE) <= before + 1


def test_what_cannot_be_an_origin_is_not_even_asked_for(front: Front) -> None:
    front.rest.get("/v1/courses/sql", headers=front.bearer() | {"origin": "https://x.test/path?a=b"})
    assert "https://x.test/path?a=b" not in front.upstream.seen.origins


def test_a_page_that_was_known_stays_so_while_identity_is_away(front: Front, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    targets = dict.fromkeys(CONTEXTS, front.upstream.address) | {"identity": address}

    def preflight(origin: str) -> int:
        return rest.options("/v1/courses/sql", headers=ASKED | {"origin": origin}).status_code

    with (
        edge(tmp_path, targets, settings={"origins_seconds": 1}) as before,
        httpx.Client(base_url=before.url, timeout=20) as rest,
    ):
        with upstream(Signer(), address) as identity:
            eventually(lambda: preflight(PAGE) == 204)
            # It is asked again and again for what it may have changed its mind about.
            eventually(lambda: preflight(PAGE) == 204 and identity.seen.origins.count(PAGE) >= 3)
        # Long enough for questions that nobody answers.
        for _ in range(10):
            assert preflight(PAGE) == 204
            time.sleep(0.3)
