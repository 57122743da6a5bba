"""`python -m stack.objects_server`: nanio, which is the S3 of the stack, with the conditional writes that it lacks.

The broker writes where each partition ends by "create, if it is not there" and "replace, if nobody has since". A server that takes such a
write without looking makes a restarted broker begin every partition at zero again, over the records that it had acknowledged.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import uvicorn
from nanio.app import build_app
from nanio.auth.credentials import EnvCredentialResolver
from nanio.config import Settings
from nanio.errors import NoSuchKey, PreconditionFailed, S3Error
from nanio.storage.backend import ListResult, ObjectInfo
from nanio.storage.filesystem import FilesystemStorage
from nanio.storage.metadata import synthesize_metadata_from_stat
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stack.aws_chunks import AwsChunks
from stack.folder_listings import UNFINISHED, FolderListings
from stack.folder_markers import FolderMarkers


class SoundStorage(FilesystemStorage):  # type: ignore[misc]
    """Believes an object rather than the description beside it, which is written a moment later: a kill may fall between the two."""

    def _read_or_synthesize_metadata(self, bucket: str, key: str, opath: Path) -> ObjectInfo:
        info = super()._read_or_synthesize_metadata(bucket, key, opath)
        return info if info.size == opath.stat().st_size else synthesize_metadata_from_stat(opath, key)

    def list_objects(self, bucket: str, **options: Any) -> ListResult:
        """Leaves out objects that are still being written: the broker takes every name in a listing for one of its own."""
        listed = super().list_objects(bucket, **options)
        listed.contents[:] = [each for each in listed.contents if not each.key.rpartition("/")[2].startswith(UNFINISHED)]
        return listed


class ConditionalWrites:
    """Honours `If-None-Match: *` and `If-Match: etag` on PUT. Writes of one object take turns, so that looking and writing are one step."""

    def __init__(self, app: ASGIApp, storage: FilesystemStorage) -> None:
        self._app = app
        self._storage = storage
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("PUT", "DELETE", "POST"):
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        turn = self._turns.setdefault(path, asyncio.Lock())
        async with turn:
            refusal = self._refusal(Request(scope), path)
            if refusal is None:
                await self._app(scope, receive, send)
                return
            # The refused body is read, or the connection's next request would begin in the middle of it.
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                pass
            await refusal(scope, receive, send)

    def _refusal(self, request: Request, path: str) -> Response | None:
        absent, same = request.headers.get("if-none-match"), request.headers.get("if-match")
        if request.method != "PUT" or (absent is None and same is None):
            return None
        bucket, _, key = path.lstrip("/").partition("/")
        try:
            current = self._storage.head_object(bucket, key).etag.strip('"')
        except NoSuchKey as error:
            return _xml(error) if same is not None else None
        expected = (same or "").strip('"')
        if absent is not None or expected not in ("*", current):
            return _xml(PreconditionFailed(resource=path))
        return None


def _xml(error: S3Error) -> Response:
    return Response(error.to_xml(), error.http_status, media_type="application/xml")


def main() -> None:
    """Arguments: data directory, port. The keys come in NANIO_ACCESS_KEY and NANIO_SECRET_KEY."""
    directory, port = Path(sys.argv[1]), int(sys.argv[2])
    app = build_app(Settings(data_dir=directory.resolve(), host="127.0.0.1", port=port, credentials=EnvCredentialResolver()))
    app.state.storage = SoundStorage(directory.resolve())
    # Last: inside the check of the signature.
    app.user_middleware.append(Middleware(ConditionalWrites, storage=app.state.storage))
    app.user_middleware += [
        Middleware(AwsChunks),
        Middleware(FolderMarkers),
        Middleware(FolderListings, directory=directory.resolve()),
    ]
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
