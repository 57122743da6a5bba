"""Identity behind the real interceptors, over memory, with a cheap hash; `ada` administers `north`."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from dependency_injector import providers
from paideia.identity.v1.identity_service_pb2_grpc import (
    IdentityServiceStub,
    add_IdentityServiceServicer_to_server,
)

from adapters.identity.argon2 import Argon2Passwords, Cost
from adapters.identity.memory import IdentityMemory
from adapters.identity.memory_privacy import MemoryPersonalFiles
from domain.identity.model import UserDraft
from domain.shared.caller import Caller, Role
from domain.shared.clock import system_clock
from services.identity.container import IdentityContainer
from services.shared.keys import identity_keys
from services.shared.revocations import RevokedSessions
from services.shared.tokens import TokenVerifier
from tests.rpc.identity.people import ORIGIN, North, Time
from tests.rpc.serving import MESH_KEY, Calls, serving

PASSWORD = "lantern orbit 42 velvet"
OTHER_PASSWORD = "quiet harbour 17 maple"


@dataclass(frozen=True)
class Served:
    """The stub, and the metadata of its usual callers."""

    stub: Any
    memory: IdentityMemory
    calls: Calls

    @property
    def ada(self) -> Any:
        return Calls.as_("north", "ada", "ADMIN")

    @property
    def learner(self) -> Any:
        return Calls.as_("north", "bob", "LEARNER")

    @property
    def operator(self) -> Any:
        return Calls.as_("platform", "root", "OPERATOR")


@pytest.fixture
async def identity() -> AsyncIterator[Served]:
    memory = IdentityMemory()
    container = IdentityContainer(
        clock=providers.Object(system_clock), encryption_key=b"k" * 32, files=providers.Object(MemoryPersonalFiles())
    )
    container.unit.override(providers.Factory(memory.unit))
    container.platform_unit.override(providers.Factory(memory.platform_unit))
    container.sign_ins.override(providers.Object(memory.sign_ins()))
    container.passwords.override(providers.Singleton(Argon2Passwords, Cost(1, 8)))
    await container.found_organization()("north", "North", "ada", PASSWORD, frozenset({Role.ADMIN}))
    servicer = container.servicer()
    async with serving(lambda server: add_IdentityServiceServicer_to_server(servicer, server)) as calls:
        yield Served(IdentityServiceStub(calls.channel), memory, calls)
    await container.http().close()
    container.passwords().close()


@pytest.fixture
async def north() -> AsyncIterator[North]:
    """Identity with real access tokens and a clock that the test moves. `ada` administers `north`, `bob` learns there, `carl` in `south`."""
    memory, time = IdentityMemory(), Time()
    container = IdentityContainer(
        clock=providers.Object(time.clock),
        encryption_key=b"k" * 32,
        public_url=ORIGIN,
        files=providers.Object(MemoryPersonalFiles()),
    )
    container.unit.override(providers.Factory(memory.unit))
    container.platform_unit.override(providers.Factory(memory.platform_unit))
    container.sign_ins.override(providers.Object(memory.sign_ins()))
    container.passwords.override(providers.Singleton(Argon2Passwords, Cost(1, 8)))
    for organization in ("north", "south"):
        await container.found_organization()(organization, organization, "ada", PASSWORD, frozenset({Role.ADMIN}))
    servicer = container.servicer()
    for organization, user in (("north", "bob"), ("south", "carl")):
        draft = UserDraft(user, user.title(), f"{user}@example.org", frozenset({Role.LEARNER}))
        await servicer._create_user(Caller(organization, "ada", frozenset({Role.ADMIN})), draft, OTHER_PASSWORD)
    revoked = RevokedSessions(time.clock)
    keys = identity_keys(lambda request, timeout: servicer.GetJwks(request, None))
    verifier = TokenVerifier(keys, MESH_KEY, time.clock, issuer=ORIGIN, revoked=revoked)
    async with serving(lambda server: add_IdentityServiceServicer_to_server(servicer, server), verifier=verifier) as calls:
        yield North(IdentityServiceStub(calls.channel), memory, time, revoked, calls.address)
    await container.http().close()
    container.passwords().close()
