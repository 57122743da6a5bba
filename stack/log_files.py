"""One log a part, one JSON object a line."""

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import orjson

_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
_LONGEST_LINE = 1 << 20


@dataclass
class PartLog:
    """Turns what a part writes into JSON lines: its own objects pass as they are, other lines become `message`.

    When the file reaches `limit` bytes it is kept as `.1` and begun anew, so a log takes at most twice that.
    """

    path: Path
    part: str
    limit: int = 32 << 20
    _file: BinaryIO | None = field(default=None, repr=False)
    last_line: str = ""
    """What the part said last: the best reason known when it dies."""

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Writes until the stream ends."""
        rest = b""
        while chunk := await stream.read(1 << 16):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines.append(rest)
                rest = b""
            self.write(lines)
        self.write([rest])

    def write(self, lines: list[bytes]) -> None:
        """Appends the lines that are not empty."""
        shown = [line for line in lines if line.strip()]
        if shown:
            self._append(shown)
            self.last_line = _COLOURS.sub(b"", shown[-1]).decode(errors="replace").strip()[:500]

    def _append(self, lines: list[bytes]) -> None:
        if self._file is None:
            self._file = self.path.open("ab")
        elif self._file.tell() > self.limit:
            self._file.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._file = self.path.open("ab")
        self._file.write(b"".join(self._as_json(line) for line in lines))
        self._file.flush()

    def say(self, message: str, **more: object) -> None:
        """Adds a line of the supervisor's own."""
        self._append([orjson.dumps({"time": _now(), "part": self.part, "message": message, **more})])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _as_json(self, line: bytes) -> bytes:
        line = line.strip()
        if line.startswith(b"{") and _is_json(line):
            return line + b"\n"
        text = _COLOURS.sub(b"", line).decode(errors="replace")
        return orjson.dumps({"time": _now(), "part": self.part, "message": text}) + b"\n"


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
