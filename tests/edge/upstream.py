"""Small real services behind the real pipeline, for the edge to stand before."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from joserfc import jwt
from joserfc.jwk import ECKey
from paideia.catalog.v1 import catalog_service_pb2 as catalog
from paideia.catalog.v1 import catalog_service_pb2_grpc as catalog_grpc
from paideia.identity.v1 import identity_service_pb2 as identity
from paideia.identity.v1 import identity_service_pb2_grpc as identity_grpc
from paideia.ingestion.v1 import ingestion_service_pb2 as ingestion
from paideia.ingestion.v1 import ingestion_service_pb2_grpc as ingestion_grpc

from adapters.shared.mesh import MeshCertificates
from domain.shared.clock import system_clock
from domain.shared.errors import Conflict, InvalidInput, LimitReached, NotAllowedNow, NotFound, Unauthenticated
from services.host.host import service_of
from services.shared.call import caller
from services.shared.pipeline import Pipeline
from services.shared.rules import rules_of
from services.shared.tokens import TokenVerifier

CONTEXTS = ("identity", "catalog", "ingestion")
ISSUER = "http://localhost:8080"
MESH_KEY = b"0123456789abcdef0123456789abcdef"
_MAXIMUM = 8 << 20


class Signer:
    """Signs access tokens as identity does; `rotate` begins to sign with a new key that the old ones stand beside. Identity lists a key
    first (`announce`) and signs with it later (`use_newest`)."""

    def __init__(self) -> None:
        self.keys: list[ECKey] = []
        self.rotate()

    def rotate(self) -> None:
        self.announce()
        self.use_newest()

    def announce(self) -> None:
        self.keys.append(ECKey.generate_key("P-256", {"kid": uuid.uuid4().hex}))

    def use_newest(self) -> None:
        self._signing = self.keys[-1]

    def token(self, *roles: str, key: ECKey | None = None, algorithm: str = "ES256", **changes: Any) -> str:
        key = key or self._signing
        now = datetime.now(UTC)
        claims = {
            "iss": ISSUER,
            "aud": "paideia",
            "sub": "ada",
            "org": "north",
            "roles": list(roles or ("LEARNER",)),
            "sid": str(uuid.uuid4()),
            "jti": str(uuid.uuid4()),
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=15)).timestamp()),
        } | changes
        return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key)


@dataclass
class Seen:
    """What reached the services."""

    metadata: list[dict[str, str]] = field(default_factory=list)
    remaining: list[float] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)

    def note(self, context: Any) -> None:
        self.metadata.append({key: value for key, value in context.invocation_metadata() if isinstance(value, str)})
        self.remaining.append(context.time_remaining())


class Identity(identity_grpc.IdentityServiceServicer):
    def __init__(self, signer: Signer, seen: Seen) -> None:
        self._signer, self._seen = signer, seen

    async def GetJwks(self, request: identity.GetJwksRequest, context: Any) -> identity.GetJwksResponse:
        keys = [key.as_dict(private=False) for key in self._signer.keys]
        return identity.GetJwksResponse(
            keys=[
                identity.Jwk(kty="EC", crv="P-256", x=key["x"], y=key["y"], kid=key["kid"], use="sig", alg="ES256")
                for key in keys
            ]
        )

    async def ListOriginOrganizations(
        self, request: identity.ListOriginOrganizationsRequest, context: Any
    ) -> identity.ListOriginOrganizationsResponse:
        self._seen.origins.append(request.origin)
        found = {"https://learn.north.test": ["organizations/north"]}.get(request.origin, [])
        return identity.ListOriginOrganizationsResponse(organizations=found)

    async def SignIn(self, request: identity.SignInRequest, context: Any) -> identity.TokenPair:
        self._seen.note(context)
        if request.login == "throttled":
            raise LimitReached("too many failures for this account", timedelta(seconds=30))
        if request.password != "correct horse battery":
            raise Unauthenticated("the organization, the login or the password is wrong")
        return identity.TokenPair(access_token=self._signer.token(), refresh_token="r")

    async def GetMe(self, request: identity.GetMeRequest, context: Any) -> identity.GetMeResponse:
        self._seen.note(context)
        who = caller(context)
        return identity.GetMeResponse(user=f"users/{who.user}", organization=f"organizations/{who.organization}")


class Catalog(catalog_grpc.CatalogServiceServicer):
    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    async def GetCourse(self, request: catalog.GetCourseRequest, context: Any) -> catalog.Course:
        self._seen.note(context)
        if request.name == "courses/none":
            raise NotFound("no course none")
        if request.name == "courses/slow":
            await asyncio.sleep(60)
        return catalog.Course(name=request.name, title="SQL", publish_time=Timestamp(seconds=1_700_000_000))

    async def ListCourses(self, request: catalog.ListCoursesRequest, context: Any) -> catalog.ListCoursesResponse:
        if request.page_size < 0:
            raise InvalidInput.of("page_size", "must not be negative")
        courses = [catalog.Course(name=f"courses/{n}", description="d" * 10_000) for n in range(request.page_size)]
        return catalog.ListCoursesResponse(courses=courses, next_page_token=request.page_token)

    async def UpdateCourse(self, request: catalog.UpdateCourseRequest, context: Any) -> catalog.Course:
        if request.course.title == "stale":
            raise Conflict("somebody else changed it")
        description = ",".join(request.update_mask.paths)
        return catalog.Course(name=request.course.name, title=request.course.title, description=description)

    async def PublishCourse(self, request: catalog.PublishCourseRequest, context: Any) -> catalog.Course:
        raise NotAllowedNow(f"{request.name} is published already")

    async def BatchCreateSkills(
        self, request: catalog.BatchCreateSkillsRequest, context: Any
    ) -> catalog.BatchCreateSkillsResponse:
        return catalog.BatchCreateSkillsResponse(skills=[each.skill for each in request.requests])


class Ingestion(ingestion_grpc.IngestionServiceServicer):
    async def IngestEvents(self, request: ingestion.IngestEventsRequest, context: Any) -> ingestion.IngestEventsResponse:
        return ingestion.IngestEventsResponse(accepted=len(request.events))

    async def StreamEvents(
        self, requests: AsyncIterator[ingestion.StreamEventsRequest], context: Any
    ) -> AsyncIterator[ingestion.StreamEventsResponse]:
        async for request in requests:
            yield ingestion.StreamEventsResponse(number=request.number, accepted=len(request.events))


@dataclass(frozen=True)
class Upstream:
    address: str
    signer: Signer
    seen: Seen


@contextmanager
def upstream(signer: Signer, address: str = "127.0.0.1:0", certificates: Path | None = None) -> Iterator[Upstream]:
    """Serves all three contexts on one port, from a thread with a loop of its own, until left; by mutual TLS with certificates."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="upstream")
    thread.start()
    seen = Seen()
    server, port = asyncio.run_coroutine_threadsafe(_start(signer, seen, address, certificates), loop).result(30)
    try:
        yield Upstream(f"127.0.0.1:{port}", signer, seen)
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(None), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _start(signer: Signer, seen: Seen, address: str, certificates: Path | None) -> tuple[grpc.aio.Server, int]:
    async def keys() -> list[dict[str, str]]:
        return [key.as_dict(private=False) for key in signer.keys]

    services = [service_of(each) for each in CONTEXTS]
    rules = {method: rule for service in services for method, rule in rules_of(service).items()}
    server = grpc.aio.server(options=[("grpc.so_reuseport", 1), ("grpc.max_receive_message_length", _MAXIMUM)])
    surrounded = Pipeline(TokenVerifier(keys, MESH_KEY, system_clock, issuer=ISSUER), rules).around(server)
    identity_grpc.add_IdentityServiceServicer_to_server(Identity(signer, seen), surrounded)
    catalog_grpc.add_CatalogServiceServicer_to_server(Catalog(seen), surrounded)
    ingestion_grpc.add_IngestionServiceServicer_to_server(Ingestion(), surrounded)
    checks = health.aio.HealthServicer()
    for name in ("", *(service.full_name for service in services)):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    reflection.enable_server_reflection([*(each.full_name for each in services), reflection.SERVICE_NAME], server)
    if certificates:
        port = server.add_secure_port(address, MeshCertificates(certificates).server_credentials())
    else:
        port = server.add_insecure_port(address)
    await server.start()
    return server, port
