"""What the supervisor knows about anything that it runs."""

import enum
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class PartFailed(Exception):
    """A part cannot run, for the reason in its text: one sentence that says what to do where that is known."""


class Health(enum.Enum):
    """What a part answers when it is asked whether it is ready."""

    READY = "ready"
    NOT_READY = "not ready"  # it answers, and says that it cannot serve now: restarting it would not help
    SILENT = "silent"  # nothing answers


@dataclass(frozen=True, slots=True)
class Command:
    """A process to start: argument list, complete environment, the account to run under (the caller's own when None), and how far it stands
    back (0 to 19) when the processors are too few for all."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    niceness: int = 0


class Part(Protocol):
    """One supervised process."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str:
        """Where it answers, without credentials; empty when it has no port."""

    @property
    def ports(self) -> Mapping[str, int]:
        """The TCP ports it takes, by what they are for."""

    @property
    def metrics(self) -> str:
        """`host:port` where Prometheus reads `/metrics`; empty when it has none."""

    @property
    def after(self) -> tuple[str, ...]:
        """Names of the parts that must be ready before this one starts, and that stop after it."""

    @property
    def runs_once(self) -> bool:
        """Whether it is a task that ends by itself: ready is then exit code 0, and it is repeated until it succeeds."""

    @property
    def stop_signal(self) -> signal.Signals:
        """The signal that makes it finish its work and end; also what it gets when its supervisor dies."""

    @property
    def grace_seconds(self) -> float:
        """How long it may take to end before it is killed."""

    async def prepare(self) -> None:
        """Makes directories and configuration. Runs before every start; raises PartFailed."""

    def command(self) -> Command: ...

    async def probe(self) -> Health: ...

    async def provision(self) -> None:
        """Creates what its users expect inside it, once it answers. Idempotent; runs after every start."""

    async def drain(self) -> None:
        """Lets go of its clients before the stop signal is sent."""


class PlainPart:
    """The defaults that most parts share."""

    after: tuple[str, ...] = ()
    runs_once = False
    stop_signal = signal.SIGTERM
    grace_seconds = 10.0

    @property
    def metrics(self) -> str:
        return ""

    @property
    def ports(self) -> Mapping[str, int]:
        return {}

    async def prepare(self) -> None:
        return

    async def probe(self) -> Health:
        return Health.READY

    async def provision(self) -> None:
        return

    async def drain(self) -> None:
        return


def plain_environment() -> dict[str, str]:
    """What a store needs of our environment: nothing that could be meant for another service, such as AWS_* or PG*."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "TZ") if name in os.environ}
