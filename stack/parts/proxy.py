"""Envoy: the public door."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.part import Command, Health, PlainPart, plain_environment
from stack.parts.wheels import binary
from stack.probes import http, http_health

_LOG_FORMAT = '{"time":"%Y-%m-%dT%T.%eZ","part":"edge","level":"%l","logger":"%n","message":"%j"}'
_DRAIN_SECONDS = 5.0


@dataclass
class Proxy(PlainPart):
    configuration: Path
    port: int
    admin_port: int
    internal_port: int
    after: tuple[str, ...] = ()
    threads: int = 2
    name: str = "edge"
    grace_seconds: float = 10.0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def ports(self) -> Mapping[str, int]:
        return {
            "the public door": self.port,
            "Envoy's administration": self.admin_port,
            "Envoy's key listener": self.internal_port,
        }

    def command(self) -> Command:
        argv = [str(binary("envoy", "_bin", "envoy")), "--config-path", str(self.configuration), "--disable-hot-restart"]
        argv += ["--concurrency", str(self.threads), "--log-level", "warning", "--log-format", _LOG_FORMAT]
        argv += ["--file-flush-interval-msec", "1000"]  # whoever looks into the access log looks for what was just asked
        return Command(tuple(argv), plain_environment() | {"TZ": "UTC"})

    async def probe(self) -> Health:
        return await http_health(self.admin_port, "/ready", ready_status=200)

    async def drain(self) -> None:
        """Takes no new connections and waits until the requests in flight are answered, for a few seconds at most."""
        await http(self.admin_port, "/drain_listeners?graceful&skip_exit", method="POST")
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline:
            _, text = await http(self.admin_port, "/stats?filter=downstream_rq_active")
            # The administration's own request is one of them.
            if (
                sum(int(count) for count in re.findall(rb"^http\.(?!admin).*downstream_rq_active: (\d+)", text, re.MULTILINE))
                == 0
            ):
                return
            await asyncio.sleep(0.1)
