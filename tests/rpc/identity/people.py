"""People who sign in, with what they have in their pockets: an authenticator app, a passkey, a piece of paper."""

import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import cbor2
import pyotp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from google.protobuf.message_factory import GetMessageClass
from paideia.identity.v1 import credentials_pb2 as pb
from paideia.identity.v1 import identity_service_pb2 as identity
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from adapters.identity.memory import IdentityMemory
from services.shared.revocations import RevokedSessions
from services.shared.tokens import session_in

PASSWORD = "lantern orbit 42 velvet"
OTHER_PASSWORD = "quiet harbour 17 maple"
ORIGIN = "https://learn.example.org"


class Time:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def clock(self) -> datetime:
        return self.now

    def passes(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class North:
    """Two organizations behind a real channel."""

    stub: Any
    memory: IdentityMemory
    time: Time
    revoked: RevokedSessions
    address: str

    async def signs_in(self, user: str = "bob", password: str = OTHER_PASSWORD, organization: str = "north") -> "Person":
        pair = await self.stub.SignIn(
            identity.SignInRequest(organization=f"organizations/{organization}", login=user, password=password)
        )
        assert not pair.HasField("challenge")
        return Person(self, organization, user, pair)

    async def challenge(self, user: str = "bob", password: str = OTHER_PASSWORD) -> pb.Challenge:
        """What signing in with the password is answered with when there is a second factor."""
        pair = await self.stub.SignIn(identity.SignInRequest(organization="organizations/north", login=user, password=password))
        assert not pair.access_token
        assert not pair.refresh_token
        return pair.challenge

    async def completes(self, challenge: pb.Challenge, **answer: str) -> "Person":
        pair = await self.stub.CompleteSignIn(
            pb.CompleteSignInRequest(challenge=challenge.challenge, answer=pb.ChallengeAnswer(**answer))
        )
        return Person(self, "north", "", pair)

    def mails(self, template: str, organization: str = "north") -> list[Any]:
        return [mail for mail in self.memory.tenants[organization].credentials.mails if mail.template == template]

    def notices(self, organization: str = "north") -> list[str]:
        """What was noticed besides signing in."""
        told = (event.notice for event in self.memory.events(organization) if hasattr(event, "notice"))
        return [each for each in told if each not in ("SIGNED_IN", "SIGN_IN_CHALLENGED")]


@dataclass
class Person:
    """Somebody signed in."""

    north: North
    organization: str
    user: str
    pair: identity.TokenPair
    app: pyotp.TOTP | None = None
    codes: list[str] = field(default_factory=list)
    token: str = ""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token or self.pair.access_token}"),)

    @property
    def session(self) -> str:
        return session_in(self.pair.access_token) or ""

    async def call(self, rpc: str, **fields: Any) -> Any:
        """Calls with a request id of its own where the request has one."""
        request = rpc_request(rpc)(**fields)
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = str(uuid4())
        return await getattr(self.north.stub, rpc)(request, metadata=self.metadata)

    async def sets_up_totp(self) -> "Person":
        enrolled = await self.call("EnrolTotp")
        self.app = pyotp.TOTP(enrolled.secret)
        confirmed = await self.call("ConfirmTotp", code=self.code())
        self.codes = list(confirmed.recovery_codes)
        return self

    def code(self) -> str:
        """What the app shows now."""
        assert self.app is not None
        return self.app.at(self.north.time.now)

    def next_code(self) -> str:
        """What the app shows half a minute later."""
        self.north.time.passes(seconds=30)
        return self.code()

    async def sets_up_passkey(self, key: "SoftwareKey", name: str = "laptop") -> pb.RegisterPasskeyResponse:
        begun = await self.call("BeginPasskeyRegistration")
        made = key.registers(begun.passkey_options)
        return await self.call("RegisterPasskey", challenge=begun.challenge, credential=made, display_name=name)

    async def steps_up(self, **answer: str) -> "Person":
        begun = await self.call("BeginStepUp")
        done = await self.call("CompleteStepUp", challenge=begun.challenge, answer=pb.ChallengeAnswer(**answer))
        self.token = done.access_token
        return self

    async def refreshes(self) -> "Person":
        self.pair = await self.north.stub.RefreshSession(identity.RefreshSessionRequest(refresh_token=self.pair.refresh_token))
        self.token = ""
        return self


def rpc_request(rpc: str) -> Any:
    method = identity.DESCRIPTOR.services_by_name["IdentityService"].methods_by_name[rpc]
    return GetMessageClass(method.input_type)


class SoftwareKey:
    """An authenticator in software (Web Authentication, section 6): one P-256 key, `none` attestation."""

    def __init__(self, origin: str = ORIGIN, *, counts: bool = True, verifies: bool = True) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.id = secrets.token_bytes(32)
        self.origin = origin
        self.host = re.sub(r"^https?://|:\d+$", "", origin)
        self.counter = 0
        self.counts = counts
        self.verifies = verifies

    def registers(self, options: str) -> str:
        numbers = self.private.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": self._data(0x40) + attested})
        client = self._client("webauthn.create", options)
        return self._credential(clientDataJSON=bytes_to_base64url(client), attestationObject=bytes_to_base64url(attestation))

    def signs(self, options: str) -> str:
        if self.counts:
            self.counter += 1
        data, client = self._data(0), self._client("webauthn.get", options)
        signature = self.private.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._credential(
            clientDataJSON=bytes_to_base64url(client),
            authenticatorData=bytes_to_base64url(data),
            signature=bytes_to_base64url(signature),
        )

    def _data(self, flags: int) -> bytes:
        flags |= 0x05 if self.verifies else 0x01
        return sha256(self.host.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")

    def _client(self, type_: str, options: str) -> bytes:
        challenge = json.loads(options)["challenge"]
        base64url_to_bytes(challenge)
        return json.dumps({"type": type_, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _credential(self, **response: str) -> str:
        name = bytes_to_base64url(self.id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}})
