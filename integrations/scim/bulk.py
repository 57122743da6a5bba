"""Many changes in one request (RFC 7644, section 3.7): each is done, or refused, on its own."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
from google.protobuf.message import Message

from integrations.scim import bodies, changes, schemas
from integrations.scim.bodies import ScimRefused
from integrations.scim.schemas import LONGEST_BODY, MOST_OPERATIONS, Json
from integrations.shared.identity import Refusal

_SECONDS = 15.0
"""So that the answer is there before the edge gives up on it."""
_DEEPEST = 20
_REFERENCE = "bulkId:"
_METHODS = tuple(changes.STATUSES)

Send = Callable[[str, Message], Awaitable[Any]]
"""Calls an rpc of identity. Raises Refusal."""


@dataclass(frozen=True, eq=False)
class Operation:
    """`needs` are the bulkIds that it refers to; `wrong` is what is the matter with it before anything is tried."""

    method: str
    bulk_id: str
    path: str
    version: str
    data: Any
    needs: frozenset[str] = frozenset()
    wrong: ScimRefused | None = None

    @property
    def makes(self) -> str:
        return self.bulk_id if self.method == "POST" else ""

    @property
    def target(self) -> tuple[str, str]:
        """The collection and the id, which is empty for a whole collection."""
        collection, _, resource_id = self.path.removeprefix("/").partition("/")
        return collection, resource_id


@dataclass
class Bulk:
    """One request. `made` are the ids of what its operations made, by their bulkIds."""

    send: Send
    base: str
    operations: Sequence[Operation]
    most_errors: int
    made: dict[str, str] = field(default_factory=dict)
    done: int = 0
    later: ScimRefused | None = None
    """Why what is left is not tried."""

    async def __call__(self) -> Json:
        """Returns the answer: of operations in the order of the request, without those that came after too many errors.

        What an operation refers to is made before it. Raises Refusal when nothing was done, because identity could not or for who asks.
        """
        answers: dict[int, Json] = {}
        waiting = dict(enumerate(self.operations))
        errors, give_up = 0, time.monotonic() + _SECONDS
        while waiting and errors < self.most_errors:
            missing = {each.makes for each in waiting.values()} - {""}
            at = next((at for at, each in waiting.items() if not each.needs & missing), None)
            circular = at is None
            at = next(iter(waiting)) if at is None else at
            operation = waiting.pop(at)
            if time.monotonic() > give_up and self.later is None:
                self.later = ScimRefused(503, "there was no time left for this operation: send it again")
            try:
                if circular:
                    raise ScimRefused(409, "bulkIds refer to each other in a circle")
                answers[at] = await self._perform(operation)
                self.done += 1
            except ScimRefused as refused:
                errors += 1
                answers[at] = self._answer(operation, int(refused.body["status"]), response=refused.body)
        return {"schemas": [schemas.BULK_RESPONSE], "Operations": [answers[at] for at in sorted(answers)]}

    async def _perform(self, operation: Operation) -> Json:
        """Raises ScimRefused; Refusal when nothing has been done and nothing will be."""
        if operation.wrong is not None:
            raise operation.wrong
        if not_made := sorted(operation.needs - set(self.made)):
            raise ScimRefused(409, f"what bulkId {not_made[0][:80]!a} stands for was not made")
        if self.later is not None:
            raise self.later
        collection, resource_id = operation.target
        resource_id = _resolved(resource_id, self.made)
        data = _resolved(operation.data, self.made)
        rpc, asked = changes.asked(operation.method, collection, resource_id, data, bodies.etag(operation.version))
        try:
            changed = await self.send(rpc, asked)
        except Refusal as refusal:
            refused = bodies.refused(refusal)
            away = "retry-after" in refused.answer.headers
            if not self.done and (away or _of_who_asks(refusal)):
                raise
            if away:
                self.later = refused
            raise refused from None
        if operation.method == "DELETE":
            return self._answer(operation, 204)
        if operation.makes:
            self.made[operation.makes] = changed.id
        more = {"version": bodies.version(changed), "location": f"{self.base}/{collection}/{changed.id}"}
        return self._answer(operation, changes.STATUSES[operation.method], **more)

    def _answer(self, operation: Operation, status: int, **more: Any) -> Json:
        known: Json = {"bulkId": operation.bulk_id} if operation.bulk_id else {}
        if operation.method != "POST" and not operation.wrong and operation.needs <= set(self.made):
            collection, resource_id = operation.target
            known["location"] = f"{self.base}/{collection}/{_resolved(resource_id, self.made)}"
        return {"method": operation.method, **known, **more, "status": str(status)}


async def answered(given: Json, send: Send, base: str) -> Json:
    """Raises ScimRefused, Refusal."""
    listed = bodies.named(given, "Operations")
    if not isinstance(listed, list) or not listed or not all(isinstance(each, dict) for each in listed):
        raise ScimRefused(400, "Operations must be a list of objects, and have at least one", "invalidSyntax")
    if len(listed) > MOST_OPERATIONS:
        limits = f"maxOperations is {MOST_OPERATIONS}, maxPayloadSize {LONGEST_BODY} bytes"
        raise ScimRefused(413, f"there are {len(listed)} operations: {limits}")
    most = bodies.named(given, "failOnErrors")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise ScimRefused(400, "failOnErrors must be a whole number, at least 1", "invalidValue")
    makes = [text for each in listed if _method(each) == "POST" and (text := _text(each, "bulkId"))]
    if len(set(makes)) < len(makes):
        raise ScimRefused(400, "each bulkId must be of one operation only", "invalidValue")
    operations = [_operation(each, frozenset(makes)) for each in listed]
    return await Bulk(send, base, operations, most or len(listed))()


def _operation(given: Json, makes: frozenset[str]) -> Operation:
    bulk_id, path, version = (_text(given, name) for name in ("bulkId", "path", "version"))
    operation = Operation(_method(given), bulk_id, path, version, bodies.named(given, "data"))
    try:
        return _checked(operation, makes)
    except ScimRefused as refused:
        return replace(operation, wrong=refused)


def _checked(operation: Operation, makes: frozenset[str]) -> Operation:
    """Returns it with what it needs. Raises ScimRefused."""
    collection, resource_id = operation.target
    if operation.method not in _METHODS:
        raise ScimRefused(405, f"method must be one of {', '.join(_METHODS)}")
    if collection not in changes.COLLECTIONS or "/" in resource_id:
        raise ScimRefused(404, "path must be /Users, /Groups, or one of these with an id")
    if (operation.method == "POST") is bool(resource_id):
        raise ScimRefused(405, f"{operation.method} is not for this path")
    if operation.method == "POST" and not operation.bulk_id:
        raise ScimRefused(400, "bulkId is required for POST", "invalidValue")
    if operation.method != "DELETE" and not isinstance(operation.data, dict):
        raise ScimRefused(400, "data must be an object", "invalidSyntax")
    needs = frozenset(_references([resource_id, operation.data], 0))
    if unknown := sorted(needs - makes):
        raise ScimRefused(400, f"no operation has the bulkId {unknown[0][:80]!a}", "invalidValue")
    return replace(operation, needs=needs)


def _references(value: Any, depth: int) -> set[str]:
    """Raises ScimRefused for what is nested deeper than any resource."""
    if depth > _DEEPEST:
        raise ScimRefused(400, f"data must be at most {_DEEPEST} levels deep", "invalidSyntax")
    if isinstance(value, str):
        return {value.removeprefix(_REFERENCE)} if value.startswith(_REFERENCE) else set()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*(_references(each, depth + 1) for each in inner))


def _resolved(value: Any, made: Mapping[str, str]) -> Any:
    """The value with the ids that references stand for."""
    if isinstance(value, str):
        return made.get(value.removeprefix(_REFERENCE), value) if value.startswith(_REFERENCE) else value
    if isinstance(value, dict):
        return {name: _resolved(each, made) for name, each in value.items()}
    return [_resolved(each, made) for each in value] if isinstance(value, list) else value


def _of_who_asks(refusal: Refusal) -> bool:
    """No operation would be done for them."""
    return refusal.code is grpc.StatusCode.UNAUTHENTICATED or refusal.reason == "SCOPE_MISSING"


def _method(given: Json) -> str:
    return _text(given, "method").upper()


def _text(given: Json, name: str) -> str:
    return changes.text(bodies.named(given, name), name)
