"""A trained model through the front door: registered by command, served over REST, fed by the log."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from domain.inference.trained import TrainedModel, Unseen
from lab.response_models.simulated import simulated_logs
from lab.response_models.study import fit
from tests.e2e.platform import Platform
from tests.e2e.test_practice import wrong_or_right_answer

pytestmark = pytest.mark.e2e


def test_a_model_is_rolled_out_by_command_and_predicts_from_answers_on_the_log(platform: Platform, tmp_path: Path) -> None:
    logs, _ = simulated_logs(learners=30, answers=12, seed=5, items=10)
    file = tmp_path / "model.paideia"
    file.write_bytes(TrainedModel(fit(logs, "logistic", False, 1), Unseen(1, 0.0)).packed())
    for command in (
        ("register", "logistic-1", "--from", str(file)),
        ("stage", "logistic-1", "shadow"),
        ("stage", "logistic-1", "canary", "--share", "0.5"),
        ("stage", "logistic-1", "live"),
    ):
        done = platform.paideia("model", *command)
        assert done.returncode == 0, done.stderr
    platform.create_learner("mona")
    chosen = platform.call(
        "POST", "/v1/learners/mona:nextItems", {"requestId": str(uuid4()), "course": "courses/fractions"}, platform.token()
    )
    item = str(chosen.body["items"][0]["item"])
    view = platform.call("GET", f"/v1/learners/mona/{item}?course=courses/fractions", token=platform.token()).body
    body = {"requestId": str(uuid4()), "course": "courses/fractions", "item": item, "answer": wrong_or_right_answer(view["body"])}
    answer = platform.call("POST", "/v1/learners/mona/responses", body, platform.token())
    assert answer.status == 200, answer
    asked = {"items": [{"item": item}]}

    def predicted() -> dict[str, Any]:
        found = platform.call("POST", "/v1/learners/mona:predictResponses", asked, platform.token())
        assert found.status == 200, found
        return found.body

    platform.wait(lambda: predicted().get("historySize", 0) == 1, what="the answer's way over the log")
    told = platform.paideia("model", "predict", "mona", item.removeprefix("items/"), "--json")
    assert json.loads(told.stdout) == predicted()
    explained = platform.paideia("model", "explain", "mona", item.removeprefix("items/"))
    assert explained.returncode == 0, explained.stderr
    assert "once before" in explained.stdout
