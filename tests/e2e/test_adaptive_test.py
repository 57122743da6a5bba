"""A test over REST through Envoy, from a bank to the result: the blueprint is the one of docs/tests.md, the parameters are made up."""

import json
import re
from random import Random
from uuid import uuid4

import pytest

from cli.course_format import read_course
from tests.e2e.platform import ROOT, Json, Platform
from tests.e2e.test_practice import PASSWORD, wrong_or_right_answer

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def placement(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The blueprint of the documentation, over a bank of simulated parameters for the items of the sample course."""
    folder = tmp_path_factory.mktemp("bank")
    random = Random(7)
    items = {
        each.name.removeprefix("items/"): {"slope": random.uniform(0.8, 2.0), "difficulty": random.gauss(0, 1), "guess": 0.0}
        for each in (file.message for file in read_course(ROOT / "courses" / "fractions").items)
    }
    artifact = {"kind": "irt", "version": "irt-simulated", "model": {"model": "2pl", "metric": "logistic", "items": items}}
    (folder / "irt.json").write_text(json.dumps(artifact))
    published = platform.paideia("bank", "publish", folder / "irt.json", "--bank", "numbers", "--json")
    assert published.returncode == 0, published.stderr
    assert json.loads(published.stdout)["itemCount"] == len(items)
    (blueprint,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "tests.md").read_text(), re.DOTALL)
    (folder / "placement.yaml").write_text(blueprint)
    created = platform.paideia("test", "create", folder / "placement.yaml", "--json")
    assert created.returncode == 0, created.stderr
    made: Json = json.loads(created.stdout)
    assert 20 <= made["poolSize"] < len(items)
    return made


def test_a_learner_takes_an_adaptive_test_and_a_teacher_sees_how_it_went(platform: Platform, placement: Json) -> None:
    platform.create_learner("grace", PASSWORD)
    grace = platform.token("demo", "grace", PASSWORD)
    start = {"requestId": str(uuid4()), "blueprint": placement["name"]}
    session = platform.call("POST", "/v1/learners/grace/testSessions", start, grace)
    assert session.status == 200, session
    name, served = session.body["name"], []
    while session.body["state"] == "TEST_STATE_OPEN":
        assert "result" not in session.body
        assert not session.body["steps"]
        assert platform.call("GET", f"/v1/{name}", token=grace).body == session.body
        view = session.body["item"]
        assert "key" not in view
        item = "items/" + view["name"].rpartition("/")[2]
        served.append(item)
        answer = {"requestId": str(uuid4()), "item": item, "answer": wrong_or_right_answer(view["body"]), "responseTime": "4s"}
        session = platform.call("POST", f"/v1/{name}:answer", answer, grace)
        assert session.status == 200, session
        assert platform.call("POST", f"/v1/{name}:answer", answer, grace).body == session.body
    assert session.body["state"] in ("TEST_STATE_PRECISE", "TEST_STATE_COMPLETE")
    assert 5 <= len(served) <= 20
    assert len(set(served)) == len(served) == session.body["answeredCount"]
    result = session.body["result"]
    assert 0 < result["percentile"] < 100
    assert [each["skill"] for each in result["areas"]] == [
        "skills/fractions.add-like",
        "skills/fractions.add-unlike",
        "skills/fractions.compare",
    ]

    seen = platform.call("GET", f"/v1/{name}", token=platform.token()).body
    assert [each["item"] for each in seen["steps"]] == served
    assert all(0 < each["selection"]["propensity"] <= 1 for each in seen["steps"])
    attempt = seen["steps"][-1]["response"].replace("/responses/", "/attempts/")
    platform.wait(lambda: platform.call("GET", f"/v1/{attempt}", token=grace).status == 200, 30, "the attempt being counted")

    shown = platform.paideia("test", "report", name.rpartition("/")[2], "--learner", "grace")
    assert shown.returncode == 0, shown.stderr
    assert "ability" in shown.stdout
    listed = json.loads(platform.paideia("test", "status", "--learner", "grace", "--json").stdout)
    assert [each["name"] for each in listed["testSessions"]] == [name]

    again = platform.call("POST", "/v1/learners/grace/testSessions", {**start, "requestId": str(uuid4())}, grace)
    assert again.status == 400, again
    assert again.body["details"][0]["reason"] == "RETAKE_TOO_EARLY"


def test_a_contradictory_blueprint_is_refused_by_its_field(platform: Platform, placement: Json) -> None:
    blueprint = {
        "title": "No such test",
        "course": "courses/fractions",
        "bankVersion": placement["bankVersion"],
        "adaptive": {"minLength": 9, "maxLength": 8},
        "contentAreas": [
            {"skill": "skills/fractions.add-like", "minShare": 0.7},
            {"skill": "skills/fractions.compare", "minShare": 0.7},
        ],
    }
    body = {"requestId": str(uuid4()), "testBlueprintId": "none", "testBlueprint": blueprint}
    answer = platform.call("POST", "/v1/testBlueprints", body, platform.token())
    assert (answer.status, answer.violated) == (400, ["test_blueprint.adaptive.min_length", "test_blueprint.content_areas"])


def test_an_open_session_is_gone_on_with_by_the_command(platform: Platform, placement: Json) -> None:
    left = platform.paideia("test", "take", "placement", "--learner", "hopper")
    assert left.returncode == 0, left.stderr
    assert "Go on with" in left.stdout
    assert platform.paideia("test", "take", "placement", "--learner", "hopper").returncode == 0
    listed = json.loads(platform.paideia("test", "status", "--learner", "hopper", "--json").stdout)
    assert [each["state"] for each in listed["testSessions"]] == ["TEST_STATE_OPEN"]
