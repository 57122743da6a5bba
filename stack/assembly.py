"""The parts of a stack, put together from its settings."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from stack.certificates import MESH_DOMAIN, TOOLS, CertificateFault, Certificates, workload_name
from stack.home import CHECKOUT, Home
from stack.part import Command, Part, PartFailed
from stack.parts.broker import BUCKET, Broker
from stack.parts.host import Host
from stack.parts.integrations import Integrations
from stack.parts.mails import Mails
from stack.parts.objects import Objects
from stack.parts.postgres import DATABASE, Postgres
from stack.parts.proxy import Proxy
from stack.parts.task import Task
from stack.parts.valkey import Valkey
from stack.record import StackRecord
from stack.secret_files import SecretFiles
from stack.settings import Ports, StackSettings
from stack.supervisor import new_record

LAKE_BUCKET = "lake"
EXPORTS_BUCKET = "exports"
MODELS_BUCKET = "models"
_TOPICS = "import asyncio, sys; from adapters.shared.topics import ensure_topics; asyncio.run(ensure_topics(sys.argv[1]))"


class Assembly:
    """Every part of one stack, and where each answers."""

    def __init__(self, home: Home, settings: StackSettings) -> None:
        self.home = home
        self.settings = settings
        self.ports = Ports(settings.port_base)
        self.certificates = Certificates(home.certificates)
        self._secrets = SecretFiles(home.secrets)

    def parts(self) -> list[Part]:
        """In an order in which they can start; creates the secrets and certificates that are missing. Raises PartFailed."""
        stores = self._stores()
        postgres, valkey, objects, broker = stores
        for name in database_roles():
            self._secrets.password(f"postgres_{name}")
        for name in ("mesh_key", "identity_encryption_key", "pages_key", "lake_key", "audit_key"):
            self._secrets.key(name)
        self._secrets.typed_password("admin_password")
        migrations = Task(
            "migrations", self._module("migrations", PAIDEIA_POSTGRES_OWNER_DSN=postgres.owner_dsn), (postgres.name,)
        )
        topics = Task("topics", self._python("-c", _TOPICS, broker.address), (broker.name,))
        mails = Mails(self.home.mails, self.ports.mails)
        shared = {
            "PAIDEIA_POSTGRES_DSN": f"postgresql://{{role}}@{postgres.address}/{DATABASE}",
            "PAIDEIA_SECRETS_DIR": str(self.home.secrets),
            "PAIDEIA_REDIS_URL": valkey.url,
            "PAIDEIA_KAFKA_BOOTSTRAP": broker.address,
            "PAIDEIA_TARGETS": ",".join(f"{context}={address}" for context, address in self.targets().items()),
            "PAIDEIA_SMTP_URL": mails.url,
            "PAIDEIA_S3_ENDPOINT": objects.address,
            "PAIDEIA_LAKE_WAREHOUSE": f"s3://{LAKE_BUCKET}",
            "PAIDEIA_EXPORTS_BUCKET": EXPORTS_BUCKET,
            "PAIDEIA_MODELS_BUCKET": MODELS_BUCKET,
            "PAIDEIA_BOOTSTRAP_ORGANIZATION": self.settings.organization,
            "PAIDEIA_BOOTSTRAP_ADMIN": self.settings.admin,
            # By name: browsers bind no passkey to an address of digits.
            "PAIDEIA_PRIVATE_IDENTITY_PROVIDERS": self.settings.private_identity_providers,
            "PAIDEIA_PUBLIC_URL": self._public_url,
        }
        self._ensure_certificates()
        hosts = self._hosts(shared, (migrations.name, topics.name, valkey.name))
        configuration = self._edge_configuration()
        integrations = Integrations(
            self.ports.integrations, shared | self.workload("integrations"), (valkey.name, *(host.name for host in hosts))
        )
        edge = self._edge((configuration.name, integrations.name, *(host.name for host in hosts)))
        return [*stores, mails, migrations, topics, *hosts, integrations, configuration, edge]

    def targets(self) -> dict[str, str]:
        """Where each context listens."""
        return {
            context: f"127.0.0.1:{self.ports.host(number)}"
            for number, group in enumerate(self.settings.groups)
            for context in group.contexts
        }

    def record(self, parts: list[Part]) -> StackRecord:
        """What `stack.json` says before anything runs."""
        addresses = self.targets() | {part.name: part.address for part in parts if part.address and not isinstance(part, Host)}
        addresses["edge-admin"] = f"127.0.0.1:{self.ports.edge_admin}"
        record = new_record(
            self.home, f"http://127.0.0.1:{self.ports.edge}", self.settings.organization, self.settings.admin, addresses
        )
        record.secure_url = f"https://localhost:{self.ports.edge}"
        record.mesh_certificates = str(self._own_workload or "")
        return record

    def workload(self, name: str, contexts: Sequence[str] = ()) -> dict[str, str]:
        """What the environment of a process says about its certificate: nothing where the mesh has no TLS."""
        if self.settings.mesh_tls == "off":
            return {}
        return {"PAIDEIA_MESH_CERTIFICATES": str(self.certificates.ensure_workload(name, contexts))}

    @property
    def _public_url(self) -> str:
        return self.settings.public_url or f"http://localhost:{self.ports.edge}"

    @property
    def _own_workload(self) -> Path | None:
        return self.certificates.workload(TOOLS) if self.settings.mesh_tls == "on" else None

    def _ensure_certificates(self) -> None:
        settings = self.settings
        try:
            if settings.tls_certificate:
                self.certificates.install_public(Path(settings.tls_certificate), Path(settings.tls_key))
            else:
                self.certificates.ensure_public(settings.certificate_names)
            for name in (TOOLS, "edge"):
                self.workload(name)
        except CertificateFault as error:
            raise PartFailed(str(error)) from None

    def _stores(self) -> tuple[Postgres, Valkey, Objects, Broker]:
        secret, data = self._secrets, self.home.data
        postgres = Postgres(
            data / "postgres",
            self.ports.postgres,
            secret.password("postgres_postgres"),
            secret.password("postgres_paideia_owner"),
            archive=self.home.wal_archive,
        )
        valkey = Valkey(self.home.run, self.ports.valkey, secret.password("valkey"))
        objects = Objects(
            data / "objects",
            self.ports.objects,
            secret.password("s3_access_key"),
            secret.password("s3_secret_key"),
            (BUCKET, LAKE_BUCKET, EXPORTS_BUCKET, MODELS_BUCKET),
        )
        broker = Broker.on(objects, self.ports.broker) if self.settings.broker_storage == "s3" else Broker(self.ports.broker)
        return postgres, valkey, objects, broker

    def _hosts(self, shared: dict[str, str], after: tuple[str, ...]) -> list[Host]:
        hosts: list[Host] = []
        for number, group in enumerate(self.settings.groups):
            for replica in range(group.replicas):
                name = group.name if group.replicas == 1 else f"{group.name}.{replica + 1}"
                hosts.append(
                    Host(
                        name,
                        group.contexts,
                        self.ports.host(number),
                        self.ports.metrics(len(hosts)),
                        shared | self.workload(workload_name(group.contexts), group.contexts),
                        after,
                        self._own_workload,
                        shares_port=group.replicas > 1,
                    )
                )
        return hosts

    def _edge_configuration(self) -> Task:
        argv = [str(CHECKOUT / "envoy" / "generate.py"), "--profile", "local", "--out", str(self._envoy_file)]
        argv += [
            "--listen",
            f"{_bracketed(self.settings.public_address)}:{self.ports.edge}",
            "--tls",
            str(self.certificates.public),
        ]
        if self.settings.mesh_tls == "on":
            argv += ["--mesh", str(self.certificates.workload("edge")), "--mesh-domain", MESH_DOMAIN]
        argv += ["--public-url", self._public_url]
        argv += ["--admin", f"127.0.0.1:{self.ports.edge_admin}"]
        argv += ["--jwks-listen", f"127.0.0.1:{self.ports.edge_internal}"]
        argv += ["--integrations", f"127.0.0.1:{self.ports.integrations}"]
        for context, address in self.targets().items():
            argv += ["--target", f"{context}={address}"]
        own = self.home.path / "edge.yaml"  # what the operator wants otherwise, such as limits
        if own.exists():
            argv += ["--settings", str(own)]
        return Task("edge-configuration", self._python(*argv))

    def _edge(self, after: tuple[str, ...]) -> Proxy:
        return Proxy(self._envoy_file, self.ports.edge, self.ports.edge_admin, self.ports.edge_internal, after)

    @property
    def _envoy_file(self) -> Path:
        return self.home.run / "envoy" / "envoy.yaml"

    def _module(self, name: str, **variables: str) -> Command:
        command = self._python("-m", name)
        return Command(command.argv, dict(command.environment) | variables | {"PAIDEIA_SECRETS_DIR": str(self.home.secrets)})

    @staticmethod
    def _python(*arguments: str) -> Command:
        path = os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "gen")))
        return Command((sys.executable, *arguments), dict(os.environ) | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"})


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def database_roles() -> list[str]:
    """The roles that the migrations create: one a context that has migrations, and the relay's."""
    contexts = sorted(each.parent.name for each in (CHECKOUT / "migrations").glob("*/versions"))
    return [*(f"paideia_{each}" for each in contexts), "paideia_relay"]
