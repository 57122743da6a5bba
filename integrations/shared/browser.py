"""What is known of a browser: an opaque cookie there, a sealed record here.

The cookie is 256 random bits that mean nothing; access and refresh tokens never leave this side. The record lies in Valkey under the
cookie's SHA-256, sealed with AES-256-GCM: whoever reads Valkey finds neither a cookie nor a token. It is made anew, under a new cookie,
whenever somebody signs in or out, so that a cookie planted beforehand is worth nothing.
"""

import base64
import copy
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response

_SIGNED_IN_SECONDS = 14 * 24 * 3600
_VISITOR_SECONDS = 1800
_LOCK_MS = 15_000
_NONCE_BYTES = 12
_ID_BYTES = 32

Record = TypeVar("Record", "State", "Tokens")


@dataclass
class Tokens:
    """Of whom is signed in. `access_until` is Unix time. Kept apart from the rest: two requests at once must not undo a refresh."""

    organization: str = ""
    access_token: str = ""
    access_until: float = 0.0
    refresh_token: str = ""


@dataclass
class State:
    """The rest. `challenge` is what signing in, `proof` what a step-up, `registration` what a new passkey waits for."""

    organization: str = ""
    challenge: dict[str, Any] = field(default_factory=dict)
    proof: dict[str, Any] = field(default_factory=dict)
    registration: dict[str, Any] = field(default_factory=dict)
    link: str = ""
    return_to: str = ""
    notice: str = ""


@dataclass
class Visit:
    """One browser during one request."""

    id: str
    state: State = field(default_factory=State)
    tokens: Tokens = field(default_factory=Tokens)
    written: State = field(default_factory=State)
    """What is in the store."""
    left: list[str] = field(default_factory=list)
    """Ids that it had before and whose records must go."""

    @property
    def signed_in(self) -> bool:
        return bool(self.tokens.refresh_token)

    def begin_anew(self, **kept: Any) -> None:
        """Gives the browser another cookie, and a record that holds what is named here only."""
        self.left.append(self.id)
        self.id, self.state, self.written, self.tokens = _new_id(), State(**kept), State(), Tokens()

    def take_notice(self) -> str:
        """What to tell the reader once."""
        notice, self.state.notice = self.state.notice, ""
        return notice


class Browsers:
    """`secure`: whether browsers find us by https. The cookie then has the prefix that binds it to this host and to https."""

    def __init__(self, redis: "Redis", key: bytes, *, secure: bool) -> None:
        self._redis = redis
        self._cipher = AESGCM(key)
        self._key = key
        self._secure = secure
        self.cookie = "__Host-paideia" if secure else "paideia"

    async def visit(self, request: Request) -> Visit:
        """The browser that asks; with a new id if it has none, or one of another form. Raises RedisError."""
        given = request.cookies.get(self.cookie, "")
        return await self.read(given) if _is_id(given) else Visit(_new_id())

    async def read(self, visit_id: str) -> Visit:
        state, tokens = await self._read(State, _name(visit_id)), await self._read(Tokens, _tokens_name(visit_id))
        return Visit(visit_id, state, tokens, written=copy.deepcopy(state))

    async def keep(self, visit: Visit) -> None:
        """Writes the record if it changed, and drops those of ids that the browser has no longer."""
        if visit.state != visit.written:
            await self._write(_name(visit.id), visit.state, _SIGNED_IN_SECONDS if visit.signed_in else _VISITOR_SECONDS)
            visit.written = copy.deepcopy(visit.state)
        if visit.left:
            await self._redis.delete(*map(_name, visit.left), *map(_tokens_name, visit.left))
            visit.left.clear()

    async def keep_tokens(self, visit: Visit, tokens: Tokens) -> None:
        visit.tokens = tokens
        await self._write(_tokens_name(visit.id), tokens, _SIGNED_IN_SECONDS)

    async def read_tokens(self, visit: Visit) -> Tokens:
        """As they are now: another request of this browser may have exchanged them."""
        return await self._read(Tokens, _tokens_name(visit.id))

    async def _read(self, kind: type[Record], name: str) -> Record:
        sealed = await self._redis.get(name)
        if not isinstance(sealed, bytes):
            return kind()
        try:
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
            known = {each.name for each in fields(kind)}
            return kind(**{key: value for key, value in json.loads(plain).items() if key in known})
        except (InvalidTag, ValueError):
            return kind()

    async def _write(self, name: str, record: State | Tokens, seconds: int) -> None:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, json.dumps(asdict(record)).encode(), name.encode())
        await self._redis.set(name, sealed, ex=seconds)

    def hand_out(self, visit: Visit, response: Response) -> None:
        """Sets the cookie: out of reach of scripts and of other sites' requests, save for a link that leads here."""
        response.set_cookie(
            self.cookie,
            visit.id,
            max_age=_SIGNED_IN_SECONDS if visit.signed_in else None,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def form_token(self, visit: Visit) -> str:
        """What every form carries: it belongs to this cookie, so no other site can know it."""
        return self._derived(visit.id, "form")

    def is_form_token(self, visit: Visit, given: str) -> bool:
        return hmac.compare_digest(self.form_token(visit).encode(), given.encode())

    def secret_for_providers(self, visit: Visit) -> str:
        """What identity is told so that a sign-in elsewhere ends in the browser in which it began."""
        return self._derived(visit.id, "federation")

    async def lock(self, visit: Visit) -> bool:
        """Whether nobody else is exchanging this browser's refresh token: used twice it would end the session."""
        return bool(await self._redis.set(f"{_name(visit.id)}:lock", b"1", nx=True, px=_LOCK_MS))

    async def unlock(self, visit: Visit) -> None:
        await self._redis.delete(f"{_name(visit.id)}:lock")

    def _derived(self, visit_id: str, use: str) -> str:
        digest = hmac.digest(self._key, f"{use}\0{visit_id}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _new_id() -> str:
    return secrets.token_urlsafe(_ID_BYTES)


def _is_id(text: str) -> bool:
    return len(text) == 43 and text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def _tokens_name(visit_id: str) -> str:
    return f"{_name(visit_id)}:tokens"


def _name(visit_id: str) -> str:
    return f"pages:{hashlib.sha256(visit_id.encode()).hexdigest()}"
