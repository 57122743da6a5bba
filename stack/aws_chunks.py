"""Unwraps uploads that come in `aws-chunked` frames with a checksum behind them, as Amazon's newer clients send them by default.

The S3 of the stack takes the frames for the object's own bytes otherwise. The checksum, which is there against networks, is not looked at.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_UNSIGNED_WITH_TRAILER = b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_LONGEST_LINE = 4096


class AwsChunks:
    """Passes on the bytes of each frame: `<length in hexadecimal digits>[;extension]\\r\\n<bytes>\\r\\n`, until one of length zero."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and dict(scope["headers"]).get(b"x-amz-content-sha256") == _UNSIGNED_WITH_TRAILER:
            receive = _Unwrapped(receive)
        await self._app(scope, receive, send)


class _Unwrapped:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._buffer = bytearray()
        self._left = 0
        self._ended = False

    async def __call__(self) -> Message:
        plain = bytearray()
        while not plain and not self._ended:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._buffer += message.get("body", b"")
            self._unwrap(plain)
            if not self._ended and not message.get("more_body"):
                return {"type": "http.disconnect"}  # it broke off: what came is not the object
        return {"type": "http.request", "body": bytes(plain), "more_body": not self._ended}

    def _unwrap(self, plain: bytearray) -> None:
        """Moves what is known to be the object's from the buffer."""
        while not self._ended:
            if self._left > 2:
                taken = self._buffer[: self._left - 2]
                if not taken:
                    return
                plain += taken
                del self._buffer[: len(taken)]
                self._left -= len(taken)
            elif self._left:  # the line end behind a frame
                if len(self._buffer) < self._left:
                    return
                del self._buffer[: self._left]
                self._left = 0
            else:
                end = self._buffer.find(b"\r\n", 0, _LONGEST_LINE)
                if end < 0:
                    return
                length = int(bytes(self._buffer[:end]).partition(b";")[0], 16)
                del self._buffer[: end + 2]
                self._ended = length == 0
                self._left = length + 2
