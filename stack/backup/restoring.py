"""Makes a home of a backup: as it was at its restore point, or at any moment between two backups."""

import asyncio
import contextlib
import dataclasses
import gzip
import os
import shlex
import shutil
import socket
import tarfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from stack.accounts import ensure_account, own
from stack.backup import topics
from stack.backup.repository import FULL, BackupFailed, Entry, Manifest, Progress, Repository
from stack.backup.sealing import unseal
from stack.home import Home
from stack.launch import launch
from stack.part import Command
from stack.parts.postgres import Postgres
from stack.secret_files import SecretFiles
from stack.settings import StackSettings

_RECOVERY_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is restored: a base, the backups that lead on from it, of which the last reaches the moment that is wanted."""

    chain: tuple[Manifest, ...]
    at_ns: int
    exactly: bool
    """Whether the moment is the last backup's restore point."""

    @property
    def base(self) -> Manifest:
        return self.chain[0]

    @property
    def target(self) -> Manifest:
        return self.chain[-1]

    @property
    def offsets(self) -> tuple[Entry, ...]:
        """The newest that were noted before the moment."""
        return [each for each in self.chain if each.point_ns <= self.at_ns][-1].offsets

    @property
    def objects(self) -> list[Entry]:
        """Those of all its backups, the newest of each name: one that was removed meanwhile may be named by the database."""
        return list({each.path: each for manifest in self.chain for each in manifest.objects}.values())


def plan(manifests: Sequence[Manifest], to: datetime | None) -> Plan:
    """Chooses what leads to a moment; without one, to the newest backup. Raises BackupFailed when it is out of reach."""
    if not manifests:
        raise BackupFailed("there is no backup here: `paideia backup create` makes one")
    newest = manifests[-1]
    at_ns = newest.point_ns if to is None else round(to.timestamp() * 1e9)
    if at_ns > newest.point_ns:
        raise BackupFailed(f"the newest backup is of {newest.point:%Y-%m-%dT%H:%M:%S.%fZ}: nothing later can be restored")
    bases = [each for each in manifests if each.kind == FULL and each.point_ns <= at_ns]
    if not bases:
        raise BackupFailed(
            f"the oldest full backup is of {manifests[0].point:%Y-%m-%dT%H:%M:%S.%fZ}: nothing earlier can be restored"
        )
    base = bases[-1]
    after = [each for each in manifests if each.lineage == base.lineage and each.point_ns >= base.point_ns]
    reaching = [each for each in after if each.point_ns >= at_ns]
    if not reaching:
        raise BackupFailed("the write-ahead log was not kept over that time: choose the moment of a backup")
    target = reaching[0]
    chain = tuple(each for each in after if each.point_ns <= target.point_ns)
    return Plan(chain, at_ns, at_ns == target.point_ns)


async def restore(
    repository: Repository, wanted: Plan, home: Home, passphrase: str, port_base: int | None, progress: Progress
) -> None:
    """Fills an empty home. Raises BackupFailed, and leaves nothing then."""
    if home.path.exists() and any(home.path.iterdir()):
        raise BackupFailed(f"{home.path} is not empty: restore --into another folder")
    needed = [*wanted.target.files, *wanted.base.base, *wanted.objects, *wanted.offsets, wanted.target.sealed]
    if missing := [each for each in needed if not repository.has(each)]:
        raise BackupFailed(f"{len(missing)} contents are missing, {missing[0].path} first: see `paideia backup verify`")
    home.create()
    try:
        unseal(repository.content(wanted.target.sealed).read_bytes(), passphrase, home.path)
        home.secrets.chmod(0o700)
        if port_base is not None:
            dataclasses.replace(StackSettings.read(home, {}), port_base=port_base).write(home)
        _files(repository, wanted, home)
        _objects(repository, wanted, home, progress)
        await _database(repository, wanted, home, progress)
    except BaseException:
        shutil.rmtree(home.path, ignore_errors=True)
        raise


def _files(repository: Repository, wanted: Plan, home: Home) -> None:
    for each in wanted.target.files:
        _place(repository, each, home.data / each.path)


