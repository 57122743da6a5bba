"""Makes what a response log speaks of exist on the platform: learners, skills, items and the course."""

from collections.abc import Iterator, Sequence
from typing import TypeVar
from uuid import UUID, uuid5

from cli.api import Advance, Api, Json, Refused
from cli.replay.response_log import ResponseLog

_NAMESPACE = UUID("d0b7a1f3-1f0e-4a35-b8a1-3f6c4a4f6a77")
T = TypeVar("T")

RIGHT, WRONG = "right", "wrong"
"""The choices of a recorded item: a log says whether an answer was right, not what it was."""


async def prepare(api: Api, log: ResponseLog, course: str, advance: Advance) -> None:
    """Creates what is missing and publishes the course. Running it again changes nothing."""
    for skills in _batches(log.skills, 500):
        await _create(
            api, "skills", skills, [{"skillId": each, "skill": {"title": log.titles.get(each, each)}} for each in skills]
        )
    for items in _batches(sorted(log.skills_of), 200):
        await _create(api, "items", items, [{"itemId": each, "item": _recorded_item(log, each)} for each in items])
        advance(len(items))
    await _publish(api, log, course)
    for learners in _batches(list(log.answers), 500):
        users = [
            {"userId": each, "user": {"displayName": log.titles.get(each, each), "roles": ["ROLE_LEARNER"]}} for each in learners
        ]
        await _create(api, "users", learners, users)
        advance(len(learners))


def _recorded_item(log: ResponseLog, item: str) -> Json:
    title = log.titles.get(item, item)
    return {
        "title": title,
        "skills": [f"skills/{each}" for each in log.skills_of[item]],
        "body": {
            "stem": f"Recorded answers to {title}",
            "choice": {
                "choices": [{"id": RIGHT, "text": "answered right"}, {"id": WRONG, "text": "answered wrong"}],
                "fixedOrder": True,
            },
        },
        "key": {"choice": {"correct": [RIGHT]}},
    }


async def _create(api: Api, collection: str, ids: Sequence[str], requests: list[Json]) -> None:
    body = {"requests": requests, "skipExisting": True}
    # What a batch creates depends on what was there; a fresh id asks anew after a reset of the data.
    request_id = uuid5(_NAMESPACE, "\n".join((collection, api.access.organization, *ids, str(requests))))
    await api.post(f"/v1/{collection}:batchCreate", {"requestId": str(request_id), **body})


async def _publish(api: Api, log: ResponseLog, course: str) -> None:
    wanted = {f"skills/{each}" for each in log.skills}
    name = f"courses/{course}"
    try:
        there = await api.get(f"/v1/{name}")
    except Refused as refusal:
        if refusal.status != 404:
            raise
        there = await api.post(
            "/v1/courses",
            {
                "requestId": str(uuid5(_NAMESPACE, f"course {name} {sorted(wanted)}")),
                "courseId": course,
                "course": {"title": f"Recorded answers: {course}", "skills": sorted(wanted)},
            },
        )
    if missing := wanted - set(there.get("skills", [])):
        skills = [*there.get("skills", []), *sorted(missing)]
        await api.patch(
            f"/v1/{name}",
            {
                "requestId": str(uuid5(_NAMESPACE, f"course skills {name} {skills}")),
                "course": {"name": name, "skills": skills},
                "updateMask": "skills",
            },
        )
    publication = int(there.get("publication", 0))
    request_id = uuid5(_NAMESPACE, f"publish {name} {publication} {sorted(log.skills_of.items())}")
    try:
        await api.post(f"/v1/{name}:publish", {"requestId": str(request_id)})
    except Refused as refusal:
        if refusal.reason != "COURSE_ALREADY_PUBLISHED":
            raise


def _batches(everything: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (everything[start : start + size] for start in range(0, len(everything), size))
