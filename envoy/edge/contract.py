"""The contract as the descriptors state it: services, rpcs with their REST mapping and rule, messages, enums, comments.

Everything in this folder is made from this one reading of `gen/paideia.binpb`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf import any_pb2, descriptor_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from paideia.auth.v1 import rule_pb2

_PACKAGE = re.compile(r"paideia\.(?P<context>[a-z]+)\.v1")
_VARIABLE = re.compile(r"\{(?P<field>[a-z0-9_.]+)(?:=(?P<pattern>[^}]+))?\}")
_SERVICE_ROLE, _PUBLIC_ROLE = "SERVICE", "PUBLIC"


class ContractFault(Exception):
    """The protos lack something that the edge cannot do without."""


@dataclass(frozen=True)
class Variable:
    """A variable of a REST path: the request field it sets and the pattern of its value (`learners/*/items/*`)."""

    field: str
    pattern: str

    @property
    def parameters(self) -> tuple[str, ...]:
        """The name of each `*` of the pattern: the collection before it, in the singular."""
        segments = self.pattern.split("/")
        if self.pattern == "*":
            return (self.field.rpartition(".")[2],)
        return tuple(_singular(segments[i - 1]) for i, segment in enumerate(segments) if segment == "*")


@dataclass(frozen=True)
class Http:
    """How REST reaches an rpc."""

    method: str
    template: str
    body: str

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(Variable(m["field"], m["pattern"] or "*") for m in _VARIABLE.finditer(self.template))

    @property
    def regex(self) -> str:
        """Matches the whole path, without its query. A segment holds no `:`, which begins a custom verb."""
        return "".join(
            re.escape(literal) if not wild else "[^/:]+" for literal, wild in _pieces(_VARIABLE.sub(_pattern_of, self.template))
        )


@dataclass(frozen=True)
class Rpc:
    """One method. `context` is the middle of its package; `allow` holds bare role names."""

    context: str
    service: str
    name: str
    comment: str
    request: str
    response: str
    client_streaming: bool
    server_streaming: bool
    http: Http | None
    allow: tuple[str, ...]
    own: str

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.name}"

    @property
    def rest(self) -> Http:
        """Its REST mapping, which every rpc has that the outside may call."""
        if self.http is None:
            raise ContractFault(f"{self.service}.{self.name} may be called from outside and has no google.api.http mapping")
        return self.http

    @property
    def public(self) -> bool:
        return self.allow == (_PUBLIC_ROLE,)

    @property
    def internal(self) -> bool:
        """Whether only other contexts may call it: then the edge does not know it."""
        return self.allow == (_SERVICE_ROLE,)

    @property
    def streaming(self) -> bool:
        return self.client_streaming or self.server_streaming

    @property
    def reads(self) -> bool:
        """Whether repeating it is harmless, because it is a GET."""
        return self.http is not None and self.http.method == "GET"


@dataclass(frozen=True)
class Service:
    context: str
    name: str
    comment: str
    rpcs: tuple[Rpc, ...]


@dataclass(frozen=True)
class Contract:
    """`messages` and `enums` are by full name, without a leading dot; `comments` by the full name of anything."""

    files: descriptor_pb2.FileDescriptorSet
    services: tuple[Service, ...]
    messages: Mapping[str, descriptor_pb2.DescriptorProto]
    enums: Mapping[str, descriptor_pb2.EnumDescriptorProto]
    comments: Mapping[str, str] = field(repr=False)

    @property
    def rpcs(self) -> tuple[Rpc, ...]:
        return tuple(rpc for service in self.services for rpc in service.rpcs)

    @property
    def edge_rpcs(self) -> tuple[Rpc, ...]:
        """What the outside may reach."""
        return tuple(rpc for rpc in self.rpcs if not rpc.internal)

    @property
    def contexts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(service.context for service in self.services))

    def service_of(self, context: str) -> str:
        return next(service.name for service in self.services if service.context == context)


def read_contract(path: Path) -> Contract:
    """Reads a descriptor set made with imports and source info. Raises ContractFault if an rpc lacks a rule or a REST mapping."""
    files = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
    present = {each.name for each in files.file}
    # Error details reach REST clients as JSON only if the proxy knows their types.
    for module in (any_pb2, duration_pb2, status_pb2, error_details_pb2):
        if module.DESCRIPTOR.name not in present:
            module.DESCRIPTOR.CopyToProto(files.file.add())
    services, messages, enums, comments = [], {}, {}, {}
    for file in files.file:
        comments.update(_comments(file))
        for name, message in _messages(file.package, file.message_type):
            messages[name] = message
            enums.update({f"{name}.{each.name}": each for each in message.enum_type})
        enums.update({f"{file.package}.{each.name}": each for each in file.enum_type})
        if match := _PACKAGE.fullmatch(file.package):
            services += [_service(match["context"], file, each, comments) for each in file.service]
    return Contract(files, tuple(sorted(services, key=lambda each: each.name)), messages, enums, comments)


def behaviors(field_: descriptor_pb2.FieldDescriptorProto) -> frozenset[str]:
    """REQUIRED, OUTPUT_ONLY, INPUT_ONLY, IDENTIFIER ..., as google.api.field_behavior says."""
    values = field_.options.Extensions[field_behavior_pb2.field_behavior]
    return frozenset(field_behavior_pb2.FieldBehavior.Name(each) for each in values)


def _service(
    context: str,
    file: descriptor_pb2.FileDescriptorProto,
    service: descriptor_pb2.ServiceDescriptorProto,
    comments: Mapping[str, str],
) -> Service:
    name = f"{file.package}.{service.name}"
    return Service(context, name, comments.get(name, ""), tuple(_rpc(context, name, each, comments) for each in service.method))


def _rpc(context: str, service: str, method: descriptor_pb2.MethodDescriptorProto, comments: Mapping[str, str]) -> Rpc:
    rule: rule_pb2.Rule = method.options.Extensions[rule_pb2.rule]  # type: ignore[index]  # its stub has no type for options
    allow = tuple(rule_pb2.Role.Name(each).removeprefix("ROLE_") for each in rule.allow)
    if not allow or "UNSPECIFIED" in allow:
        raise ContractFault(f"{service}.{method.name} has no authorization rule")
    http = method.options.Extensions[annotations_pb2.http]
    verb = http.WhichOneof("pattern")
    rpc = Rpc(
        context,
        service,
        method.name,
        comments.get(f"{service}.{method.name}", ""),
        method.input_type.lstrip("."),
        method.output_type.lstrip("."),
        method.client_streaming,
        method.server_streaming,
        Http(verb.upper(), getattr(http, verb), http.body) if verb else None,
        allow,
        rule.own,
    )
    if not rpc.internal:
        _ = rpc.rest
    elif rpc.http is not None:
        raise ContractFault(f"{service}.{method.name} is for other contexts only and must have no google.api.http mapping")
    return rpc


def _messages(
    prefix: str, messages: Iterable[descriptor_pb2.DescriptorProto]
) -> Iterator[tuple[str, descriptor_pb2.DescriptorProto]]:
    for message in messages:
        name = f"{prefix}.{message.name}"
        yield name, message
        yield from _messages(name, message.nested_type)


def _comments(file: descriptor_pb2.FileDescriptorProto) -> dict[str, str]:
    """Leading comments by full name. A location's path alternates field numbers and indexes (descriptor.proto)."""
    found = {}
    for location in file.source_code_info.location:
        if not location.leading_comments:
            continue
        node: object = file
        names = [file.package]
        for number, index in zip(location.path[::2], location.path[1::2], strict=False):
            step = node.DESCRIPTOR.fields_by_number.get(number)  # type: ignore[attr-defined]
            if step is None or not step.is_repeated:
                break
            node = getattr(node, step.name)[index]
            names.append(getattr(node, "name", ""))
        else:
            # Lines of one paragraph are one line to whoever reads them elsewhere.
            text = "\n".join(line.strip() for line in location.leading_comments.strip().splitlines())
            found[".".join(names)] = re.sub(r"(?<!\n)\n(?!\n)", " ", text)
    return found


def _singular(collection: str) -> str:
    if collection.endswith("ies"):
        return collection[:-3] + "y"
    return collection.removesuffix("s")


def _pattern_of(match: re.Match[str]) -> str:
    return match["pattern"] or "*"


def _pieces(path: str) -> Iterator[tuple[str, bool]]:
    for index, literal in enumerate(path.split("*")):
        if index:
            yield "", True
        yield literal, False
