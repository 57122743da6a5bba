"""The mail server of the stack: takes every mail and keeps it in a file, for `paideia mail` to show. Nothing leaves the machine."""

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.home import CHECKOUT
from stack.part import Command, Health, PlainPart, plain_environment

_SECONDS = 3.0


@dataclass
class Mails(PlainPart):
    directory: Path
    port: int
    name: str = "mails"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"smtp://{self.address}"

    @property
    def ports(self) -> Mapping[str, int]:
        return {"SMTP": self.port}

    async def prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)  # mails hold links that sign in

    def command(self) -> Command:
        argv = (sys.executable, "-m", "stack.mail_server", str(self.directory), str(self.port))
        return Command(argv, plain_environment() | {"PYTHONPATH": str(CHECKOUT)})

    async def probe(self) -> Health:
        """Ready when it greets (RFC 5321, section 4.3.1)."""
        try:
            async with asyncio.timeout(_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                greeting = await reader.readline()
                writer.write(b"QUIT\r\n")
                writer.close()
        except (OSError, TimeoutError):
            return Health.SILENT
        return Health.READY if greeting.startswith(b"220") else Health.NOT_READY
