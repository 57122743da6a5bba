"""The whole platform attacked and fuzzed through its front door; and the audit log of what was done meanwhile."""

import asyncio
import json

import pytest

from tests.e2e.platform import Platform
from tests.security.fuzz import fuzzed

pytestmark = pytest.mark.e2e


def test_the_security_check_holds(platform: Platform) -> None:
    least = {"roles": 700, "tenants": 50, "rows": 100, "tokens": 150, "session-fixation": 10, "csrf": 50, "open-redirect": 200}
    done = platform.paideia("security", "check", "--json", *(word for name in least for word in ("--only", name)))
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert [each["failures"] for each in checks.values()] == [[]] * len(least)
    assert done.returncode == 0
    assert {name: each["tried"] for name, each in checks.items() if each["tried"] < least[name]} == {}
    users = platform.call("GET", "/v1/users?pageSize=1000", token=platform.token()).body["users"]
    made = [each for each in users if each["displayName"] == "Security check"]
    assert [each for each in made if "deactivateTime" not in each] == []
    assert made != []


def test_a_few_hundred_strange_requests_find_nothing_wrong(platform: Platform) -> None:
    outcome = asyncio.run(fuzzed(platform.home.path, 150, seed=1, roles=("LEARNER", "ADMIN")))
    assert outcome.failures == []
    assert outcome.cases >= 200


def test_what_was_done_is_in_the_audit_log_and_the_log_is_whole(platform: Platform) -> None:
    platform.create_learner("audited")
    assert platform.paideia("keys", "rotate").returncode == 0

    def listed(*options: str) -> list[tuple[str, str]]:
        acts = json.loads(platform.paideia("audit", "list", "--since", "1h", "--json", *options).stdout)["acts"]
        return [(each["act"], each["target"]) for each in acts]

    told = {("identity.SignedIn", "users/admin"), ("identity.CreateUser", "users/audited"), ("identity.RotateKeys", "keys")}
    platform.wait(lambda: told <= set(listed()), 60, "the acts' recording")
    made = [act for act, target in listed("--platform") if target.startswith("signingKeys/")]
    assert set(made) == {"identity.SigningKeyMade"}
    for known in (False, True):
        verified = platform.paideia("audit", "verify", "--json")
        found = json.loads(verified.stdout)
        assert (verified.returncode, found["faults"], found["comparedWithKnownHead"]) == (0, [], known)
    lines = platform.paideia("audit", "export").stdout.splitlines()
    assert len(lines) == len(set(lines)) > 1
    assert {"class_uid", "time", "actor", "unmapped"} <= json.loads(lines[0]).keys()
