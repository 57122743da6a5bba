"""Brings a course from its files to the platform: creates what is missing, changes what differs, publishes."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID, uuid5

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from paideia.catalog.v1 import item_pb2
from paideia.catalog.v1.catalog_service_pb2 import Course, Skill

from cli.api import Api, Json, Refused
from cli.course_format import CourseFiles

_NAMESPACE = UUID("6f1d2a54-3c11-4a0e-9a26-0a1d8b3f5c77")
_BATCH = 100

Named = TypeVar("Named", Skill, item_pb2.Item)


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
    await _load(api, "items", items, ("title", "skills", "body", "key"), loaded, advance)
    await _load_course(api, files.course, loaded)
    try:
        # The number in the request id lets a later edit be published, and a repeated request not be published twice.
        body = {"name": files.course.name, "after": loaded.publication, "changes": loaded.created + loaded.changed}
        answer = await api.post(f"/v1/{files.course.name}:publish", {"requestId": _request_id(api, "publish", body)})
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
    kind, singular = type(wanted[0]) if wanted else Skill, collection.removesuffix("s")
    for batch in _batches(wanted):
        there = {each.name: await _found(api, kind, each.name) for each in batch}
        missing = [each for each in batch if there[each.name] is None]
        if missing:
            requests = [{f"{singular}Id": each.name.partition("/")[2], singular: _json(each)} for each in missing]
            body = {"requests": requests}
            await api.post(f"/v1/{collection}:batchCreate", {"requestId": _request_id(api, collection, body), **body})
            loaded.created += [each.name for each in missing]
        for each in batch:
            current = there[each.name]
            if current is None:
                continue
            differing = [name for name in fields if getattr(current, name) != getattr(each, name)]
            if differing:
                body = {singular: _json(each), "updateMask": ",".join(differing)}
                if isinstance(current, item_pb2.Item):
                    body[singular]["revision"] = str(current.revision)
                # The state it changes is in the id: the same change back and forth is another request each time.
                request_id = _request_id(api, "update", {**body, "from": _json(current)})
                await api.patch(f"/v1/{each.name}", {"requestId": request_id, **body})
                loaded.changed.append(each.name)
            else:
                loaded.unchanged += 1
        advance(len(batch))


async def _found(api: Api, kind: Callable[[], Named], name: str) -> Named | None:
    try:
        return ParseDict(await api.get(f"/v1/{name}"), kind(), ignore_unknown_fields=True)
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
        await api.post("/v1/courses", {"requestId": _request_id(api, "course", body), **body})
        loaded.created.append(wanted.name)
        return
    loaded.publication = current.publication
    differing = [name for name in ("title", "description", "skills") if getattr(current, name) != getattr(wanted, name)]
    if differing:
        body = {"course": _json(wanted), "updateMask": ",".join(differing)}
        request_id = _request_id(api, "update", {**body, "from": _json(current)})
        await api.patch(f"/v1/{wanted.name}", {"requestId": request_id, **body})
        loaded.changed.append(wanted.name)
    else:
        loaded.unchanged += 1


def _request_id(api: Api, what: str, body: Json) -> str:
    """The same request has the same id whenever it is sent, so that a command that was cut off can be repeated."""
    content = json.dumps([api.access.organization, what, body], sort_keys=True)
    return str(uuid5(_NAMESPACE, content))


def _json(message: Message) -> Json:
    fields: Json = MessageToDict(message)
    return fields


def _batches(elements: Sequence[Named]) -> Iterator[Sequence[Named]]:
    for start in range(0, len(elements), _BATCH):
        yield elements[start : start + _BATCH]
