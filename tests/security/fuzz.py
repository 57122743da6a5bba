"""Sends what schemathesis makes of the served OpenAPI document through the front door, signed in as each role.

    python -m tests.security.fuzz --cases 5000          # against the stack of PAIDEIA_HOME, which must run

An answer must be no 5xx, be as the document says (status, type, schema), and hold no secret. Prints JSON; exit code 1 if an answer was not.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from cli.api import Api, find_access
from cli.security.world import World
from stack.home import find_home

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
ROLES = ("", "LEARNER", "TEACHER", "AUTHOR", "ADMIN", "OPERATOR")
_GIVEAWAYS = ("Traceback", "$argon2", "-----BEGIN", "site-packages", "sqlalchemy", "asyncpg", "psycopg", "paideia_relay", '.py"')
_TOKEN_SECONDS = 300
_MOST_FAILURES = 50
_MOST_WAITS = 20


@dataclass
class Outcome:
    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    by_role: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "byRole": {name or "nobody": count for name, count in self.by_role.items()},
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "failures": self.failures,
        }


@dataclass
class Bearer:
    """The token of a role, made anew before it expires and when it has been signed out."""

    sign_in: Callable[[], str]
    token: str = ""
    since: float = 0.0

    def headers(self) -> dict[str, str]:
        if time.monotonic() - self.since > _TOKEN_SECONDS:
            self.token, self.since = self.sign_in(), time.monotonic()
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    def forget(self) -> None:
        self.since = -_TOKEN_SECONDS * 2.0


class Fuzz:
    """`secrets` must be in no answer."""

    def __init__(self, url: str, document: dict[str, Any], secrets: Sequence[str], seed: int) -> None:
        self._url = url
        self._schema = schemathesis.openapi.from_dict(document)
        self._secrets = secrets
        self._seed = seed
        self._session = requests.Session()
        self.outcome = Outcome()

    def run(self, role: str, bearer: Bearer, each: int) -> None:
        """Sends about `each` cases to each operation: half of them as the document wants them, half not."""
        for found in self._schema.get_all_operations():
            if isinstance(found, Err):
                raise found.err()
            operation = found.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                count = (each + (mode is GenerationMode.POSITIVE)) // 2
                if count:
                    self._some(operation, mode, count, role, bearer)

    def _some(self, operation: Any, mode: GenerationMode, count: int, role: str, bearer: Bearer) -> None:
        @hypothesis.seed(self._seed)
        @hypothesis.settings(
            max_examples=count, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck)
        )
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            self._send(case, role, bearer)

        try:
            send()
        except hypothesis.errors.Unsatisfiable:
            return  # nothing can be wrong with a request that holds nothing

    def _send(self, case: Any, role: str, bearer: Bearer) -> None:
        outcome = self.outcome
        if len(outcome.failures) >= _MOST_FAILURES:
            return
        case.headers = {**(case.headers or {}), **bearer.headers()}
        response = case.call(base_url=self._url, session=self._session, timeout=30)
        for _ in range(_MOST_WAITS):
            if response.status_code != 429:
                break
            time.sleep(min(float(response.headers.get("retry-after", ["1"])[0]), 2.0))
            response = case.call(base_url=self._url, session=self._session, timeout=30)
        outcome.cases += 1
        outcome.statuses[response.status_code] += 1
        outcome.by_role[role] += 1
        if response.status_code == 401 and role:
            bearer.forget()
        if problem := self._problem(case, response):
            label = f"{role or 'nobody'}: {case.operation.label}: HTTP {response.status_code}: {problem}"
            outcome.failures.append(f"{label}\n{case.as_curl_command()[:600]}\n{response.text[:400]}")

    def _problem(self, case: Any, response: Any) -> str:
        if response.status_code >= 500:
            return "a fault of the platform's"
        if leak := next((each for each in _GIVEAWAYS if each in response.text), ""):
            return f"the answer holds {leak!r}"
        if any(each in response.text for each in self._secrets):
            return "the answer holds a secret of the stack"
        try:
            case.validate_response(response, checks=CHECKS)
        except Exception as failure:  # a group of whatever the checks raise
            return " ".join(str(each) for each in getattr(failure, "exceptions", [failure]))[:600]
        return ""


async def fuzzed(home: Path, cases: int, seed: int, roles: Sequence[str] = ROLES) -> Outcome:
    """Runs about that many cases against the stack of `home`."""
    access = find_access(home)
    loop = asyncio.get_running_loop()
    async with Api(access, patience=120) as api, World.made(api, home) as world:
        kept = [text for each in (home / "secrets").iterdir() if len(text := each.read_text().strip()) >= 16]
        fuzz = Fuzz(access.url, world.document, [*kept, *world.passwords.values()], seed)
        operations = sum(len(each) for each in world.document["paths"].values())
        each = max(1, -(-cases // (operations * len(roles))))

        def signing_in(role: str) -> Callable[[], str]:
            def sign_in() -> str:
                if not role:
                    return ""
                where = access.organization if role == "OPERATOR" else world.organization
                return asyncio.run_coroutine_threadsafe(world.signed_in(world.user(role), where), loop).result(120)

            return sign_in

        for role in roles:
            bearer = Bearer(signing_in(role))
            bearer.forget()
            await asyncio.to_thread(fuzz.run, role, bearer, each)
            print(f"{role or 'nobody'}: {fuzz.outcome.by_role[role]} cases", file=sys.stderr)
        return fuzz.outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    outcome = asyncio.run(fuzzed(find_home(options.home).path, options.cases, options.seed))
    print(json.dumps({"seed": options.seed} | outcome.as_json(), indent=1))
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
