"""Runs one context or many in a process: server, health, reflection, metrics, jobs, graceful stop."""

import asyncio
import importlib
import signal
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import cast

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceStub
from prometheus_client import start_http_server

from adapters.shared.grpc import Channels
from adapters.shared.mesh import MeshCertificates, workload_of
from adapters.shared.outbox import OutboxRelay
from adapters.shared.resources import Resources
from domain.shared.clock import system_clock
from domain.shared.errors import DomainError
from services.host.revocations import listening
from services.host.settings import HostSettings
from services.host.sights import hearing_changes, identity_sights
from services.host.tracing import OtelTracer, tracer_of
from services.shared.acts import BufferedActs, watches_of
from services.shared.context import Context, Job
from services.shared.keys import identity_keys
from services.shared.pipeline import Pipeline
from services.shared.revocations import RevokedSessions
from services.shared.rules import rules_of
from services.shared.sights import RememberedSights
from services.shared.tokens import TokenVerifier

log = structlog.get_logger()

CONTEXTS = ("identity", "catalog", "assessment", "progress", "scheduler", "paths", "ingestion", "analytics", "audit", "inference")
_CHECK_SECONDS = 2.0
_LARGEST_REQUEST = 8 * 1024 * 1024


def service_of(context: str) -> ServiceDescriptor:
    """Returns the descriptor of a context's service: `paideia.catalog.v1.CatalogService`."""
    module = importlib.import_module(f"paideia.{context}.v1.{context}_service_pb2")
    service: ServiceDescriptor = module.DESCRIPTOR.services_by_name[f"{context.title()}Service"]
    return service


class MissingService(Exception):
    """A context was asked for and its service is not served."""


