"""nanio: S3 on the local disk. A bucket is a directory."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.home import CHECKOUT
from stack.part import Command, Health, PlainPart, plain_environment
from stack.probes import http_health


@dataclass
class Objects(PlainPart):
    directory: Path
    port: int
    access_key: str
    secret_key: str
    buckets: tuple[str, ...] = ()
    name: str = "objects"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ports(self) -> Mapping[str, int]:
        return {"S3": self.port}

    async def prepare(self) -> None:
        for bucket in self.buckets:
            (self.directory / bucket).mkdir(parents=True, exist_ok=True)

    def command(self) -> Command:
        argv = (sys.executable, "-m", "stack.objects_server", str(self.directory), str(self.port))
        keys = {"NANIO_ACCESS_KEY": self.access_key, "NANIO_SECRET_KEY": self.secret_key}
        return Command(argv, plain_environment() | keys | {"PYTHONPATH": str(CHECKOUT)})

    async def probe(self) -> Health:
        return await http_health(self.port, "/", ready_status=403)  # nobody signed the question
