"""Signing in at somebody else's: the browser goes there, comes back, and the provider says when its session ended."""

from urllib.parse import parse_qsl

import grpc
from paideia.identity.v1 import federation_pb2 as pb
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from integrations.shared.handling import Call, handled
from integrations.shared.identity import Identity, Refusal
from integrations.shared.rendering import go, leave, own_path

_LARGEST_LOGOUT = 32 * 1024


async def begin(call: Call) -> Response:
    """To the provider. By a link, not by a form: `form-action` would forbid browsers to follow a form's answer to another site."""
    where, query, state = call.request.path_params, call.request.query_params, call.visit.state
    if "return_to" in query:
        state.return_to = own_path(query["return_to"], "")
    request = pb.BeginFederatedSignInRequest(
        organization=f"organizations/{where['organization']}",
        identity_provider=f"identityProviders/{where['provider']}",
        browser=call.browsers.secret_for_providers(call.visit),
        fresh=query.get("fresh") == "1",
        for_linking=query.get("connect") == "1" and call.visit.signed_in,
    )
    begun = await call.ask("BeginFederatedSignIn", request)
    # The cookie must outlive the way there and back, so that it can be shown again.
    state.organization = state.organization or where["organization"]
    return leave(begun.authorization_url)


async def come_back(call: Call) -> Response:
    """From the provider, with a code or with an error that is the provider's to explain."""
    query, state = call.request.query_params, call.visit.state
    if "error" in query or "code" not in query:
        state.notice = "The other side did not sign you in."
        return go("/account" if call.visit.signed_in else "/sign-in")
    request = pb.CompleteFederatedSignInRequest(
        state=query.get("state", ""),
        browser=call.browsers.secret_for_providers(call.visit),
        code=query["code"],
        issuer=query.get("iss", ""),
    )
    done = await call.ask("CompleteFederatedSignIn", request)
    organization = done.organization.rpartition("/")[2]
    if done.HasField("challenge"):
        return call.challenged(done.challenge, organization)
    if done.link:
        state.link, state.organization = done.link, organization
        return go("/account/connect" if call.visit.signed_in else "/sign-in")
    state.link = ""  # of an earlier attempt, if any: whoever is signed in now was known already
    return await call.signs_in(done, organization)


async def log_out(request: Request) -> Response:
    """The provider's word, from its server to ours (Back-Channel Logout 1.0, section 2.8): no browser, no cookie."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _LARGEST_LOGOUT:
            return _answer(400, "the request is too large")
    try:
        form = dict(parse_qsl(data.decode(), max_num_fields=10, errors="strict"))
    except ValueError:
        return _answer(400, "the request is no form")
    where = request.path_params
    wanted = pb.EndFederatedSessionsRequest(
        organization=f"organizations/{where['organization']}",
        identity_provider=f"identityProviders/{where['provider']}",
        logout_token=form.get("logout_token", ""),
    )
    try:
        await Identity(request).call("EndFederatedSessions", wanted)
    except Refusal as refusal:
        away = refusal.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        return _answer(503 if away else 400, refusal.message)
    return Response(status_code=200, headers={"cache-control": "no-store"})


def _answer(status: int, description: str) -> Response:
    body = {"error": "invalid_request" if status == 400 else "temporarily_unavailable", "error_description": description}
    return JSONResponse(body, status, headers={"cache-control": "no-store"})


routes: list[BaseRoute] = [
    Route("/sign-in/with/{organization}/{provider}", handled(begin), methods=["GET"]),
    Route("/sign-in/callback", handled(come_back), methods=["GET"]),
    Route("/sign-in/logout/{organization}/{provider}", log_out, methods=["POST"]),
]
