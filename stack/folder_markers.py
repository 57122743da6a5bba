"""Takes empty objects whose names end in `/`, by which some clients (Arrow's, after each deletion) say that there is a folder.

The S3 of the stack has no such names: its folders are there as long as something is in them, so there is nothing to keep.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_ETAG_OF_NOTHING = '"d41d8cd98f00b204e9800998ecf8427e"'


class FolderMarkers:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, _, key = scope.get("path", "").lstrip("/").partition("/")
        if scope["type"] == "http" and scope["method"] == "PUT" and key.endswith("/"):
            # With something in it, it is no marker, and its name cannot be kept.
            kept = (
                Response(status_code=400)
                if await Request(scope, receive).body()
                else Response(headers={"ETag": _ETAG_OF_NOTHING})
            )
            await kept(scope, receive, send)
            return
        await self._app(scope, receive, send)
