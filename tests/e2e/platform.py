"""A whole platform of a test run's own, seen as its users see it."""

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc

from stack import control
from stack.home import Home
from stack.mesh_client import mesh_channel
from stack.record import StackRecord, read_record
from stack.settings import StackSettings

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]


def free_block(size: int = 100) -> int:
    """Returns a port from which `size` ports are free."""
    while True:
        base = 12_000 + secrets.randbelow(180) * 100
        probes = [socket.socket() for _ in range(size)]
        try:
            for offset, probe in enumerate(probes):
                probe.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
        return base


@dataclass(frozen=True)
class Answer:
    """What came back over REST. `body` is JSON if it was, else text."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def violated(self) -> list[str]:
        """The fields that a 400 names."""
        return [each["field"] for detail in self.body.get("details", []) for each in detail.get("fieldViolations", [])]


@dataclass
class Platform:
    home: Home
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def record(self) -> StackRecord:
        record = read_record(self.home.record)
        assert record is not None, "no stack runs"
        return record

    @property
    def password(self) -> str:
        return (self.home.secrets / "admin_password").read_text().strip()

    def call(
        self, method: str, path: str, body: Json | None = None, token: str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One REST call, without a retry."""
        sent = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.record.url + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return _answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.headers, error.read())

    def sign_in(self, organization: str, login: str, password: str) -> Answer:
        body = {"organization": f"organizations/{organization}", "login": login, "password": password}
        return self.call("POST", "/v1/sessions:signIn", body)

    def token(self, organization: str = "demo", login: str = "admin", password: str = "") -> str:
        """Returns an access token, signing in once for each account."""
        if (organization, login) not in self._tokens:
            answer = self.sign_in(organization, login, password or self.password)
            assert answer.status == 200, answer
            self._tokens[organization, login] = answer.body["accessToken"]
        return self._tokens[organization, login]

    def create_learner(self, user: str, password: str = "") -> None:
        self.create_user(user, password, "ROLE_LEARNER")

    def create_user(self, user: str, password: str, *roles: str) -> None:
        body: Json = {"requestId": str(uuid4()), "userId": user, "user": {"displayName": user, "roles": roles}}
        if password:
            body["password"] = password
        answer = self.call("POST", "/v1/users", body, self.token())
        assert answer.status in (200, 409), answer

    def paideia(self, *arguments: str | Path, timeout: float = 600, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Runs the command line as a user would."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PAIDEIA_")}
        environment["PAIDEIA_HOME"] = str(self.home.path)
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *map(str, arguments)],
            env=environment,
            cwd=ROOT,
            input=typed,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def channel(self, context: str) -> grpc.Channel:
        """A channel straight to a context, as the workload `stack`."""
        certificates = self.record.mesh_certificates
        opened: grpc.Channel = mesh_channel(
            grpc, self.record.addresses[context], Path(certificates) if certificates else None, context
        )
        return opened

    @contextmanager
    def asked_meanwhile(self, *asks: Callable[[], int]) -> Iterator[list[int | str]]:
        """Makes each of these requests again and again, in a thread of its own, and yields their statuses; failures are told in words."""
        seen: list[int | str] = []
        done = threading.Event()

        def keep_asking(ask: Callable[[], int]) -> None:
            while not done.is_set():
                try:
                    seen.append(ask())
                except OSError as error:
                    seen.append(repr(error))
                done.wait(0.02)

        threads = [threading.Thread(target=keep_asking, args=(ask,)) for ask in asks]
        for thread in threads:
            thread.start()
        try:
            yield seen
            done.wait(2)
        finally:
            done.set()
            for thread in threads:
                thread.join(30)

    def log_lines(self, part: str) -> Iterator[Json]:
        for line in self.home.log(part).read_text(errors="replace").splitlines():
            try:
                value = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(value, dict):
                yield value

    def wait(self, condition: Any, seconds: float = 30, what: str = "it") -> Any:
        """Returns the first truthy value of `condition()`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if value := condition():
                return value
            time.sleep(0.1)
        raise AssertionError(f"{what} did not happen within {seconds:.0f} s")


def _answer(status: int, headers: Any, data: bytes) -> Answer:
    try:
        body = json.loads(data)
    except ValueError:
        body = data.decode(errors="replace")
    return Answer(status, {key.lower(): value for key, value in headers.items()}, body)


@contextmanager
def running_platform(home: Path) -> Iterator[Platform]:
    """Starts a whole stack on free ports with its data in `home`, and stops it."""
    place = Home(home)
    place.create()
    chosen = {"port_base": free_block(), "private_identity_providers": "on"}
    StackSettings.read(place, environment={}, **chosen).write(place)
    try:
        control.up(place)
        yield Platform(place)
    finally:
        control.down(place)
