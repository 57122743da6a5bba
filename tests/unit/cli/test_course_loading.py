"""Loading a course, against a stand-in that keeps what REST would."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.api import Json, Refused
from cli.course_format import CourseFiles, read_course
from cli.course_loading import Loaded, load_course

COURSES = Path(__file__).parents[3] / "courses"


def refusal(status: int, reason: str) -> Refused:
    return Refused(status, {"message": reason, "details": [{"reason": reason}]})


class Platform:
    """Keeps skills, items and courses by name; answers a repeated request id as before."""

    def __init__(self) -> None:
        self.access = SimpleNamespace(organization="north")
        self.things: dict[str, Json] = {}
        self.answers: dict[str, Json] = {}
        self.dirty = False

    async def get(self, path: str, **params: str | int) -> Json:
        name = path.removeprefix("/v1/")
        if name not in self.things:
            raise refusal(404, "NOT_FOUND")
        return self.things[name]

    async def post(self, path: str, body: Json) -> Json:
        if body["requestId"] not in self.answers:
            self.answers[body["requestId"]] = self._post(path.removeprefix("/v1/"), body)
        return self.answers[body["requestId"]]

    def _post(self, path: str, body: Json) -> Json:
        if path.endswith(":publish"):
            course = self.things[path.removesuffix(":publish")]
            if not self.dirty:
                raise refusal(400, "COURSE_ALREADY_PUBLISHED")
            course["publication"] = str(int(course.get("publication", 0)) + 1)
            self.dirty = False
            return course
        self.dirty = True
        if path.endswith(":batchCreate"):
            collection = path.partition(":")[0]
            singular = collection.removesuffix("s")
            for request in body["requests"]:
                thing = {**request[singular], "revision": "1"} if singular == "item" else request[singular]
                self.things[f"{collection}/{request[f'{singular}Id']}"] = thing
            return {}
        self.things[f"courses/{body['courseId']}"] = body["course"]
        return body["course"]  # type: ignore[no-any-return]

    async def patch(self, path: str, body: Json) -> Json:
        if body["requestId"] in self.answers:
            return {}
        self.answers[body["requestId"]] = {}
        thing = self.things[path.removeprefix("/v1/")]
        new = body.get("skill") or body.get("item") or body["course"]
        assert new.get("revision") == thing.get("revision")
        for field in body["updateMask"].split(","):
            thing[field] = new.get(field, [] if field in ("skills", "prerequisites") else "")
        if "revision" in thing:
            thing["revision"] = str(int(thing["revision"]) + 1)
        self.dirty = True
        return {}


async def load(platform: Platform, files: CourseFiles) -> Loaded:
    return await load_course(platform, files, lambda count: None)  # type: ignore[arg-type]


@pytest.fixture
def files() -> CourseFiles:
    return read_course(COURSES / "fractions")


async def test_everything_is_created_and_published(files: CourseFiles) -> None:
    platform = Platform()
    loaded = await load(platform, files)
    assert len(loaded.created) == len(files.skills) + len(files.items) + 1
    assert (loaded.changed, loaded.unchanged, loaded.published, loaded.publication) == ([], 0, True, 1)


async def test_loading_again_changes_nothing(files: CourseFiles) -> None:
    platform = Platform()
    await load(platform, files)
    again = await load(platform, files)
    assert (again.created, again.changed, again.published, again.publication) == ([], [], False, 1)
    assert again.unchanged == len(files.skills) + len(files.items) + 1


async def test_an_edit_changes_one_item_and_publishes_again(files: CourseFiles) -> None:
    platform = Platform()
    await load(platform, files)
    item = files.items[7].message
    before = item.body.stem
    for stem, publication in (("edited", 2), (before, 3), ("edited", 4)):
        item.body.stem = stem
        loaded = await load(platform, files)
        assert (loaded.changed, loaded.published, loaded.publication) == ([item.name], True, publication)
        stored: Any = platform.things[item.name]
        assert stored["body"]["stem"] == stem


async def test_an_edit_that_is_taken_back_and_made_again_is_made_each_time(files: CourseFiles) -> None:
    platform = Platform()
    await load(platform, files)
    skill, before = files.skills[1], files.skills[1].title
    for title in ("Edited", before, "Edited", before):
        skill.title = title
        loaded = await load(platform, files)
        assert (loaded.changed, platform.things[skill.name]["title"]) == ([skill.name], title)


async def test_a_refused_item_is_named_with_its_file_and_line(files: CourseFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    platform = Platform()

    async def refuse(path: str, body: Json) -> Json:
        if path != "/v1/items:batchCreate":
            return {}
        raise refusal(400, "requests[1].item.key.numeric.value: must be a number; requests[0].item_id: must be an id")

    monkeypatch.setattr(platform, "post", refuse)
    with pytest.raises(Refused) as refused:
        await load(platform, files)
    first, second = (f"{each.source.file}:{each.source.line}" for each in files.items[:2])
    assert str(refused.value) == f"{second}: key.numeric.value: must be a number\n{first}: id: must be an id"


async def test_the_check_of_an_item_is_not_sent(files: CourseFiles) -> None:
    platform = Platform()
    await load(platform, files)
    assert all("check" not in thing for thing in platform.things.values())