def _objects(repository: Repository, wanted: Plan, home: Home, progress: Progress) -> None:
    kept, ends = topics.cut(wanted.objects, wanted.at_ns)
    entries = [*kept, *wanted.offsets]
    for number, each in enumerate(entries):
        if number % 100 == 0:
            progress("objects", number, len(entries))
        _place(repository, each, home.objects / each.path)
    topics.mend_watermarks(home.objects, ends)


def _place(repository: Repository, entry: Entry, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(repository.content(entry), path)
    os.utime(path, ns=(entry.written_ns, entry.written_ns))


async def _database(repository: Repository, wanted: Plan, home: Home, progress: Progress) -> None:
    """Unpacks the base and has PostgreSQL replay its log up to the moment."""
    progress("database", 0, 3)
    folder, log = home.data / "postgres", home.data / "wal-restored"
    for each in (folder, log):
        each.mkdir(mode=0o700)
    try:
        names = {each.path: repository.content(each) for each in wanted.base.base}
        await asyncio.to_thread(_unpack, names["base.tar.gz"], folder)
        await asyncio.to_thread(_unpack, names["pg_wal.tar.gz"], folder / "pg_wal")
        progress("database", 1, 3)
        for segment in (entry for manifest in wanted.chain for entry in manifest.wal):
            with gzip.open(repository.content(segment)) as packed, (log / segment.path.removesuffix(".gz")).open("wb") as file:
                shutil.copyfileobj(packed, file)
        (folder / "recovery.signal").touch()
        if os.geteuid() == 0:
            for each in (folder, log):
                own(each, ensure_account())
        progress("database", 2, 3)
        async with running_alone(home, *_recovery(log, wanted)) as connection:
            await connection.execute("CHECKPOINT")
    finally:
        shutil.rmtree(log)
    progress("database", 3, 3)


def _recovery(log: Path, wanted: Plan) -> tuple[str, ...]:
    """The settings that lead PostgreSQL to the moment."""
    target = (
        f"recovery_target_name={wanted.target.restore_point}"
        if wanted.exactly
        else f"recovery_target_time={datetime.fromtimestamp(wanted.at_ns / 1e9, UTC).isoformat()}"
    )
    folder = shlex.quote(str(log)).replace("%", "%%")
    return target, "recovery_target_action=promote", f'restore_command=cp {folder}/%f "%p"'


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="tar")


@contextlib.asynccontextmanager
async def running_alone(home: Home, *settings: str) -> AsyncIterator[asyncpg.Connection]:
    """Runs the home's PostgreSQL without the rest of the stack, until the end of the block. Raises BackupFailed.

    Yields a superuser's connection as soon as it is not, or no longer, recovering.
    """
    secrets = SecretFiles(home.secrets)
    part = Postgres(
        home.data / "postgres", _free_port(), secrets.password("postgres_postgres"), secrets.password("postgres_paideia_owner")
    )
    await part.prepare()
    command = part.command()
    argv = (*command.argv, *(each for setting in settings for each in ("-c", setting)))
    start = launch(Command(argv, command.environment, command.account), part.stop_signal)
    output = home.logs / "restore.log"
    with output.open("wb") as words:
        process = await asyncio.create_subprocess_exec(
            *start.pop("args"), **start, stdin=asyncio.subprocess.DEVNULL, stdout=words, stderr=asyncio.subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + _RECOVERY_SECONDS
        while (connection := await _recovered(part)) is None:
            if process.returncode is not None or time.monotonic() > deadline:
                lines = [each for each in output.read_text(errors="replace").splitlines() if "FATAL" in each]
                raise BackupFailed(f"PostgreSQL did not start: {lines[-1] if lines else 'it wrote no reason'}")
            await asyncio.sleep(0.1)
        try:
            yield connection
        finally:
            connection.terminate()
    finally:
        if process.returncode is None:
            process.send_signal(part.stop_signal)
        await process.wait()


async def _recovered(part: Postgres) -> asyncpg.Connection | None:
    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection = await asyncpg.connect(part.superuser_dsn, timeout=5)
        if not await connection.fetchval("SELECT pg_is_in_recovery()"):
            return connection
        connection.terminate()
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
