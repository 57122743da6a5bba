"""The stack that is backed up, as it runs: its database, its folders."""

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from stack.backup.repository import BackupFailed
from stack.home import Home
from stack.launch import run_once
from stack.part import Command, PartFailed, plain_environment
from stack.parts.postgres import ARCHIVE_MARK, DATABASE, SUPERUSER, program
from stack.record import read_record
from stack.secret_files import SecretFiles
from stack.settings import Ports, StackSettings

_UNFINISHED = ".tmp."
# Everything that is made anew by a start, and what is copied by other means.
_NOT_SEALED = ("data", "logs", "run", "backups", "sessions", "stack.json", "supervisor.lock")
DRILL = "drill-"
"""How the folder of a drill's restored stack begins."""
_NOT_FILES = ("postgres", "postgres.new", "wal-archive", "objects")


@dataclass(frozen=True, slots=True)
class Source:
    """A home whose stack runs."""

    home: Home
    port: int
    password: str

    @classmethod
    def running(cls, home: Home) -> "Source":
        """Raises BackupFailed when no stack runs there: PostgreSQL tells what belongs together."""
        record = read_record(home.record)
        part = record.parts.get("postgres") if record else None
        if part is None or part.process is None or not part.process.alive:
            raise BackupFailed(f"no stack runs in {home.path}: start it with `paideia up`")
        return cls(
            home, Ports(StackSettings.read(home).port_base).postgres, SecretFiles(home.secrets).password("postgres_postgres")
        )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """As superuser: row-level security hides nothing. Raises BackupFailed."""
        try:
            connection = await asyncpg.connect(
                user=SUPERUSER, password=self.password, host="127.0.0.1", port=self.port, database=DATABASE, timeout=5
            )
        except (OSError, asyncpg.PostgresError) as error:
            raise BackupFailed(f"the database does not answer: {error or type(error).__name__}") from error
        try:
            yield connection
        finally:
            connection.terminate()

    async def base(self, folder: Path) -> None:
        """Has pg_basebackup write compressed archives into an empty folder. Raises BackupFailed."""
        argv = [str(program("pg_basebackup")), "-D", str(folder), "--format=tar", "--gzip", "--compress=1", "--wal-method=stream"]
        argv += ["--checkpoint=fast", "--manifest-checksums=SHA256", "--no-password", "--no-sync"]
        argv += ["-h", "127.0.0.1", "-p", str(self.port), "-U", SUPERUSER]
        try:
            await run_once(Command(tuple(argv), plain_environment() | {"PGPASSWORD": self.password}), "pg_basebackup")
        except PartFailed as error:
            raise BackupFailed(str(error)) from error

    def lineage(self) -> str:
        """Names the time since which the write-ahead log is kept; empty when it is not."""
        mark = self.home.wal_archive / ARCHIVE_MARK
        return mark.read_text().strip() if mark.exists() else ""

    def keep_wal(self) -> str:
        """Begins to keep it, with nothing of what was kept before, and returns the lineage."""
        folder = self.home.wal_archive
        if not folder.exists():
            raise BackupFailed("this stack was started by a release that keeps no write-ahead log: `paideia down`, `paideia up`")
        for each in folder.iterdir():
            each.unlink()
        lineage = secrets.token_hex(8)
        draft = folder / ".mark"
        draft.write_text(lineage)
        draft.chmod(0o644)
        owner = folder.stat()
        if os.geteuid() == 0:
            os.chown(draft, owner.st_uid, owner.st_gid)
        draft.rename(folder / ARCHIVE_MARK)
        return lineage

    def segments(self) -> list[Path]:
        return sorted(
            each for each in self.home.wal_archive.iterdir() if not each.name.startswith(".") and each.name != ARCHIVE_MARK
        )

    def objects(self) -> Iterator[str]:
        """Paths of objects that are written whole, below the folder of objects."""
        yield from _walk(self.home.objects, lambda name: not name.startswith(_UNFINISHED), ("multipart",))

    def files(self) -> Iterator[str]:
        """Paths of what else lies in the folder of data."""
        for each in sorted(self.home.data.iterdir()):
            if each.name in _NOT_FILES:
                continue
            if each.is_dir():
                yield from (f"{each.name}/{path}" for path in _walk(each, lambda name: True))
            elif each.is_file():
                yield each.name

    def settings(self) -> Iterator[str]:
        """Paths of secrets and settings, below the home."""
        for each in sorted(self.home.path.iterdir()):
            if each.name in _NOT_SEALED or each.name.startswith(DRILL) or each.is_symlink():
                continue
            if each.is_dir():
                # Certificates change all at once by a link that names their version.
                yield from (f"{each.name}/{path}" for path in _walk(each, lambda name: True, links=True))
            elif each.is_file():
                yield each.name


def _walk(root: Path, wanted: Callable[[str], bool], without: tuple[str, ...] = (), links: bool = False) -> Iterator[str]:
    """Relative paths of the regular files, and of symbolic links if asked, below a folder that may change meanwhile, ordered by name."""
    for folder, folders, names in os.walk(root):
        linked = [each for each in folders if Path(folder, each).is_symlink()] if links else []
        folders[:] = sorted(each for each in folders if each not in without)
        for name in sorted([*names, *linked]):
            path = Path(folder, name)
            if wanted(name) and (links or not path.is_symlink()):
                yield path.relative_to(root).as_posix()
