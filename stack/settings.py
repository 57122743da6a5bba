"""What can be chosen about a stack."""

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from stack.home import Home

DEFAULT_PROCESSES = "identity,catalog,paths;assessment;progress;scheduler;ingestion;analytics,audit,inference"
_MOST_PROCESSES = 20
_HOST_NAME = re.compile(r"(?=.{1,253}$)(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_PUBLIC_URL = re.compile(r"https?://(?P<host>[a-z0-9.-]+)(:[0-9]{1,5})?")


class WrongSetting(Exception):
    """A setting has a value that cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Contexts served together by `replicas` processes on one port."""

    contexts: tuple[str, ...]
    replicas: int = 1

    @property
    def name(self) -> str:
        return "+".join(self.contexts)


@dataclass(frozen=True, slots=True)
class StackSettings:
    """Each is read from PAIDEIA_<NAME> when a start is not told otherwise."""

    port_base: int = 8080
    """The public port; the 99 after it are for everything else."""
    processes: str = DEFAULT_PROCESSES
    """Groups of contexts separated by `;`, contexts by `,`; `*2` after a group starts two processes on its port."""
    broker_storage: str = "s3"
    """`s3`: topics survive everything. `memory`: for benchmarks; what the consumers have not read is lost with the broker."""
    organization: str = "demo"
    """The first organization, made at the first start."""
    admin: str = "admin"
    """Its first user, who administers it."""
    public_address: str = "127.0.0.1"
    """Where the public port listens; `0.0.0.0` opens it to the network, for TLS only."""
    public_names: str = ""
    """Names and addresses, with commas, that the generated certificate is good for, beside those of this machine's loopback."""
    public_url: str = ""
    """Where browsers find the platform, when that is not `http://localhost:<the public port>`."""
    tls_certificate: str = ""
    """File of an own certificate chain (PEM) for the public port, instead of a generated one."""
    tls_key: str = ""
    """Its key."""
    private_identity_providers: str = "off"
    """`on`: organizations may name identity providers on this machine and on private networks."""
    mesh_tls: str = "on"
    """`off`: the processes of the platform speak to each other without TLS."""
    start_seconds: int = 180
    """How long everything together may take to become ready."""

    def __post_init__(self) -> None:
        if not 1024 <= self.port_base <= 65535 - 99:
            raise WrongSetting(f"PAIDEIA_PORT_BASE is {self.port_base}: choose a number from 1024 to {65535 - 99}")
        if self.broker_storage not in ("s3", "memory"):
            raise WrongSetting(f"PAIDEIA_BROKER_STORAGE is {self.broker_storage!r}: choose s3 or memory")
        if self.mesh_tls not in ("on", "off"):
            raise WrongSetting(f"PAIDEIA_MESH_TLS is {self.mesh_tls!r}: choose on or off")
        if self.private_identity_providers not in ("on", "off"):
            raise WrongSetting(f"PAIDEIA_PRIVATE_IDENTITY_PROVIDERS is {self.private_identity_providers!r}: choose on or off")
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise WrongSetting("PAIDEIA_TLS_CERTIFICATE and PAIDEIA_TLS_KEY go together: set both, or none")
        if not _is_address(self.public_address):
            raise WrongSetting(f"PAIDEIA_PUBLIC_ADDRESS is {self.public_address!r}: choose an address, such as 0.0.0.0")
        if self.public_url and not _PUBLIC_URL.fullmatch(self.public_url):
            raise WrongSetting(f"PAIDEIA_PUBLIC_URL is {self.public_url!r}: write it like https://learn.example.org")
        for name in self._own_names:
            if not _is_address(name) and not _HOST_NAME.fullmatch(name):
                raise WrongSetting(f"PAIDEIA_PUBLIC_NAMES has {name!r}: write host names and addresses, with commas")
        if sum(group.replicas for group in self.groups) > _MOST_PROCESSES:
            raise WrongSetting(f"PAIDEIA_PROCESSES asks for more than {_MOST_PROCESSES} processes")

    @classmethod
    def read(cls, home: Home, environment: Mapping[str, str] = os.environ, **chosen: Any) -> Self:
        """What is chosen now, else the environment, else what the last start was told, else the default. Raises WrongSetting."""
        values: dict[str, Any] = {}
        if home.settings.exists():
            stored = json.loads(home.settings.read_text())
            values |= {field.name: stored[field.name] for field in fields(cls) if field.name in stored}
            if "processes" in values:
                values["processes"] = _completed(values["processes"])
        for field in fields(cls):
            name = f"PAIDEIA_{field.name.upper()}"
            if environment.get(name):
                values[field.name] = environment[name]
        values |= {name: value for name, value in chosen.items() if value is not None}
        for name in ("port_base", "start_seconds"):
            if name in values:
                try:
                    values[name] = int(values[name])
                except ValueError:
                    raise WrongSetting(f"PAIDEIA_{name.upper()} is {values[name]!r}: choose a whole number") from None
        return cls(**values)

    def write(self, home: Home) -> None:
        home.settings.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """What the generated certificate of the public port is good for."""
        host = _PUBLIC_URL.fullmatch(self.public_url)
        found = ("localhost", "127.0.0.1", "::1", *self._own_names, *((host["host"],) if host else ()))
        return tuple(dict.fromkeys(found))

    @property
    def _own_names(self) -> list[str]:
        return [name for name in (each.strip() for each in self.public_names.split(",")) if name]

    @property
    def groups(self) -> tuple[Group, ...]:
        """The processes setting, read. Raises WrongSetting naming what is wrong in it."""
        groups: list[Group] = []
        for text in filter(None, (part.strip() for part in self.processes.split(";"))):
            names, _, count = text.partition("*")
            contexts = tuple(name.strip() for name in names.split(","))
            if not all(name.isidentifier() for name in contexts) or (count and not count.strip().isdigit()):
                raise WrongSetting(f"PAIDEIA_PROCESSES has {text!r}: write contexts with commas, then perhaps *2")
            groups.append(Group(contexts, int(count) if count else 1))
        everything = [name for group in groups for name in group.contexts]
        if not everything or len(everything) != len(set(everything)) or any(group.replicas < 1 for group in groups):
            raise WrongSetting(f"PAIDEIA_PROCESSES is {self.processes!r}: name each context once")
        return tuple(groups)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _completed(processes: str) -> str:
    """The processes of an earlier start with those contexts that came with a newer version, in a process of their own."""
    served = {name.strip() for group in processes.split(";") for name in group.partition("*")[0].split(",")}
    new = [name for name in re.split("[,;]", DEFAULT_PROCESSES) if name not in served]
    return f"{processes};{','.join(new)}" if new else processes


@dataclass(frozen=True, slots=True)
class Ports:
    """The block of a hundred ports from the public one on."""

    base: int

    @property
    def edge(self) -> int:
        return self.base

    @property
    def edge_admin(self) -> int:
        return self.base + 1

    @property
    def edge_internal(self) -> int:
        """For listeners that Envoy opens to itself."""
        return self.base + 2

    @property
    def integrations(self) -> int:
        return self.base + 3

    def host(self, group: int) -> int:
        return self.base + 10 + group

    def metrics(self, process: int) -> int:
        return self.base + 40 + process

    @property
    def postgres(self) -> int:
        return self.base + 80

    @property
    def valkey(self) -> int:
        return self.base + 81

    @property
    def objects(self) -> int:
        return self.base + 82

    @property
    def broker(self) -> int:
        return self.base + 83

    @property
    def mails(self) -> int:
        return self.base + 84
