"""The process with the pages and the faces that are HTTP by nature: `python -m integrations`."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from stack.home import CHECKOUT
from stack.part import Command, Health, PlainPart
from stack.probes import http_health


@dataclass
class Integrations(PlainPart):
    port: int
    settings: Mapping[str, str] = field(repr=False)
    """The PAIDEIA_... variables that it reads."""
    after: tuple[str, ...] = ()
    name: str = "integrations"
    grace_seconds: float = 15.0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def metrics(self) -> str:
        return self.address

    @property
    def ports(self) -> Mapping[str, int]:
        return {"pages and other faces": self.port}

    def command(self) -> Command:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "AWS_"))}
        path = os.pathsep.join(filter(None, (str(CHECKOUT), str(CHECKOUT / "gen"), os.environ.get("PYTHONPATH"))))
        own = {"PAIDEIA_LISTEN": self.address, "PYTHONUNBUFFERED": "1", "PYTHONPATH": path}
        return Command((sys.executable, "-m", "integrations"), inherited | dict(self.settings) | own)

    async def probe(self) -> Health:
        return await http_health(self.port, "/healthz", ready_status=200)
