"""Every field of every rpc is given what nobody should send: the answer is a refusal or a result, never a fault of ours."""

import importlib
import math
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from paideia.auth.v1 import rule_pb2

from adapters.shared.service_tokens import sign_service_token
from domain.shared.clock import system_clock
from services.host.host import CONTEXTS, service_of
from stack.certificates import TOOLS
from tests.e2e.platform import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
FAULTS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE)
PASSWORD = "a long enough passphrase 7"
PLAUSIBLE = {
    "name": "courses/fractions",
    "learner": "learners/ada",
    "parent": "learners/ada",
    "course": "courses/fractions",
    "item": "items/none",
    "organization": "organizations/demo",
    "request_id": "",
    "id": "",
}
METHODS = [method for context in CONTEXTS for method in service_of(context).methods]


def nasty(field: FieldDescriptor) -> list[Any]:
    """Values of the field's type that no honest client sends."""
    if field.type in (field.TYPE_STRING,):
        return [
            "",
            "x" * 100_000,
            "a\0b",
            "../../etc/passwd",
            "learners/-",
            "learners/a/b/c/d/e",
            "ünï/çødé",
            "%s%n{}",
            "'; DROP TABLE x; --",
        ]
    if field.type in (field.TYPE_INT32, field.TYPE_SINT32):
        return [-1, -(2**31), 2**31 - 1]
    if field.type in (field.TYPE_INT64, field.TYPE_SINT64):
        return [-1, -(2**63), 2**63 - 1]
    if field.type in (field.TYPE_DOUBLE, field.TYPE_FLOAT):
        return [math.nan, math.inf, -math.inf, -1e308, 1e308]
    if field.type == field.TYPE_ENUM:
        return [0, 9_999, -1]
    if field.type == field.TYPE_BYTES:
        return [b"", b"\xff" * 1_000]
    return []


def plausible(message: Message, depth: int = 0) -> Message:
    """Fills the fields so that the mutated one is reached."""
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof is not None and field.containing_oneof.fields[0] is not field:
            continue
        if field.message_type is not None:
            if depth < 3 and not field.message_type.GetOptions().map_entry:
                value = getattr(message, field.name)
                plausible(value.add() if field.is_repeated else value, depth + 1)
                if not field.is_repeated:
                    value.SetInParent()
        elif field.type == field.TYPE_STRING:
            text = str(uuid4()) if field.name in ("request_id", "id") else PLAUSIBLE.get(field.name, "some-text")
            if field.is_repeated:
                getattr(message, field.name).append(text)
            else:
                setattr(message, field.name, text)
        elif field.type == field.TYPE_ENUM and not field.is_repeated:
            setattr(message, field.name, 1)
    return message


def mutations(message: Message, depth: int = 0) -> Iterator[None]:
    """Puts each nasty value into each field in turn, and restores it."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            if depth >= 3 or field.message_type.GetOptions().map_entry:
                continue
            value = getattr(message, field.name)
            if field.is_repeated:
                for element in list(value)[:1]:
                    yield from mutations(element, depth + 1)
                kept = [type(element).FromString(element.SerializeToString()) for element in value]
                del value[:]
                yield None
                value.extend(kept)
            elif message.HasField(field.name):
                yield from mutations(value, depth + 1)
            continue
        if field.is_repeated:
            value = getattr(message, field.name)
            kept = list(value)
            for bad in nasty(field):
                value[:] = [bad]
                yield None
            value[:] = kept
            continue
        before = getattr(message, field.name)
        for bad in nasty(field):
            setattr(message, field.name, bad)
            yield None
        setattr(message, field.name, before)


@pytest.fixture(scope="module")
def fuzzer(platform: Platform) -> str:
    platform.create_user("fuzzer", PASSWORD, "ROLE_ADMIN", "ROLE_AUTHOR", "ROLE_TEACHER")
    return platform.token("demo", "fuzzer", PASSWORD)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_no_field_of_no_rpc_makes_it_fail(platform: Platform, fuzzer: str, method: MethodDescriptor) -> None:
    context = method.containing_service.full_name.split(".")[1]
    importlib.import_module(f"paideia.{context}.v1.{context}_service_pb2")
    rule = method.GetOptions().Extensions[rule_pb2.rule]
    # Not the administrator that the other tests sign in as: wrong passwords close an account's door for a while.
    token = platform.token() if rule_pb2.ROLE_OPERATOR in rule.allow and len(rule.allow) == 1 else fuzzer
    if rule_pb2.ROLE_SERVICE in rule.allow:
        mesh_key = (platform.home.secrets / "mesh_key").read_text().strip().encode()
        token = sign_service_token(mesh_key, TOOLS, "demo", system_clock())
    metadata = (("authorization", f"Bearer {token}"),)
    path = f"/{method.containing_service.full_name}/{method.name}"
    request = plausible(GetMessageClass(method.input_type)())
    seen: dict[grpc.StatusCode, int] = {}
    with platform.channel(context) as channel:
        for _ in mutations(request):
            code, details = outcome(channel, path, method, request, metadata)
            assert code not in FAULTS, f"{code}: {details}\n{str(request)[:2000]}"
            seen[code] = seen.get(code, 0) + 1
    assert seen or all(nasty(field) == [] for field in method.input_type.fields)


def outcome(
    channel: grpc.Channel, path: str, method: MethodDescriptor, request: Message, metadata: tuple[tuple[str, str], ...]
) -> tuple[grpc.StatusCode, str]:
    try:
        if method.client_streaming:
            list(channel.stream_stream(path)(iter([request.SerializeToString()]), metadata=metadata, timeout=30))
        else:
            channel.unary_unary(path)(request.SerializeToString(), metadata=metadata, timeout=30)
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""
