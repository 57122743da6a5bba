"""Listings of the S3 of the stack that are answered from memory."""

import os
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stack.folder_listings import FolderListings

NAMES = st.sampled_from(["0001.batch", "0002.batch", "a&b", "z<", "ä"])


async def _passed_on(request: Request) -> Response:
    return Response("passed on", 299)


def listings(directory: Path) -> httpx.AsyncClient:
    app = FolderListings(Starlette(routes=[Route("/{path:path}", _passed_on)]), directory)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://objects")


async def listed(client: httpx.AsyncClient, **query: str) -> tuple[dict[str, int], str | None]:
    """The keys of a page with their sizes, and where the next page begins."""
    answer = await client.get("/events", params={"list-type": "2", "prefix": "topic/"} | query)
    assert answer.status_code == 200
    page = ElementTree.fromstring(answer.content)
    space = "{http://s3.amazonaws.com/doc/2006-03-01/}"
    contents = page.findall(f"{space}Contents")
    assert page.findtext(f"{space}KeyCount") == str(len(contents))
    sizes = {each.findtext(f"{space}Key") or "": int(each.findtext(f"{space}Size") or -1) for each in contents}
    token = page.findtext(f"{space}NextContinuationToken")
    assert page.findtext(f"{space}IsTruncated") == ("true" if token else "false")
    return sizes, token


def on_disk(folder: Path) -> dict[str, int]:
    return {f"topic/{each.name}": each.stat().st_size for each in sorted(folder.iterdir()) if not each.name.startswith(".")}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.tuples(NAMES, st.integers(-1, 3), st.booleans()), min_size=1, max_size=12))
async def test_a_listing_is_what_the_folder_holds_whatever_happens_to_it(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, int, bool]]
) -> None:
    directory = tmp_path_factory.mktemp("objects")
    folder = directory / "events" / "topic"
    folder.mkdir(parents=True)
    async with listings(directory) as client:
        for name, size, long_ago in acts:
            if size < 0:
                (folder / name).unlink(missing_ok=True)
            else:
                (folder / ".tmp.1").write_bytes(b"x" * size)
                os.replace(folder / ".tmp.1", folder / name)
            if long_ago:
                # As if nothing had changed for a second: what is known is now believed.
                os.utime(folder, ns=(0, folder.stat().st_mtime_ns - 10**9))
            assert (await listed(client))[0] == on_disk(folder)
            assert (await listed(client))[0] == on_disk(folder)


async def test_an_unchanged_folder_is_not_looked_through_again(tmp_path: Path) -> None:
    folder = tmp_path / "events" / "topic"
    folder.mkdir(parents=True)
    (folder / "1").write_bytes(b"one")
    os.utime(folder, ns=(0, 10**18))
    async with listings(tmp_path) as client:
        assert (await listed(client))[0] == {"topic/1": 3}
        # Nobody writes into an object: this shows that it was not looked at.
        (folder / "1").write_bytes(b"longer")
        assert (await listed(client))[0] == {"topic/1": 3}


async def test_the_pages_of_a_long_folder_are_the_whole(tmp_path: Path) -> None:
    folder = tmp_path / "events" / "topic"
    folder.mkdir(parents=True)
    for number in range(25):
        (folder / f"{number:04}").write_bytes(b"x" * number)
    async with listings(tmp_path) as client:
        first, token = await listed(client, **{"max-keys": "10"})
        second, token = await listed(client, **{"max-keys": "10", "continuation-token": token or ""})
        third, token = await listed(client, **{"max-keys": "10", "continuation-token": token or ""})
        assert token is None
        assert [len(first), len(second), len(third)] == [10, 10, 5]
        assert first | second | third == on_disk(folder)
        assert list((await listed(client, **{"start-after": "topic/0021"}))[0]) == ["topic/0022", "topic/0023", "topic/0024"]


@pytest.mark.parametrize(
    "query",
    [
        {"prefix": "topic/"},
        {"list-type": "2", "prefix": "topic"},
        {"list-type": "2", "prefix": "topic/", "delimiter": "/"},
        {"list-type": "2", "prefix": "topic/", "encoding-type": "url"},
        {"list-type": "2", "prefix": "topic/", "max-keys": "-1"},
        {"list-type": "2", "prefix": "topic/../../"},
        {"list-type": "2", "prefix": "absent/"},
        {"list-type": "2", "prefix": "nested/"},
    ],
    ids=lambda query: "&".join(query) + "-" + query["prefix"],
)
async def test_other_questions_are_passed_on(tmp_path: Path, query: dict[str, str]) -> None:
    (tmp_path / "events" / "topic").mkdir(parents=True)
    (tmp_path / "events" / "nested" / "deeper").mkdir(parents=True)
    async with listings(tmp_path) as client:
        assert (await client.get("/events", params=query)).status_code == 299
