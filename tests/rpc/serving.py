"""Serves a servicer behind the real interceptors on a real channel, for rpc tests."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

from adapters.shared.service_tokens import sign_service_token
from domain.shared.caller import Caller, Role
from domain.shared.clock import system_clock
from domain.shared.errors import Unauthenticated
from services.host.host import CONTEXTS, service_of
from services.shared.acts import ActSink, NobodyListens, watches_of
from services.shared.idempotency import RequestLedger
from services.shared.pipeline import Pipeline, Verifier
from services.shared.rules import rules_of
from services.shared.sights import EverybodyTeachesEverybody, Sights
from services.shared.tokens import TokenVerifier
from services.shared.tracing import NoCollector, Tracer

MESH_KEY = b"0123456789abcdef0123456789abcdef"
ISSUER = "http://localhost:8080"


class PlainTokens:
    """Tokens that spell out their caller, `organization/user/ROLE+ROLE`; service tokens are verified for real."""

    def __init__(self) -> None:
        async def no_keys() -> list[dict[str, str]]:
            return []

        self._mesh = TokenVerifier(no_keys, MESH_KEY, system_clock, issuer=ISSUER)

    async def verify(self, token: str) -> Caller:
        if token.count("/") != 2:
            return await self._mesh.verify(token)
        organization, user, roles = token.split("/")
        if not organization:
            raise Unauthenticated("no organization")
        return Caller(organization, user, frozenset(Role(each) for each in roles.split("+")))


@dataclass(frozen=True)
class Calls:
    """`channel` for stubs; `as_` and `as_service` for the metadata of a call."""

    channel: grpc.aio.Channel
    address: str

    @staticmethod
    def as_(organization: str = "north", user: str = "ada", *roles: str) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {organization}/{user}/{'+'.join(roles or ('LEARNER',))}"),)

    @staticmethod
    def as_service(organization: str = "north", context: str = "assessment") -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {sign_service_token(MESH_KEY, context, organization, system_clock())}"),)


@asynccontextmanager
async def serving(
    add_to_server: Callable[[grpc.aio.Server], None],
    ledger: RequestLedger | None = None,
    tracer: Tracer | None = None,
    verifier: Verifier | None = None,
    sights: Sights | None = None,
    acts: ActSink | None = None,
) -> AsyncIterator[Calls]:
    """Serves on a free loopback port with the pipeline of the host; `ledger` is for the contexts that have one, `verifier` for tests
    whose tokens are real, `sights` for those where a teacher does not see every learner, `acts` for those about the audit log."""
    services = [service_of(each) for each in CONTEXTS]
    pipeline = Pipeline(
        verifier or PlainTokens(),
        {method: rule for service in services for method, rule in rules_of(service).items()},
        {service.full_name: ledger for service in services} if ledger else {},
        tracer=tracer or NoCollector(),
        sights=sights or EverybodyTeachesEverybody(),
        watches={method: watch for service in services for method, watch in watches_of(service).items()},
        acts=acts or NobodyListens(),
    )
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 8 * 1024 * 1024)])
    add_to_server(pipeline.around(server))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Calls(channel, f"127.0.0.1:{port}")
    finally:
        await server.stop(None)
