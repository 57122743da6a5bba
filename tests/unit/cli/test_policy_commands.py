"""The commands of policies, against a stand-in that keeps what REST would."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli import policy_commands
from cli.api import Json
from cli.policy_commands import differences, flat

DEFINITION: Json = {"version": "one", "arms": [{"name": "a", "weights": {"review": 0.5, "growth": 0.5}}], "recency": 20}


class Platform:
    """Keeps policies by name and remembers what was asked of it."""

    def __init__(self) -> None:
        self.policies: dict[str, Json] = {"one": _policy("one"), "two": _policy("two")}
        self.posts: list[tuple[str, Json]] = []

    async def get(self, path: str, **params: str | int) -> Json:
        if path != "/v1/policies":
            return self.policies[path.rpartition("/")[2]]
        # One a page, to be asked for again.
        names = sorted(self.policies)
        at = names.index(str(params["page_token"])) if params["page_token"] else 0
        return {"policies": [self.policies[names[at]]], "nextPageToken": "".join(names[at + 1 : at + 2])}

    async def post(self, path: str, body: Json) -> Json:
        self.posts.append((path, body))
        if path.endswith(":rollBack"):
            return {"retired": self.policies["two"], "live": self.policies["one"]}
        return self.policies["one"] | {"stage": body.get("stage", "POLICY_STAGE_DRAFT"), "share": body.get("share", 0)}


def _policy(name: str) -> Json:
    return {
        "name": f"policies/{name}",
        "definition": DEFINITION | {"version": name},
        "digest": "0" * 64,
        "stage": "POLICY_STAGE_LIVE",
        "etag": "4",
        "changes": [{"stage": "POLICY_STAGE_CANARY", "share": 0.25, "user": "users/root", "changeTime": "2026-11-22T09:00:00Z"}],
    }


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    platform = Platform()

    def answered(home: Path | None, work: Callable[[Any], Any]) -> Any:
        return asyncio.run(work(platform))

    monkeypatch.setattr(policy_commands, "with_platform", answered)
    return platform


def run(*arguments: str, code: int = 0) -> str:
    app = typer.Typer()
    policy_commands.register(app)
    result = CliRunner().invoke(app, ["policy", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_every_page_is_listed(platform: Platform) -> None:
    assert [each["name"] for each in json.loads(run("list", "--json"))["policies"]] == ["policies/one", "policies/two"]
    assert "every course" in run("list")


def test_a_definition_is_printed_as_it_is_read(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "next.json"
    file.write_text(run("show", "one", "--definition"))
    run("create", "next", "--from", str(file), "--course", "sql")
    ((path, body),) = platform.posts
    assert path == "/v1/policies"
    assert body["policyId"] == "next"
    assert body["policy"]["course"] == "courses/sql"
    assert body["policy"]["definition"] == {name: value for name, value in DEFINITION.items() if name != "version"}


def test_what_is_shown_names_every_number_and_every_change(platform: Platform) -> None:
    shown = run("show", "one")
    assert "arms[0].weights.review" in shown
    assert "canary 25%  by root" in shown


def test_staging_says_which_state_it_saw(platform: Platform) -> None:
    assert "canary for 10.0% of the learners" in run("stage", "one", "canary", "--share", "0.1")
    ((path, body),) = platform.posts
    assert (path, body["stage"], body["share"], body["etag"]) == ("/v1/policies/one:stage", "POLICY_STAGE_CANARY", 0.1, "4")


def test_a_rollback_says_what_is_live(platform: Platform) -> None:
    assert run("rollback", "two") == "two is retired; one is live again.\n"


@pytest.mark.parametrize("text", ["", "[]", "{", "\udcff"])
def test_a_file_that_is_no_definition_is_refused(platform: Platform, tmp_path: Path, text: str) -> None:
    file = tmp_path / "next.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    run("create", "next", "--from", str(file), code=2)
    assert platform.posts == []


def test_a_missing_file_is_refused(platform: Platform, tmp_path: Path) -> None:
    run("create", "next", "--from", str(tmp_path / "none.json"), code=2)


def test_differences_name_paths_and_both_values(platform: Platform) -> None:
    arms = [{"name": "a", "weights": {"review": 0.7, "growth": 0.3}}, {"name": "b"}]
    other = DEFINITION | {"version": "two", "arms": arms}
    assert differences(DEFINITION, other) == [
        ("arms[0].weights.growth", 0.5, 0.3),
        ("arms[0].weights.review", 0.5, 0.7),
        ("arms[1].name", None, "b"),
    ]
    assert run("compare", "one", "two") == "one and two do not differ\n"
    platform.policies["two"]["definition"] = other
    assert "arms[0].weights.review" in run("compare", "one", "two")


def test_a_list_of_numbers_is_one_value() -> None:
    assert list(flat({"mean": [1, 2], "empty": [], "none": None})) == [("empty", []), ("mean", [1, 2]), ("none", None)]
