"""`stack.json`: what the supervisor writes and everybody else reads."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stack.processes import ProcessId


@dataclass(slots=True)
class PartRecord:
    """One part. `state`: waiting, starting, ready, not ready, failed (it is tried again), done (a task), stopped."""

    state: str = "waiting"
    address: str = ""
    pid: int | None = None
    birth: str = ""
    started_at: float = 0.0
    """Seconds since 1970."""
    restarts: int = 0
    error: str = ""
    stop_signal: int = 15
    after: list[str] = field(default_factory=list)
    metrics: str = ""
    """Where Prometheus reads, when it has metrics."""

    @property
    def process(self) -> ProcessId | None:
        return None if self.pid is None else ProcessId(self.pid, self.birth)


@dataclass(slots=True)
class StackRecord:
    """The whole stack. `state`: starting, ready, degraded (a part is away and being healed), stopping, stopped, failed."""

    state: str
    home: str
    url: str
    organization: str
    admin: str
    admin_password_file: str
    supervisor_pid: int
    supervisor_birth: str
    secure_url: str = ""
    """The same door by TLS. `url` is for programs on this machine."""
    mesh_certificates: str = ""
    """Folder of the certificate by which tools of this machine may speak to the contexts; empty where those speak without TLS."""
    error: str = ""
    addresses: dict[str, str] = field(default_factory=dict)
    """`host:port` by context and by part."""
    parts: dict[str, PartRecord] = field(default_factory=dict)
    version: int = 1

    @property
    def supervisor(self) -> ProcessId:
        return ProcessId(self.supervisor_pid, self.supervisor_birth)

    def write(self, path: Path) -> None:
        """Replaces the file whole: a reader never sees half of it."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(path)


def read_record(path: Path) -> StackRecord | None:
    """None when no stack was ever started here, or the file is not one of ours."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        found: dict[str, Any] = json.loads(path.read_text())
        parts = {name: PartRecord(**each) for name, each in found.pop("parts").items()}
        return StackRecord(**found, parts=parts)
    return None
