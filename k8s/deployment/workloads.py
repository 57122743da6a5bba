"""The workloads of an installation and who of them talks to whom. Everything else is made from this."""

import math
from dataclasses import dataclass

from deployment.needs import (
    AUDIT,
    COLLECTOR,
    CONTEXTS,
    EDGE,
    IDENTITY,
    INTEGRATIONS,
    KAFKA,
    KEY_VAULT,
    POSTGRES,
    PROCESS_MIB,
    REDIS,
    S3,
    SMTP,
)
from deployment.settings import Installation, Process, WrongSetting
from migrations import contexts as contexts_with_tables

MESH_DOMAIN = "mesh.paideia"
TRUST_DOMAIN = "spiffe://paideia/"
_HEADROOM = 1.25
_STEP_MIB = 32


@dataclass(frozen=True)
class Workload:
    """Processes that are alike. `answers` are the names under which the mesh finds it, `calls` those that it asks."""

    process: Process
    contexts: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    optional_secrets: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.process.name

    @property
    def identity(self) -> str:
        """As processes name themselves in service tokens and certificates."""
        return ".".join(self.contexts) or self.name

    @property
    def memory_mib(self) -> int:
        """What a process is given at least: what was measured and a quarter more."""
        if self.process.memory_mib:
            return self.process.memory_mib
        measured = PROCESS_MIB + sum(CONTEXTS[each].memory_mib for each in self.contexts)
        return _STEP_MIB * math.ceil(measured * _HEADROOM / _STEP_MIB)


def workloads(installation: Installation) -> tuple[Workload, ...]:
    """Every process with a sidecar: those of the contexts, then the integrations. Raises WrongSetting."""
    made = tuple(_serving(process, installation) for process in installation.groups)
    stores = (REDIS, *_collected(installation))
    web = Workload(installation.integrations, (), (INTEGRATIONS,), (IDENTITY,), stores, ("pages_key",))
    for workload in (*made, web):
        for store in workload.stores:
            installation.network(store)
    _check_connections(installation, made)
    return *made, web


def edge_workload(installation: Installation) -> Workload:
    edge = installation.edge
    return Workload(
        Process((EDGE,), edge.replicas, edge.most, edge.cpu, edge.heap_mib),
        calls=(*CONTEXTS, INTEGRATIONS),
        stores=_collected(installation),
    )


def callers(workload: Workload, everybody: tuple[Workload, ...]) -> tuple[Workload, ...]:
    """Who may connect to a workload."""
    return tuple(each for each in everybody if set(each.calls) & set(workload.answers))


def connections(installation: Installation, workload: Workload) -> int:
    """Connections to PostgreSQL that one process of a workload holds at most."""
    return sum(
        pools * installation.pool_size + more for pools, more in (CONTEXTS[each].connections for each in workload.contexts)
    )


def _serving(process: Process, installation: Installation) -> Workload:
    needs = [CONTEXTS[context] for context in process.contexts]
    tables = set(process.contexts) & set(contexts_with_tables())
    stores = {KAFKA, *_collected(installation), *(store for each in needs for store in each.stores)}
    vaults = {each.strip() for each in installation.environment.get("PAIDEIA_KEY_VAULT", "secret").split(",")}
    secrets = ["mesh_key", *(secret for each in needs for secret in each.secrets)]
    optional: list[str] = []
    if tables:
        stores.add(POSTGRES)
        secrets += [f"postgres_paideia_{context}" for context in sorted(tables)] + ["postgres_paideia_relay"]
    if S3 in stores and installation.s3_keys:
        secrets += ["s3_access_key", "s3_secret_key"]
    if IDENTITY in process.contexts:
        optional += ["identity_encryption_key_previous", "smtp_password"]
        secrets += ["transit_token"] if "transit" in vaults else []
        secrets += ["admin_password"] if installation.environment.get("PAIDEIA_BOOTSTRAP_ORGANIZATION") else []
    if AUDIT in process.contexts:
        optional.append("audit_public_keys_previous")
    if not installation.environment.get("PAIDEIA_SMTP_URL"):
        stores.discard(SMTP)
    if vaults == {"secret"}:
        stores.discard(KEY_VAULT)
    calls = {IDENTITY, *(called for each in needs for called in each.calls)}
    return Workload(
        process,
        process.contexts,
        process.contexts,
        tuple(each for each in CONTEXTS if each in calls),
        tuple(sorted(stores)),
        tuple(secrets),
        tuple(optional),
    )


def _collected(installation: Installation) -> tuple[str, ...]:
    return (COLLECTOR,) if installation.collector else ()


def _check_connections(installation: Installation, serving: tuple[Workload, ...]) -> None:
    """A release starts a new process beside the old ones before it stops one."""
    most = sum((max(each.process.replicas, each.process.most) + 1) * connections(installation, each) for each in serving)
    if most > installation.postgres_connections:
        raise WrongSetting(
            f"pool_size: {installation.pool_size} makes up to {most} connections to PostgreSQL while a release is rolled out, and "
            f"postgres_connections is {installation.postgres_connections}"
        )
