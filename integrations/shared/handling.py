"""What every page goes through: the right origin, the browser's record, the form's token, the caller's access token, refusals."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import grpc
import structlog
from google.protobuf.message import Message
from paideia.identity.v1 import identity_service_pb2 as pb
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from integrations.shared.browser import Browsers, Tokens, Visit
from integrations.shared.identity import Identity, Refusal
from integrations.shared.rendering import HEADERS, go, own_path, page

log = structlog.get_logger()

ACCESS_SECONDS = 600
_REFRESHED_BEFORE_SECONDS = 60
_LARGEST_FORM = 64 * 1024
_MOST_FIELDS = 50
_PATIENCE_SECONDS = 8.0

_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 503,
}
_SHOWN = frozenset(_STATUS) - {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


class SignedOut(Exception):
    """The session has ended, here or elsewhere."""


@dataclass
class Call:
    """One request for a page."""

    request: Request
    browsers: Browsers
    identity: Identity
    visit: Visit
    form: Mapping[str, str] = field(default_factory=dict)

    async def ask(self, rpc: str, request: Message) -> Any:
        """Calls identity as nobody. Raises Refusal."""
        return await self.identity.call(rpc, request, user_agent=self._user_agent)

    async def ask_as_me(self, rpc: str, request: Message) -> Any:
        """Calls identity as whoever is signed in. Raises Refusal, SignedOut."""
        try:
            return await self.identity.call(rpc, request, await self._access_token(), self._user_agent)
        except Refusal as refusal:
            if refusal.reason == "INVALID_TOKEN":
                raise SignedOut from refusal
            raise

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page with what every page needs."""
        return page(
            template,
            status,
            csrf=self.browsers.form_token(self.visit),
            signed_in=self.visit.signed_in,
            notice=self.visit.take_notice(),
            **values,
        )

    def challenged(self, challenge: Any, organization: str) -> Response:
        """Keeps a challenge for the second step, and goes there."""
        self.visit.state.challenge = {
            "challenge": challenge.challenge,
            "ways": list(challenge.ways),
            "options": challenge.passkey_options,
            "organization": organization,
        }
        return go("/sign-in/second-step")

    async def signs_in(self, tokens: Any, organization: str) -> Response:
        """Takes a session's tokens under a new cookie, for one that somebody planted before must be worth nothing; ends the session that
        the browser had. Goes to where the reader wanted to go."""
        before, state = self.visit.tokens.refresh_token, self.visit.state
        until = time.time() + ACCESS_SECONDS
        self.visit.begin_anew(organization=organization, link=state.link)
        await self.browsers.keep_tokens(self.visit, Tokens(organization, tokens.access_token, until, tokens.refresh_token))
        if before:
            try:
                await self.ask("SignOut", pb.SignOutRequest(refresh_token=before))
            except Refusal as refusal:  # the new session is there all the same, and the old one ends when its time has come
                log.warning("a session that was signed in over has not ended", code=refusal.code.name)
        return go("/account/connect" if state.link else state.return_to or "/account")

    async def steps_up(self, access_token: str) -> None:
        """Goes on with an access token that says that the proof is fresh."""
        tokens = await self.browsers.read_tokens(self.visit)
        tokens.access_token, tokens.access_until = access_token, time.time() + ACCESS_SECONDS
        await self.browsers.keep_tokens(self.visit, tokens)

    @property
    def _user_agent(self) -> str:
        return self.request.headers.get("user-agent", "")

    async def _access_token(self) -> str:
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while time.time() > self.visit.tokens.access_until - _REFRESHED_BEFORE_SECONDS:
            if await self.browsers.lock(self.visit):
                try:
                    await self._refresh()
                finally:
                    await self.browsers.unlock(self.visit)
            elif time.monotonic() > give_up:
                raise Refusal(grpc.StatusCode.UNAVAILABLE, "")
            else:
                await asyncio.sleep(0.05)
                self.visit.tokens = await self.browsers.read_tokens(self.visit)
        return self.visit.tokens.access_token

    async def _refresh(self) -> None:
        tokens = await self.browsers.read_tokens(self.visit)
        if time.time() <= tokens.access_until - _REFRESHED_BEFORE_SECONDS:
            self.visit.tokens = tokens
            return
        if not tokens.refresh_token:
            raise SignedOut
        try:
            pair = await self.ask("RefreshSession", pb.RefreshSessionRequest(refresh_token=tokens.refresh_token))
        except Refusal as refusal:
            if refusal.code is grpc.StatusCode.UNAUTHENTICATED:
                raise SignedOut from refusal
            raise
        tokens.access_token, tokens.refresh_token = pair.access_token, pair.refresh_token
        tokens.access_until = time.time() + ACCESS_SECONDS
        # Not what `visit` holds by now: another call of this page may have read the old ones meanwhile.
        await self.browsers.keep_tokens(self.visit, tokens)


