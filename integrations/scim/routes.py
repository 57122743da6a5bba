"""SCIM 2.0 (RFC 7644): an identity provider's users and groups, translated to identity's rpcs and back. Who may is for identity to say."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message
from paideia.identity.v1 import provisioning_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from integrations.scim import bodies, changes, schemas
from integrations.scim.bodies import ScimRefused, ScimResponse
from integrations.scim.bulk import answered
from integrations.scim.schemas import Json
from integrations.shared.identity import Identity, Refusal

_PATH = "/scim/v2"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MOST = 2**31 - 1

Endpoint = Callable[[Request], Awaitable[Response]]


async def configuration(request: Request) -> Response:
    return ScimResponse(schemas.configuration(_base(request)))


async def described_schemas(request: Request) -> Response:
    return _described(schemas.schemas(_base(request)), request)


async def described_types(request: Request) -> Response:
    return _described(schemas.resource_types(_base(request)), request)


async def unsupported(request: Request) -> Response:
    raise ScimRefused(501, "this is not provided: ServiceProviderConfig says what is")


async def list_(request: Request) -> Response:
    given = request.query_params
    asked = {
        "attributes": given.get("attributes", "").split(",") if given.get("attributes") else [],
        "excludedAttributes": given.get("excludedAttributes", "").split(",") if given.get("excludedAttributes") else [],
        "filter": given.get("filter", ""),
        "startIndex": given.get("startIndex", "1"),
        "count": given.get("count"),
        "sortBy": given.get("sortBy"),
        "sortOrder": given.get("sortOrder"),
    }
    return await _found(request, asked)


async def search(request: Request) -> Response:
    """A list whose parameters are in the body (section 3.4.3)."""
    given = await bodies.body(request)
    names = ("attributes", "excludedAttributes", "filter", "startIndex", "count", "sortBy", "sortOrder")
    return await _found(request, {name: bodies.named(given, name) for name in names})


async def change(request: Request) -> Response:
    """POST, PUT, PATCH and DELETE."""
    method = request.method
    data = {} if method == "DELETE" else await bodies.body(request)
    etag = bodies.etag(request.headers.get("if-match", ""))
    changed = await _call(request, *changes.asked(method, _collection(request), request.path_params.get("id", ""), data, etag))
    return Response(status_code=204) if method == "DELETE" else _answer(changed, request, changes.STATUSES[method])


async def bulk(request: Request) -> Response:
    given = await bodies.body(request)

    async def send(rpc: str, asked: Message) -> Any:
        return await _call(request, rpc, asked)

    return ScimResponse(await answered(given, send, _base(request)))


async def get(request: Request) -> Response:
    asked = pb.GetProvisionedResourceRequest(type=_type(request), id=request.path_params["id"])
    found = await _call(request, "GetProvisionedResource", asked)
    known = request.headers.get("if-none-match", "")
    if known and bodies.etag(known) in ("", found.etag):
        return Response(status_code=304, headers={"etag": bodies.version(found)})
    return _answer(found, request)


async def _found(request: Request, asked: Mapping[str, Any]) -> Response:
    start = max(_number(asked["startIndex"] if asked["startIndex"] is not None else 1, "startIndex"), 1)
    wanted = pb.ListProvisionedResourcesRequest(
        type=_type(request),
        start_index=start,
        filter=changes.text(asked["filter"], "filter"),
        sort_by=changes.text(asked["sortBy"], "sortBy"),
        descending=_descending(asked["sortOrder"]),
    )
    if asked["count"] is not None:
        wanted.count = _number(asked["count"], "count")
    found = await _call(request, "ListProvisionedResources", wanted)
    only, without = (_names(asked[each], each) for each in ("attributes", "excludedAttributes"))
    resources = [bodies.projected(bodies.shown(each, _base(request)), only, without) for each in found.resources]
    return ScimResponse(schemas.listing(resources, found.total, start))


async def _call(request: Request, rpc: str, asked: Message) -> Any:
    return await Identity(request).call(rpc, asked, token=bodies.token(request))


def _answer(resource: pb.ProvisionedResource, request: Request, status: int = 200) -> Response:
    tree = bodies.shown(resource, _base(request))
    headers = {"etag": bodies.version(resource), "location": tree["meta"]["location"]}
    only, without = (_names(request.query_params.get(each, "").split(","), each) for each in ("attributes", "excludedAttributes"))
    return ScimResponse(bodies.projected(tree, only, without), status, headers=headers)


def _route(path: str, *, public: bool = False, **by_method: Endpoint) -> Route:
    """One route for all methods of a path, so that another method is refused in SCIM's words, too. Nobody without a token has more than
    their header read, unless it is `public`."""

    async def serve(request: Request) -> Response:
        endpoint = by_method.get("GET" if request.method == "HEAD" else request.method)
        try:
            if endpoint is None:
                raise ScimRefused(405, f"{request.method} is not for here", headers={"allow": ", ".join(by_method)})
            if not public:
                bodies.token(request)
            return await endpoint(request)
        except ScimRefused as refused:
            return refused.answer
        except Refusal as refusal:
            return bodies.refused(refusal).answer

    return Route(_PATH + path, serve, methods=_METHODS)


async def _nowhere(request: Request) -> Response:
    return ScimRefused(404, "there is no such endpoint").answer


def _described(found: Sequence[Json], request: Request) -> Response:
    """All, or the one that the path names. Raises ScimRefused."""
    if request.query_params.get("filter"):
        raise ScimRefused(403, "what can be discovered is not filtered")  # RFC 7644, section 4
    wanted = request.path_params.get("id")
    if wanted is None:
        return ScimResponse(schemas.listing(found, len(found)))
    one = next((each for each in found if each["id"].lower() == wanted.lower()), None)
    if one is None:
        raise ScimRefused(404, "there is no such description")
    return ScimResponse(one)


def _collection(request: Request) -> str:
    return request.url.path.removeprefix(_PATH).split("/")[1]


def _type(request: Request) -> Any:
    return changes.COLLECTIONS[_collection(request)]


def _number(value: Any, name: str) -> int:
    try:
        number = int(value) if isinstance(value, str | int) and len(str(value)) <= 12 else None
    except ValueError:
        number = None
    if number is None:
        raise ScimRefused(400, f"{name} must be a whole number", "invalidValue")
    return min(max(number, -1), _MOST)


def _descending(value: Any) -> bool:
    order = changes.text(value, "sortOrder").lower()
    if order not in ("", "ascending", "descending"):
        raise ScimRefused(400, "sortOrder must be ascending or descending", "invalidValue")
    return order == "descending"


def _names(value: Any, name: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ScimRefused(400, f"{name} must be a list of names", "invalidValue")
    return [each for each in value if each.strip()]


def _base(request: Request) -> str:
    return f"{request.app.state.public_url.rstrip('/')}{_PATH}"


_CONFIGURATION: list[BaseRoute] = [
    _route("/ServiceProviderConfig", public=True, GET=configuration),
    _route("/Schemas", public=True, GET=described_schemas),
    _route("/Schemas/{id}", public=True, GET=described_schemas),
    _route("/ResourceTypes", public=True, GET=described_types),
    _route("/ResourceTypes/{id}", public=True, GET=described_types),
    _route("/Bulk", POST=bulk),
    _route("/.search", POST=unsupported),
    _route("/Me", GET=unsupported, PUT=unsupported, PATCH=unsupported, DELETE=unsupported),
]
_RESOURCES: list[BaseRoute] = [
    route
    for name in changes.COLLECTIONS
    for route in (
        _route(f"/{name}", GET=list_, POST=change),
        _route(f"/{name}/.search", POST=search),
        _route(f"/{name}/{{id}}", GET=get, PUT=change, PATCH=change, DELETE=change),
    )
]
routes: list[BaseRoute] = [*_CONFIGURATION, *_RESOURCES, Route(_PATH + "/{rest:path}", _nowhere, methods=_METHODS)]
