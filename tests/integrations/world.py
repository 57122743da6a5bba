"""The pages and faces as a process serves them, in front of identity over memory, and browsers without a screen."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urljoin

import httpx
import uvicorn
from dependency_injector import providers
from paideia.audit.v1.events_pb2 import ActRecorded
from paideia.identity.v1.identity_service_pb2_grpc import IdentityServiceStub, add_IdentityServiceServicer_to_server
from redis.asyncio import Redis

from adapters.identity.argon2 import Argon2Passwords, Cost
from adapters.identity.memory import IdentityMemory
from adapters.identity.memory_privacy import MemoryPersonalFiles
from domain.identity.model import UserDraft
from domain.shared.caller import Caller, Role
from integrations.host import application
from integrations.shared.browser import Browsers
from services.identity.container import IdentityContainer
from services.shared.keys import identity_keys
from services.shared.revocations import RevokedSessions
from services.shared.tokens import TokenVerifier
from tests.rpc.identity.people import OTHER_PASSWORD, PASSWORD, North, Time
from tests.rpc.serving import MESH_KEY, serving
from tests.stores import free_port


class RealTime(Time):
    """The clock of the machine, which a test can put forward: tokens of a real provider are of today."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    @property  # type: ignore[override]
    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def passes(self, **amount: float) -> None:
        self._ahead += timedelta(**amount)


@dataclass
class World:
    """`north` is identity; `url` where the pages are; `acts` what the audit log was told besides events."""

    north: North
    url: str
    redis: Redis
    container: Any
    acts: list[ActRecorded]

    def browser(self, **headers: str) -> "Browser":
        return Browser(self.url, headers)


class Noted:
    """Takes what the audit log is told."""

    def __init__(self) -> None:
        self.acts: list[ActRecorded] = []

    def note(self, act: ActRecorded, organization: str) -> None:
        self.acts.append(act)


@dataclass
class Page:
    """An answer that a browser ended up with."""

    url: str
    status: int
    text: str
    headers: httpx.Headers

    @property
    def path(self) -> str:
        return httpx.URL(self.url).path

    @property
    def title(self) -> str:
        found = re.search(r"<h1>(.*?)</h1>", self.text)
        return unescape(found[1]) if found else ""

    @property
    def alert(self) -> str:
        """What the page complains of, or tells."""
        found = re.search(r'<p class="(?:error|notice)" role="(?:alert|status)">(.*?)</p>', self.text)
        return unescape(found[1]) if found else ""

    def form(self, action: str) -> dict[str, str]:
        """The hidden and filled-in fields of a form."""
        found = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', self.text, re.DOTALL)
        assert found is not None, f"no form {action} on {self.url}: {self.text}"
        fields = {}
        for tag in re.findall(r"<input[^>]*>", found[0]):
            name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
            if name:
                fields[name[1]] = unescape(value[1]) if value else ""
        return fields

    def data(self, name: str) -> str:
        found = re.search(rf'data-{name}="([^"]*)"', self.text)
        assert found is not None
        return unescape(found[1])


@dataclass
class Browser:
    """Follows redirects, keeps cookies, sends forms from the page that it shows."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        agent = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36"}
        self.client = httpx.AsyncClient(base_url=self.url, follow_redirects=True, timeout=20, headers=agent | self.headers)
        self.page = Page(self.url, 0, "", httpx.Headers())

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.client.aclose()

    @property
    def cookie(self) -> str:
        """Ours."""
        return next((each.value or "" for each in self.client.cookies.jar if each.name.endswith("paideia")), "")

    async def opens(self, path: str, **options: Any) -> Page:
        return self._shown(await self.client.get(path, **options))

    async def sends(self, action: str, headers: dict[str, str] | None = None, **fields: str) -> Page:
        """Fills in a form of the page that is shown, and sends it."""
        form = self.page.form(action) | fields
        origin = str(httpx.URL(self.page.url).copy_with(path="/", query=None, fragment=None)).rstrip("/")
        sent = {"origin": origin, "referer": self.page.url} | (headers or {})
        return self._shown(await self.client.post(urljoin(self.page.url, action), data=form, headers=sent))

    async def signs_in(self, login: str = "bob", password: str = OTHER_PASSWORD, organization: str = "north") -> Page:
        await self.opens(f"/sign-in?organization={organization}")
        return await self.sends("/sign-in", login=login, password=password)

    def _shown(self, answer: httpx.Response) -> Page:
        self.page = Page(str(answer.url), answer.status_code, answer.text, answer.headers)
        return self.page


@asynccontextmanager
async def running_world(valkey_url: str, port: int | None = None) -> AsyncIterator[World]:
    """`ada` administers `north`, `bob` learns there; providers on this machine are allowed."""
    port = port or free_port()
    url = f"http://localhost:{port}"
    memory, time = IdentityMemory(), RealTime()
    container = IdentityContainer(
        clock=providers.Object(time.clock),
        encryption_key=b"k" * 32,
        public_url=url,
        private_identity_providers=True,
        files=providers.Object(MemoryPersonalFiles()),
    )
    container.unit.override(providers.Factory(memory.unit))
    container.platform_unit.override(providers.Factory(memory.platform_unit))
    container.sign_ins.override(providers.Object(memory.sign_ins()))
    container.passwords.override(providers.Singleton(Argon2Passwords, Cost(1, 8)))
    await container.found_organization()("north", "North", "ada", PASSWORD, frozenset({Role.ADMIN}))
    servicer = container.servicer()
    draft = UserDraft("bob", "Bob", "bob@example.org", frozenset({Role.LEARNER}))
    await servicer._create_user(Caller("north", "ada", frozenset({Role.ADMIN})), draft, OTHER_PASSWORD)
    revoked = RevokedSessions(time.clock)
    keys = identity_keys(lambda request, timeout: servicer.GetJwks(request, None))
    verifier = TokenVerifier(keys, MESH_KEY, time.clock, issuer=url, revoked=revoked)
    redis, noted = Redis.from_url(valkey_url), Noted()
    async with serving(
        lambda server: add_IdentityServiceServicer_to_server(servicer, server), verifier=verifier, acts=noted
    ) as calls:
        stub = IdentityServiceStub(calls.channel)
        app = application(stub, Browsers(redis, b"p" * 32, secure=False), url, faces=("pages", "oidc"))
        async with _served(app, port):
            yield World(North(stub, memory, time, revoked, calls.address), url, redis, container, noted.acts)
    await redis.aclose()
    await container.http().close()
    container.passwords().close()


@asynccontextmanager
async def _served(app: Any, port: int) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off", access_log=False))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        if running.done():
            running.result()
    try:
        yield
    finally:
        server.should_exit = True
        await running
