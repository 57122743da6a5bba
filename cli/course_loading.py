"""Brings a course from its files to the platform: creates what is missing, changes what differs, publishes.

It compares before it acts, so it can be cut off at any point and run again. Within a run the client repeats a request under its id.
An id made from the content would be wrong: an edit made, taken back and made again is three requests, not two.
"""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from paideia.catalog.v1 import item_pb2
from paideia.catalog.v1.catalog_service_pb2 import Course, Skill

from cli.api import Api, Json, Refused
from cli.course_format import CourseFiles

_AT_ONCE = {"skills": 1_000, "items": 100}

Named = TypeVar("Named", Skill, item_pb2.Item)


class _RefusedFor(Exception):
    """A refusal of what was sent for these names, in the order of the request."""

    def __init__(self, refusal: Refused, names: Sequence[str]) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.names = names

    def said_of(self, places: Mapping[str, str]) -> Refused:
        """Returns the refusal in the author's terms: `items/add.yaml:12: key.numeric.value: ...`, a fault a line."""
        message = re.sub(
            r"(?:^|; )(?:requests\[(\d+)\]\.)?item(?:\.|_(?=id:))",
            lambda found: f"\n{places[self.names[int(found[1] or 0)]]}: ",
            str(self.refusal),
        )
        return Refused(self.refusal.status, {"message": message.strip(), "details": [{"reason": self.refusal.reason}]})


@dataclass
class Loaded:
    """What loading did, by name."""

    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    publication: int = 0
    published: bool = False

    def as_json(self) -> Json:
        return {
            "created": self.created,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "publication": self.publication,
            "published": self.published,
        }


async def load_course(api: Api, files: CourseFiles, advance: Callable[[int], None]) -> Loaded:
    """Makes the platform hold what the files say. Running it again changes nothing. Raises Refused, CannotReach."""
    loaded = Loaded()
    await _load(api, "skills", files.skills, ("title", "description", "prerequisites"), loaded, advance)
    items = [each.message for each in files.items]
    places = {each.message.name: f"{each.source.file}:{each.source.line}" for each in files.items}
    try:
        await _load(api, "items", items, ("title", "skills", "body", "key"), loaded, advance)
    except _RefusedFor as refused:
        raise refused.said_of(places) from refused.refusal
    await _load_course(api, files.course, loaded)
    try:
        answer = await api.post(f"/v1/{files.course.name}:publish", {"requestId": _new_id()})
        loaded.published, loaded.publication = True, int(answer["publication"])
    except Refused as refusal:
        if refusal.reason != "COURSE_ALREADY_PUBLISHED":
            raise
    return loaded


async def _load(
    api: Api,
    collection: str,
    wanted: Sequence[Named],
    fields: tuple[str, ...],
    loaded: Loaded,
    advance: Callable[[int], None],
) -> None:
    singular = collection.removesuffix("s")
    for batch in _batches(wanted, _AT_ONCE[collection]):
        there = await asyncio.gather(*(_found(api, each) for each in batch))
        missing = [each for each, current in zip(batch, there, strict=True) if current is None]
        if missing:
            requests = [{f"{singular}Id": each.name.partition("/")[2], singular: _json(each)} for each in missing]
            created: Json = {"requests": requests}
            with _naming(missing):
                await api.post(f"/v1/{collection}:batchCreate", {"requestId": _new_id(), **created})
            loaded.created += [each.name for each in missing]
        for each, current in zip(batch, there, strict=True):
            if current is None:
                continue
            differing = [name for name in fields if getattr(current, name) != getattr(each, name)]
            if differing:
                body: Json = {singular: _json(each), "updateMask": ",".join(differing)}
                if isinstance(current, item_pb2.Item):
                    body[singular]["revision"] = str(current.revision)
                with _naming([each]):
                    await api.patch(f"/v1/{each.name}", {"requestId": _new_id(), **body})
                loaded.changed.append(each.name)
            else:
                loaded.unchanged += 1
        advance(len(batch))


@contextmanager
def _naming(sent: Sequence[Named]) -> Iterator[None]:
    try:
        yield
    except Refused as refusal:
        if refusal.status != 400 or isinstance(sent[0], Skill):
            raise
        raise _RefusedFor(refusal, [each.name for each in sent]) from refusal


async def _found(api: Api, wanted: Named) -> Named | None:
    """Returns what the platform has under the name, or None."""
    try:
        return ParseDict(await api.get(f"/v1/{wanted.name}"), type(wanted)(), ignore_unknown_fields=True)
    except Refused as refusal:
        if refusal.status != 404:
            raise
        return None


async def _load_course(api: Api, wanted: Course, loaded: Loaded) -> None:
    try:
        current = ParseDict(await api.get(f"/v1/{wanted.name}"), Course(), ignore_unknown_fields=True)
    except Refused as refusal:
        if refusal.status != 404:
            raise
        body = {"courseId": wanted.name.partition("/")[2], "course": _json(wanted)}
        await api.post("/v1/courses", {"requestId": _new_id(), **body})
        loaded.created.append(wanted.name)
        return
    loaded.publication = current.publication
    differing = [name for name in ("title", "description", "skills") if getattr(current, name) != getattr(wanted, name)]
    if differing:
        body = {"course": _json(wanted), "updateMask": ",".join(differing)}
        await api.patch(f"/v1/{wanted.name}", {"requestId": _new_id(), **body})
        loaded.changed.append(wanted.name)
    else:
        loaded.unchanged += 1


def _new_id() -> str:
    return str(uuid4())


def _json(message: Message) -> Json:
    fields: Json = MessageToDict(message)
    return fields


def _batches(elements: Sequence[Named], size: int) -> Iterator[Sequence[Named]]:
    for start in range(0, len(elements), size):
        yield elements[start : start + size]
