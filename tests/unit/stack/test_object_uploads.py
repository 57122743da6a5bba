"""Uploads to the S3 of the stack in the forms that Amazon's newer clients use."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from stack.aws_chunks import AwsChunks
from stack.folder_markers import FolderMarkers

UNSIGNED = {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}


async def _echo(request: Request) -> Response:
    return Response(await request.body())


ECHO = Starlette(routes=[Route("/{path:path}", _echo, methods=["PUT"])])


async def put(app, path: str, parts: list[bytes], headers: dict[str, str]) -> httpx.Response:
    async def body():
        for part in parts:
            yield part

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://objects") as client:
        return await client.put(path, content=body(), headers=headers)


def framed(chunks: list[bytes]) -> bytes:
    frames = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    return frames + b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(1, 60))
async def test_an_object_is_what_the_frames_hold_however_they_are_cut(chunks: list[bytes], size: int) -> None:
    sent = framed(chunks)
    parts = [sent[start : start + size] for start in range(0, len(sent), size)]
    answer = await put(AwsChunks(ECHO), "/bucket/key", parts, UNSIGNED)
    assert answer.content == b"".join(chunks)


async def test_other_uploads_pass_as_they_are() -> None:
    assert (await put(AwsChunks(ECHO), "/bucket/key", [b"3\r\nabc\r\n"], {})).content == b"3\r\nabc\r\n"


async def test_an_upload_that_breaks_off_is_no_object() -> None:
    with pytest.raises(ClientDisconnect):
        await put(AwsChunks(ECHO), "/bucket/key", [framed([b"abcdef"])[:5]], UNSIGNED)


async def test_an_empty_object_that_stands_for_a_folder_is_taken_and_a_full_one_refused() -> None:
    assert (await put(FolderMarkers(ECHO), "/bucket/folder/", [], {})).headers["etag"] == '"d41d8cd98f00b204e9800998ecf8427e"'
    assert (await put(FolderMarkers(ECHO), "/bucket/folder/", [b"x"], {})).status_code == 400
    assert (await put(FolderMarkers(ECHO), "/bucket/file", [b"x"], {})).content == b"x"
