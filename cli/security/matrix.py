"""Every rpc of the served contract, asked by every role and by the administrator of another organization."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cli.api import Json
from cli.security.findings import Finding
from cli.security.world import PEOPLE, World, side_by_side

_ROLES = (*PEOPLE, "OPERATOR")
_UUID = "00000000-0000-4000-8000-000000000000"
_BY_COLLECTION = {"decisions": _UUID, "exports": _UUID}


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    id: str
    roles: tuple[str, ...]
    own: str
    public: bool

    @classmethod
    def all(cls, document: Json) -> Iterator["Operation"]:
        for path, operations in document["paths"].items():
            for method, each in operations.items():
                roles = tuple(each["x-roles"])
                yield cls(method.upper(), path, each["operationId"], roles, each.get("x-own", ""), each.get("security") == [])

    def address(self, ids: dict[str, str], otherwise: str) -> str:
        """The path with ids filled in by the collection that they stand in."""

        def filled(match: re.Match[str]) -> str:
            return f"{match[1]}/{ids.get(match[1]) or _BY_COLLECTION.get(match[1]) or otherwise}"

        return re.sub(r"([A-Za-z]+)/\{[a-z_]+\}", filled, self.path)

    def body(self) -> Any:
        """A body that no rpc does anything with: it names nothing and has no request id."""
        if self.method == "GET":
            return None
        return [] if self.path.endswith(":stream") else {}


async def roles(world: World) -> Finding:
    """A rule lets through whom it names and nobody else. A learner asks for their own work, and for another's, where a rule compares."""
    finding = Finding("roles")
    operations = list(Operation.all(world.document))

    async def cell(operation: Operation, role: str) -> None:
        path = operation.address({"learners": world.user(role or "LEARNER")}, "none-of-ours")
        answer = await world.send(operation.method, path, operation.body(), world.tokens.get(role, ""))
        allowed = operation.public or role in operation.roles
        finding.expect(
            answer.refused_by_rule is not allowed and answer.status < 500,
            f"{operation.id} as {role or 'nobody'}: {answer.status} {answer.reason}",
        )

    await side_by_side(cell(operation, role) for operation in operations for role in ("", *_ROLES))
    for operation in operations:
        if operation.own and "LEARNER" in operation.roles and "learners/{" in operation.path:
            path = operation.address({"learners": world.user("TEACHER")}, "none-of-ours")
            answer = await world.send(operation.method, path, operation.body(), world.tokens["LEARNER"])
            finding.expect(answer.status == 404, f"{operation.id} of another learner: {answer.status} {answer.reason}")
    finding.note = f"{len(operations)} rpcs, {len(_ROLES) + 1} callers"
    return finding


async def tenants(world: World) -> Finding:
    """To the administrator of another organization nothing exists: an answer is a refusal, or holds nothing."""
    finding = Finding("tenants")
    ids = {"users": world.user("LEARNER"), "learners": world.user("LEARNER"), "organizations": world.organization}

    async def cell(operation: Operation) -> None:
        path = operation.address(ids, world.mark)
        query = f"?course=courses/{world.mark}" if operation.method == "GET" and "learners" in path else ""
        answer = await world.send(operation.method, path + query, operation.body(), world.other_admin)
        if answer.status == 400 and query:
            answer = await world.send(operation.method, path, operation.body(), world.other_admin)
        held = 400 <= answer.status < 500 if answer.status != 200 else _holds_nothing(answer.body)
        finding.expect(held, f"{operation.id}: {answer.status} {answer.text[:100]}")

    await side_by_side(
        cell(operation)
        for operation in Operation.all(world.document)
        if not operation.public and "{" in operation.path and not {"ADMIN", "TEACHER", "AUTHOR"}.isdisjoint(operation.roles)
    )
    return finding


def _holds_nothing(body: Json) -> bool:
    """Lists and objects are empty: a name that was asked for may be repeated, and zeros say nothing."""
    return not any(each for each in body.values() if isinstance(each, list)) and all(
        _holds_nothing(each) for each in body.values() if isinstance(each, dict)
    )