class Host:
    """The process. Refuses to start with a service that lacks a rule or that its context did not register."""

    def __init__(self, settings: HostSettings, names: Sequence[str]) -> None:
        self._settings = settings
        self._names = names
        self._health = health.aio.HealthServicer()
        self._stopping = asyncio.Event()
        self._jobs: list[asyncio.Task[None]] = []
        self._revoked = RevokedSessions(system_clock)
        self._tracer = tracer_of("+".join(names), settings.otlp_endpoint)
        self._mesh = MeshCertificates(settings.mesh_certificates) if settings.mesh_certificates else None

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then finishes what is in flight."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        host, _, port = self._settings.metrics_listen.rpartition(":")
        metrics, _ = start_http_server(int(port), host)
        resources = self._resources()
        if self._mesh:
            renewal = partial(self._mesh.watch, resources.channels.renew)
            self._jobs.append(asyncio.create_task(_kept_alive(renewal, "host")))
        contexts = [await self._open(name, resources) for name in self._names]
        server = self._server(contexts, resources)
        await server.start()
        log.info("serving", contexts=self._names, address=self._settings.listen)
        self._start_jobs(contexts, resources)
        await self._watch(contexts)
        log.info("stopping", contexts=self._names)
        await self._health.enter_graceful_shutdown()
        await server.stop(self._settings.grace_seconds)
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
        for context in contexts:
            await context.close()
        await resources.close()
        if isinstance(self._tracer, OtelTracer):
            self._tracer.close()
        metrics.shutdown()
        log.info("stopped", contexts=self._names)

    def _resources(self) -> Resources:
        settings = self._settings.resources
        mesh_key = settings.secret("mesh_key").encode()
        # The same name as its certificate's: services refuse a token that another workload presents.
        return Resources(settings, Channels(settings.targets, mesh_key, ".".join(self._names), system_clock, self._mesh))

    async def _open(self, name: str, resources: Resources) -> Context:
        """Opens a context as soon as what it needs at its start is there: services start in any order."""
        container = importlib.import_module(f"services.{name}.container")
        while True:
            try:
                context: Context = await container.open_context(resources)
                return context
            except (DomainError, OSError) as error:
                log.warning("cannot start yet", context=name, error=str(error))
                await asyncio.sleep(1)

    def _server(self, contexts: Sequence[Context], resources: Resources) -> grpc.aio.Server:
        services = {each.name: service_of(each.name) for each in contexts}
        mesh_key = self._settings.resources.secret("mesh_key").encode()
        get_jwks = resources.channels.stub(IdentityServiceStub, "identity").GetJwks
        self._acts = BufferedActs(resources.producer().send, system_clock)
        self._sights = RememberedSights(identity_sights(resources.channels))
        pipeline = Pipeline(
            TokenVerifier(
                identity_keys(get_jwks),
                mesh_key,
                system_clock,
                issuer=self._settings.resources.public_url,
                revoked=self._revoked,
            ),
            {method: rule for service in services.values() for method, rule in rules_of(service).items()},
            {services[each.name].full_name: each.ledger for each in contexts if each.ledger is not None},
            fingerprint_key=mesh_key,
            tracer=self._tracer,
            sights=self._sights,
            workload_of=workload_of if self._mesh else None,
            watches={method: watch for service in services.values() for method, watch in watches_of(service).items()},
            acts=self._acts,
        )
        server = grpc.aio.server(
            options=[("grpc.so_reuseport", 1), ("grpc.max_receive_message_length", _LARGEST_REQUEST)],
        )
        for context in contexts:
            registered = pipeline.around(server)
            context.add_to_server(cast(grpc.aio.Server, registered))
            if services[context.name].full_name not in registered.names:
                raise MissingService(f"{context.name} did not register {services[context.name].full_name}")
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            [*(each.full_name for each in services.values()), health.SERVICE_NAME, reflection.SERVICE_NAME], server
        )
        listen = self._settings.listen
        port = server.add_secure_port(listen, self._mesh.server_credentials()) if self._mesh else server.add_insecure_port(listen)
        if port == 0:
            raise OSError(f"cannot listen on {listen}")
        return server

    def _start_jobs(self, contexts: Sequence[Context], resources: Resources) -> None:
        hear_revocations = listening(
            resources.settings.kafka_bootstrap, self._revoked, system_clock, hearing_changes(self._sights)
        )
        self._jobs.append(asyncio.create_task(_kept_alive(hear_revocations, "host")))
        self._jobs.append(asyncio.create_task(_kept_alive(self._acts.run, "host")))
        for context in contexts:
            jobs = list(context.jobs)
            if context.publishes:
                jobs.append(OutboxRelay(resources.relay_dsn(), context.name, resources.producer()).run)
            self._jobs += [asyncio.create_task(_kept_alive(job, context.name)) for job in jobs]

    async def _watch(self, contexts: Sequence[Context]) -> None:
        """Keeps the health of every service, and of the process as a whole, until asked to stop."""
        was: dict[str, bool] = {}
        while not self._stopping.is_set():
            for context in contexts:
                well = await _is_well(context)
                if was.get(context.name) != well:
                    log.info("health", context=context.name, serving=well)
                    was[context.name] = well
                    await self._health.set(service_of(context.name).full_name, _status(well))
            await self._health.set("", _status(all(was.values())))
            try:
                await asyncio.wait_for(self._stopping.wait(), _CHECK_SECONDS)
            except TimeoutError:
                continue


async def _is_well(context: Context) -> bool:
    try:
        await asyncio.wait_for(context.ready(), _CHECK_SECONDS)
    except Exception as error:  # whatever a dependency raises, it means that it is not there
        log.warning("a dependency is away", context=context.name, error=f"{type(error).__name__}: {error}")
        return False
    return True


def _status(well: bool) -> health_pb2.HealthCheckResponse.ServingStatus:
    return health_pb2.HealthCheckResponse.SERVING if well else health_pb2.HealthCheckResponse.NOT_SERVING


async def _kept_alive(job: Job, context: str) -> None:
    """A job that fails is started again: what it could not do waits in the database or in the log."""
    pause = timedelta(seconds=1)
    while True:
        try:
            await job()
            return
        except Exception:
            log.exception("a job failed and starts again", context=context, job=getattr(job, "__qualname__", repr(job)))
            await asyncio.sleep(pause.total_seconds())
