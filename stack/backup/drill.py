"""Proves that a backup can be restored: makes one, restores it beside the stack that runs, starts it, and compares the two."""

import asyncio
import json
import os
import re
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack import control
from stack.backup.comparison import Comparison, Fingerprint, compare_objects, compare_tables, fingerprint
from stack.backup.creation import create
from stack.backup.repository import Progress, Repository
from stack.backup.restoring import plan, restore, running_alone
from stack.backup.source import DRILL, Source
from stack.home import Home
from stack.processes import port_taken
from stack.record import StackRecord, read_record
from stack.secret_files import SecretFiles
from stack.settings import StackSettings
from stack.supervisor import StackFailed

_PATIENCE_SECONDS = 60.0
_OF_THE_MOMENT = re.compile("ession|/audit")
"""What asking changes: signing in for it makes a session, and is itself told to the audit log."""
Answers = dict[str, tuple[int, Any]]
"""Status and body by path."""


@dataclass(slots=True)
class DrillReport:
    """Seconds by step, and what was compared."""

    backup: str
    seconds: dict[str, float] = field(default_factory=dict)
    bytes: int = 0
    tables: Comparison = field(default_factory=Comparison)
    objects: Comparison = field(default_factory=Comparison)
    answers: Comparison = field(default_factory=Comparison)

    @property
    def good(self) -> bool:
        compared = (self.tables, self.objects, self.answers)
        return not any(each.different for each in compared) and all(each.equal for each in compared)


async def drill(
    home: Home, repository: Repository, passphrase: str, port_base: int, full: bool, progress: Progress
) -> DrillReport:
    """Raises BackupFailed or StackFailed when a step fails; differences are in the report. The restored stack is removed."""
    seconds: dict[str, float] = {}
    source = Source.running(home)
    record = read_record(home.record)
    assert record is not None  # noqa: S101  # it runs
    answers = _answers(home, record)
    before = await _fingerprint_of(source)
    with _timed(seconds, "backup"):
        manifest = await create(home, repository, passphrase, full, progress)
    after = await _fingerprint_of(source)
    report = DrillReport(manifest.id, seconds, manifest.size)
    # Below the home, which other accounts can pass through, as PostgreSQL's must.
    folder = Path(tempfile.mkdtemp(prefix=DRILL, dir=home.path))
    try:
        os.chmod(folder, 0o711)  # noqa: S103  # others pass through and list nothing
        place = Home(folder / "home")
        with _timed(seconds, "restore"):
            await restore(repository, plan(repository.manifests(), None), place, passphrase, port_base, progress)
        report.objects = compare_objects(home.objects, place.objects)
        with _timed(seconds, "start"):
            restored = await _started(place, before, after, report)
        report.answers = _compare(answers, lambda: _answers(place, restored))
    finally:
        await asyncio.to_thread(control.down, Home(folder / "home"))
        shutil.rmtree(folder, ignore_errors=True)
    return report


async def _started(place: Home, before: Fingerprint, after: Fingerprint, report: DrillReport) -> StackRecord:
    """Compares the tables before any process of the platform has touched them, then starts it."""
    async with running_alone(place) as connection:
        report.tables = compare_tables(before, after, await fingerprint(connection))
    record, _ = await asyncio.to_thread(control.up, place)
    if record.state != "ready":
        raise StackFailed(f"the restored stack is {record.state}")
    return record


async def _fingerprint_of(source: Source) -> Fingerprint:
    async with source.connection() as connection:
        return await fingerprint(connection)


def _compare(wanted: Answers, ask: Callable[[], Answers]) -> Comparison:
    """Asks until each answer has been the same once: consumers meet some events again first, and a call may fail for another reason."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    same: set[str] = set()
    while True:
        found = ask()
        same |= {path for path, answer in wanted.items() if found.get(path) == answer}
        if len(same) == len(wanted) or time.monotonic() > deadline:
            return Comparison(equal=len(same), different=[path for path in wanted if path not in same])
        time.sleep(0.5)


def _answers(home: Home, record: StackRecord) -> Answers:
    """What the platform answers its administrator to every GET that needs to be told nothing."""
    password = SecretFiles(home.secrets).typed_password("admin_password")
    body = {"organization": f"organizations/{record.organization}", "login": record.admin, "password": password}
    _, signed_in = _call(f"{record.url}/v1/sessions:signIn", body)
    token = signed_in.get("accessToken", "")
    _, contract = _call(f"{record.url}/openapi.json")
    paths = [
        path for path, methods in contract["paths"].items() if "get" in methods and "{" not in path and path.startswith("/v1/")
    ]
    return {path: _call(record.url + path, token=token) for path in sorted(paths) if not _OF_THE_MOMENT.search(path)}


def _call(url: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"{}").get("message", "")


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[step] = round(time.monotonic() - began, 2)


def free_ports(settings: StackSettings) -> int:
    """Returns the first port of a block that is free, beside that of a stack. Raises StackFailed."""
    for base in (*range(settings.port_base + 100, 65_436, 100), *range(settings.port_base - 100, 1_024, -100)):
        if not any(port_taken(port) for port in range(base, base + 100)):
            return int(base)
    raise StackFailed("there is no block of a hundred free ports: name one by --port-base")
