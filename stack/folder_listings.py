"""Answers listings of folders that hold objects only, from memory as long as nothing in the folder changed.

The broker lists a partition's records at every read. The S3 of the stack would look at every object, and at a description beside it, each
time; and it would name objects that are still being written, which the broker takes for its own.
"""

import os
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from nanio.storage.paths import object_path
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

UNFINISHED, INTERNAL = ".tmp.", ".nanio"

_KNOWN_FOLDERS = 256
_MOST_KEYS = 1_000
# The clock of a file system ticks every few milliseconds: of what changed a moment ago, it may be that more changes within the same tick.
_SETTLED_NANOSECONDS = 50_000_000
# What this answers: a plain second version of the listing, as those ask for it who need neither descriptions nor folders.
_UNDERSTOOD = {"list-type", "prefix", "max-keys", "start-after", "continuation-token"}


class FolderListings:
    def __init__(self, app: ASGIApp, directory: Path) -> None:
        self._app = app
        self._directory = directory
        self._folders: OrderedDict[Path, _Folder] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = self._page(scope) if scope["type"] == "http" and scope["method"] == "GET" else None
        if page is None:
            await self._app(scope, receive, send)
        else:
            await Response(page, media_type="application/xml")(scope, receive, send)

    def _page(self, scope: Scope) -> bytes | None:
        """The page that is asked for; None for any other question, and for a folder that holds folders."""
        bucket = scope["path"].strip("/")
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        prefix, most = query.get("prefix", ""), query.get("max-keys", str(_MOST_KEYS))
        if (
            "/" in bucket
            or not prefix.endswith("/")
            or "list-type" not in query
            or query.keys() - _UNDERSTOOD
            or not most.isdecimal()
        ):
            return None
        try:
            path = object_path(self._directory, bucket, prefix.rstrip("/"))
        except ValueError:
            return None
        folder = self._folders.pop(path, None) or _Folder(path, prefix)
        if not folder.look():
            return None
        self._folders[path] = folder
        if len(self._folders) > _KNOWN_FOLDERS:
            self._folders.popitem(last=False)
        after = query.get("continuation-token") or query.get("start-after", "")
        return folder.page(bucket, after, min(int(most), _MOST_KEYS))


@dataclass(slots=True)
class _Folder:
    """A folder as it was found, and the pages that were made of it since."""

    path: Path
    prefix: str
    changed_at: int = -1
    keys: list[str] = field(default_factory=list)
    contents: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    pages: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def look(self) -> bool:
        """Finds out what has changed. Returns whether it is a folder without folders in it."""
        now = time_ns()
        try:
            changed_at = os.stat(self.path).st_mtime_ns
            if changed_at == self.changed_at:
                return True
            with os.scandir(self.path) as entries:
                found = [each for each in entries if not each.name.startswith((UNFINISHED, INTERNAL))]
                if any(each.is_dir(follow_symlinks=False) for each in found):
                    return False
        except (FileNotFoundError, NotADirectoryError):
            return False
        known, self.contents = self.contents, {}
        for each in found:
            try:
                facts = each.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            key, known_as = self.prefix + each.name, known.get(self.prefix + each.name)
            if known_as is None or known_as[:2] != (facts.st_size, facts.st_mtime_ns):
                known_as = facts.st_size, facts.st_mtime_ns, _content(key, facts)
            self.contents[key] = known_as
        self.keys = sorted(self.contents)
        self.pages = {}
        self.changed_at = changed_at if now - changed_at > _SETTLED_NANOSECONDS else -1
        return True

    def page(self, bucket: str, after: str, most: int) -> bytes:
        """Keys that come after the given one, in the order of their code points."""
        if (page := self.pages.get((after, most))) is None:
            first = bisect_right(self.keys, after) if after else 0
            keys = self.keys[first : first + most]
            more = first + len(keys) < len(self.keys)
            page = self.pages[after, most] = "".join(
                (
                    '<?xml version="1.0" encoding="UTF-8"?>',
                    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
                    f"<Name>{escape(bucket)}</Name><Prefix>{escape(self.prefix)}</Prefix>",
                    f"<MaxKeys>{most}</MaxKeys><KeyCount>{len(keys)}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>",
                    f"<NextContinuationToken>{escape(keys[-1])}</NextContinuationToken>" if more and keys else "",
                    *(self.contents[key][2] for key in keys),
                    "</ListBucketResult>",
                )
            ).encode()
        return page


def _content(key: str, facts: os.stat_result) -> str:
    """An object as a listing names it. Its ETag is not known: it stands in the description."""
    changed_at = datetime.fromtimestamp(facts.st_mtime, UTC)
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{changed_at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        f'<ETag>""</ETag><Size>{facts.st_size}</Size><StorageClass>STANDARD</StorageClass></Contents>'
    )
