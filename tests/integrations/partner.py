"""A partner of `north` with a program, before the faces that are not gRPC, which are served on a real port."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from paideia.auth.v1 import rule_pb2 as auth
from paideia.identity.v1 import programs_pb2
from starlette.applications import Starlette

from integrations.oauth.routes import routes as oauth
from integrations.scim.routes import routes as scim
from tests.rpc.identity.people import ORIGIN, PASSWORD, North, Person


@dataclass
class Partner:
    """`url` is where the faces are; what they say of themselves is under ORIGIN, as behind an edge."""

    north: North
    url: str
    http: httpx.AsyncClient
    client_id: str = ""
    secret: str = ""
    token: str = ""

    async def administrator(self, organization: str = "north") -> Person:
        return await self.north.signs_in("ada", PASSWORD, organization)

    async def gets_program(self, *scopes: str, organization: str = "north") -> "Partner":
        """A program with these scopes, and a token for it."""
        ada = await self.administrator(organization)
        program = programs_pb2.Program(display_name="Partner", roles=[auth.ROLE_ADMIN], scopes=scopes)
        made = await ada.call("CreateProgram", program_id=f"partner-{organization}", program=program)
        self.client_id, self.secret = made.program.client_id, made.client_secret
        answer = await self.asks_token()
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return self

    async def asks_token(self, **fields: str) -> httpx.Response:
        form = {"grant_type": "client_credentials"} | fields
        return await self.http.post("/oauth/token", data=form, auth=(self.client_id, self.secret))

    async def scim(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/scim+json"} | headers
        return await self.http.request(method, f"/scim/v2{path}", json=body, headers=headers)


@pytest.fixture
async def partner(north: North) -> AsyncIterator[Partner]:
    app = Starlette(routes=[*oauth, *scim])
    app.state.identity, app.state.public_url = north.stub, ORIGIN
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        yield Partner(north, f"http://127.0.0.1:{port}", http)
    server.should_exit = True
    await serving
