"""A process of the platform: `python -m services.host` with the contexts it serves."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack.home import CHECKOUT
from stack.part import Command, Health, PlainPart
from stack.probes import grpc_health, http_health

# Nobody waits for these: they follow the log, and when the processors are too few they follow it later, not the learners' answers.
_BEHIND = frozenset(("analytics", "audit", "inference"))
_NICENESS = 5


@dataclass
class Host(PlainPart):
    name: str
    contexts: tuple[str, ...]
    port: int
    metrics_port: int
    settings: Mapping[str, str] = field(repr=False)
    """The PAIDEIA_... variables that every host of the stack shares."""
    after: tuple[str, ...] = ()
    certificates: Path | None = None
    """The folder of the workload that asks it how it is; None when it speaks without TLS."""
    shares_port: bool = False
    """Whether other processes listen on the same port, so that its answer alone does not prove that this one is up."""
    grace_seconds: float = 20.0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def metrics(self) -> str:
        return f"127.0.0.1:{self.metrics_port}"

    @property
    def ports(self) -> Mapping[str, int]:
        return {f"gRPC of {self.name}": self.port, f"metrics of {self.name}": self.metrics_port}

    def command(self) -> Command:
        own = {"PAIDEIA_LISTEN": self.address, "PAIDEIA_METRICS_LISTEN": self.metrics}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "AWS_"))}
        path = os.pathsep.join(filter(None, (str(CHECKOUT), str(CHECKOUT / "gen"), os.environ.get("PYTHONPATH"))))
        environment = inherited | dict(self.settings) | own | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": path}
        niceness = _NICENESS if _BEHIND.issuperset(self.contexts) else 0
        return Command((sys.executable, "-m", "services.host", *self.contexts), environment, niceness=niceness)

    async def probe(self) -> Health:
        health = await grpc_health(self.port, self.certificates, self.contexts[0])
        if self.shares_port and health is Health.READY:
            return await http_health(self.metrics_port, "/metrics", ready_status=200)
        return health