Handler = Callable[[Call], Awaitable[Response]]


def handled(handler: Handler, *, members: bool = False) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a page; `members`: of one for people who are signed in."""

    async def endpoint(request: Request) -> Response:
        browsers: Browsers = request.app.state.browsers
        public_url: str = request.app.state.public_url
        if (elsewhere := _own_origin(request, public_url)) is not None:
            return elsewhere
        try:
            visit = await browsers.visit(request)
            call = Call(request, browsers, Identity(request), visit)
            response = await _answer(call, handler, members=members, public_url=public_url)
            await browsers.keep(visit)
        except RedisError as error:
            log.warning("the store of browsers' records is away", error=type(error).__name__)
            return _away()
        browsers.hand_out(visit, response)
        return response

    return endpoint


def told(refusal: Refusal) -> str:
    """What a person is told of a refusal: a sentence of ours where identity's speaks of fields and addresses."""
    if refusal.code in _SHOWN and refusal.fields:
        return "; ".join(f"{_named(name)} {sentence}" for name, sentence in refusal.fields.items())
    if refusal.code in _SHOWN and refusal.message:
        return refusal.message[:1].upper() + refusal.message[1:]
    return "This does not work at the moment. Try again in a minute."


def status_of(refusal: Refusal) -> int:
    return _STATUS.get(refusal.code, 502)


async def _answer(call: Call, handler: Handler, *, members: bool, public_url: str) -> Response:
    try:
        if call.request.method == "POST":
            form = await _form(call.request)
            if form is None:
                return call.show("refused.html", 400, sentence="This form is too large, or is none.")
            if not _same_origin(call.request, public_url) or not call.browsers.is_form_token(call.visit, form.get("csrf", "")):
                return call.show(
                    "refused.html", 403, sentence="This form was not sent from its page, or is too old. Open the page again."
                )
            call.form = form
        if members and not call.visit.signed_in:
            return go(f"/sign-in?{urlencode({'return_to': own_path(call.request.url.path, '/account')})}")
        return await handler(call)
    except SignedOut:
        organization = call.visit.tokens.organization
        call.visit.begin_anew(organization=organization, notice="You have been signed out. Sign in again.")
        return go("/sign-in")
    except Refusal as refusal:
        if refusal.reason == "STEP_UP_REQUIRED":
            call.visit.state.return_to = own_path(urlsplit(call.request.headers.get("referer", "")).path, "/account")
            return go("/account/prove")
        return call.show("refused.html", status_of(refusal), sentence=told(refusal))


def _own_origin(request: Request, public_url: str) -> Response | None:
    """Sends people who came by another name of ours to the one that cookies and passkeys belong to."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    if f"{scheme}://{request.headers.get('host', '')}" == public_url or request.method not in ("GET", "HEAD"):
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{public_url}{own_path(request.url.path, '/')}{query}", 307, headers=HEADERS)


def _same_origin(request: Request, public_url: str) -> bool:
    """Browsers say where a form comes from, in a header that no page can set."""
    return request.headers.get("origin") == public_url


async def _form(request: Request) -> dict[str, str] | None:
    """None if it is too large or none. Of a field that comes twice the last counts."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return None
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _LARGEST_FORM:
            return None
    try:
        return dict(parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"))
    except ValueError:
        return None


def _named(field_name: str) -> str:
    return field_name.rpartition(".")[2].replace("_", " ").capitalize()


def _away() -> Response:
    return page(
        "refused.html",
        503,
        csrf="",
        signed_in=False,
        notice="",
        sentence="This does not work at the moment. Try again in a minute.",
    )
