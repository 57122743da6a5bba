"""Every rpc of every context, called over a real channel as every role, as nobody, as a program and as a context: exactly the rule's verdict.

Behind the rules are servicers that answer anything with an empty message, so that whatever is refused was refused by the rule.
"""

from __future__ import annotations  # grpcio's classes are generic in their stubs only

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from domain.shared.caller import Caller, Role
from services.host.host import CONTEXTS, service_of
from services.shared.rules import rule_of
from tests.rpc.serving import Calls, PlainTokens, serving

METHODS = [method for context in CONTEXTS for method in service_of(context).methods]
PEOPLE = ("LEARNER", "TEACHER", "AUTHOR", "ADMIN", "OPERATOR")
DENIED = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)


class TokensOfPrograms(PlainTokens):
    """`organization/program/ROLE;scope scope` speaks for a program."""

    async def verify(self, token: str) -> Caller:
        spelled, found, scopes = token.partition(";")
        caller = await super().verify(spelled)
        return Caller(caller.organization, caller.user, caller.roles, frozenset(scopes.split())) if found else caller


def answering(method: MethodDescriptor) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler that answers whatever it is asked with an empty message."""
    request = message_factory.GetMessageClass(method.input_type)
    answer = message_factory.GetMessageClass(method.output_type)

    async def one(_: Message, __: Any) -> Message:
        return answer()

    async def many(requests: AsyncIterator[Message], __: Any) -> AsyncIterator[Message]:
        async for _ in requests:
            yield answer()

    if method.client_streaming:
        return grpc.stream_stream_rpc_method_handler(many, request.FromString, answer.SerializeToString)
    return grpc.unary_unary_rpc_method_handler(one, request.FromString, answer.SerializeToString)


def register(server: grpc.aio.Server) -> None:
    for context in CONTEXTS:
        service = service_of(context)
        server.add_registered_method_handlers(service.full_name, {each.name: answering(each) for each in service.methods})


@pytest.fixture
async def calls() -> AsyncIterator[Calls]:
    async with serving(register, verifier=TokensOfPrograms()) as calls:
        yield calls


def request_of(method: MethodDescriptor, learner: str) -> Message:
    """An empty request that names this learner where the rule compares names."""
    request: Message = message_factory.GetMessageClass(method.input_type)()
    *path, last = (rule_of(method).own_field or "").split(".")
    place = request
    for each in path:
        place = getattr(place, each)
    if last:
        setattr(place, last, f"learners/{learner}")
    return request


async def verdict(calls: Calls, method: MethodDescriptor, token: str, learner: str = "ada") -> grpc.StatusCode:
    path = f"/{method.containing_service.full_name}/{method.name}"
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    request = request_of(method, learner)
    answer = message_factory.GetMessageClass(method.output_type)
    try:
        if method.client_streaming:
            stream = calls.channel.stream_stream(path, type(request).SerializeToString, answer.FromString)
            async for _ in stream(iter([request]), metadata=metadata):
                pass
        else:
            await calls.channel.unary_unary(path, type(request).SerializeToString, answer.FromString)(request, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_every_rpc_answers_every_role_as_its_rule_says(calls: Calls) -> None:
    cells, wrong = 0, []
    for method in METHODS:
        rule = rule_of(method)
        for role in PEOPLE:
            code = await verdict(calls, method, f"north/ada/{role}")
            expected = grpc.StatusCode.OK if rule.public or Role(role) in rule.allow else grpc.StatusCode.PERMISSION_DENIED
            cells += 1
            if code is not expected:
                wrong.append((method.full_name, role, code.name))
    assert not wrong
    assert cells == len(METHODS) * len(PEOPLE) > 700


async def test_without_a_token_only_public_rpcs_answer(calls: Calls) -> None:
    found = {method.full_name: await verdict(calls, method, "") for method in METHODS}
    public = {method.full_name for method in METHODS if rule_of(method).public}
    assert {name for name, code in found.items() if code is grpc.StatusCode.OK} == public
    assert {found[name] for name in found.keys() - public} == {grpc.StatusCode.UNAUTHENTICATED}


async def test_contexts_call_what_is_for_them_and_nothing_else(calls: Calls) -> None:
    token = calls.as_service()[0][1].removeprefix("Bearer ")
    found = {method.full_name for method in METHODS if await verdict(calls, method, token) is grpc.StatusCode.OK}
    assert found == {method.full_name for method in METHODS if rule_of(method).public or Role.SERVICE in rule_of(method).allow}


async def test_a_program_needs_the_scope_besides_the_role(calls: Calls) -> None:
    wrong = []
    for method in METHODS:
        rule = rule_of(method)
        with_scope = await verdict(calls, method, f"north/ada/ADMIN;{rule.scope or 'none'}")
        without = await verdict(calls, method, "north/ada/ADMIN;nothing.read")
        allowed = rule.public or Role.ADMIN in rule.allow
        if (with_scope not in DENIED) is not allowed or (without not in DENIED) is not rule.public:
            wrong.append((method.full_name, with_scope.name, without.name))
    assert not wrong


async def test_learners_reach_only_themselves_where_a_rule_compares(calls: Calls) -> None:
    owned = [method for method in METHODS if rule_of(method).own and Role.LEARNER in rule_of(method).allow]
    assert len(owned) > 20
    for method in owned:
        assert await verdict(calls, method, "north/ada/LEARNER", "bob") is grpc.StatusCode.NOT_FOUND, method.full_name


def test_no_rpc_is_for_everybody_by_mistake() -> None:
    """What is PUBLIC is listed here once more: a new one must be meant."""
    public = {method.name for method in METHODS if rule_of(method).public}
    signing_in = {"SignIn", "CompleteSignIn", "BeginPasskeySignIn", "RefreshSession", "SignOut"}
    by_mail = {"AcceptInvitation", "SignUp", "VerifyEmail", "RequestPasswordReset", "ResetPassword"}
    assert signing_in | by_mail | {"GetJwks"} <= public
    assert all(method.containing_service.name == "IdentityService" for method in METHODS if method.name in public)
