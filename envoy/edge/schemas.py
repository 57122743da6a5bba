"""JSON Schemas of messages, as the proto JSON mapping spells them (protobuf.dev/programming-guides/json)."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto

from edge.contract import Contract, behaviors

Json = dict[str, Any]

ID_PATTERN = "^[^/:]{1,128}$"
_NAME = re.compile(r"^`(?P<name>[a-z]+[A-Za-z]*(?:/\{[a-z_]+\}|/[a-z]+[A-Za-z]*)+)`")

_SCALARS: dict[int, Json] = {
    FieldDescriptorProto.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptorProto.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptorProto.TYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    FieldDescriptorProto.TYPE_UINT64: {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"},
    FieldDescriptorProto.TYPE_FIXED64: {"type": "string", "format": "uint64", "pattern": "^[0-9]+$"},
    FieldDescriptorProto.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptorProto.TYPE_UINT32: {"type": "integer", "format": "int64", "minimum": 0},
    FieldDescriptorProto.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptorProto.TYPE_STRING: {"type": "string"},
    FieldDescriptorProto.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}
_WELL_KNOWN: dict[str, Json] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$", "examples": ["1.5s"]},
    "google.protobuf.FieldMask": {
        "type": "string",
        "description": "Field paths, comma-separated.",
        "examples": ["title,description"],
    },
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Value": {},
}


class Schemas:
    """Makes schemas and remembers which messages and enums were referred to."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._made: dict[str, Json] = {}

    def used(self) -> dict[str, Json]:
        return dict(sorted(self._made.items()))

    def of_message(self, name: str) -> Json:
        """A reference to the schema of a message; a well-known type is spelled out."""
        if name in _WELL_KNOWN:
            return deepcopy(_WELL_KNOWN[name])
        key = _key(name)
        if key not in self._made:
            self._made[key] = {}  # a message may hold itself
            self._made[key] = self._object(name, self._contract.messages[name], frozenset())
        return {"$ref": f"#/components/schemas/{key}"}

    def of_body(self, name: str, rpc: str, bound: set[str]) -> Json:
        """The schema of a body: the request without the fields that the path sets."""
        message = self._contract.messages[name]
        outside = frozenset(field.name for field in message.field if field.name in bound)
        if not outside:
            return self.of_message(name)
        key = f"{_key(name).partition('.')[0]}.{rpc}Body"
        self._made[key] = self._object(name, message, outside)
        return {"$ref": f"#/components/schemas/{key}"}

    def fields(self, name: str) -> Iterator[tuple[str, Json, bool]]:
        """Name, schema and whether it is required, of each field."""
        for field in self._contract.messages[name].field:
            yield field.name, self._field(f"{name}.{field.name}", field), "REQUIRED" in behaviors(field)

    def _object(self, name: str, message: DescriptorProto, without: frozenset[str]) -> Json:
        shown = [field for field in message.field if field.name not in without]
        text = self._contract.comments.get(name, "")
        for index, group in enumerate(message.oneof_decl):
            members = [field for field in shown if field.oneof_index == index and field.HasField("oneof_index")]
            if members and not members[0].proto3_optional:
                listed = ", ".join(f"`{field.json_name}`" for field in members)
                text += f"\n\nAt most one of {listed} is set (`{group.name}`)."
        schema: Json = {"type": "object", "description": text.strip()}
        if shown:
            schema["properties"] = {field.json_name: self._field(f"{name}.{field.name}", field) for field in shown}
        if required := [field.json_name for field in shown if "REQUIRED" in behaviors(field)]:
            schema["required"] = required
        return schema

    def _field(self, full_name: str, field: FieldDescriptorProto) -> Json:
        text = self._contract.comments.get(full_name, "")
        one = self._one(field)
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            schema = self._repeated(field, one)
        else:
            schema = one
            if one.get("type") == "string" and (pattern := name_pattern(text)):
                schema["pattern"] = pattern
        if field.name == "request_id":
            schema["format"] = "uuid"
        if text:
            # In 3.1 a description may stand beside $ref.
            schema["description"] = text
        kinds = behaviors(field)
        if "OUTPUT_ONLY" in kinds:
            schema["readOnly"] = True
        if "INPUT_ONLY" in kinds:
            schema["writeOnly"] = True
        return schema

    def _repeated(self, field: FieldDescriptorProto, one: Json) -> Json:
        entry = self._contract.messages.get(field.type_name.lstrip("."))
        if entry is not None and entry.options.map_entry:
            return {"type": "object", "additionalProperties": self._one(entry.field[1])}
        return {"type": "array", "items": one}

    def _one(self, field: FieldDescriptorProto) -> Json:
        name = field.type_name.lstrip(".")
        if field.type == FieldDescriptorProto.TYPE_ENUM:
            key = _key(name)
            self._made.setdefault(key, self._enum(name, self._contract.enums[name]))
            return {"$ref": f"#/components/schemas/{key}"}
        if field.type == FieldDescriptorProto.TYPE_MESSAGE:
            if self._contract.messages[name].options.map_entry:
                return {}
            return self.of_message(name)
        return deepcopy(_SCALARS[field.type])

    def _enum(self, name: str, enum: EnumDescriptorProto) -> Json:
        lines = [f"- `{value.name}`: {self._contract.comments.get(f'{name}.{value.name}', '')}" for value in enum.value]
        text = self._contract.comments.get(name, "")
        return {"type": "string", "description": f"{text}\n\n" + "\n".join(lines), "enum": [value.name for value in enum.value]}


def name_pattern(comment: str) -> str:
    """The pattern of the resource name that a field's comment begins with; empty if it is not one or may be empty or another."""
    match = _NAME.match(comment)
    if not match or "{" not in match["name"] or "mpty" in comment or ", or " in comment:
        return ""
    return "^" + re.sub(r"\{[a-z_]+\}", "[^/]{1,128}", match["name"]) + "$"


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(each.capitalize() for each in rest)


def first_sentence(text: str) -> str:
    return re.split(r"(?<=[.:]) ", text, maxsplit=1)[0].rstrip(".:")


def error_schemas() -> dict[str, Json]:
    """google.rpc.Status and the details that occur."""

    def detail(name: str, text: str, **properties: Json) -> Json:
        kind = {"type": "string", "const": f"type.googleapis.com/google.rpc.{name}"}
        return {"type": "object", "description": text, "required": ["@type"], "properties": {"@type": kind, **properties}}

    text = {"type": "string"}
    violation = {"type": "object", "properties": {"field": text, "description": text}}
    return {
        "Status": {
            "type": "object",
            "description": "A refusal (google.rpc.Status).",
            "required": ["code", "message"],
            "properties": {
                "code": {
                    "type": "integer",
                    "description": "google.rpc.Code: 3 INVALID_ARGUMENT, 5 NOT_FOUND, 16 UNAUTHENTICATED ...",
                },
                "message": {"type": "string", "description": "For the developer, in English."},
                "details": {
                    "type": "array",
                    "items": {
                        "anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("ErrorInfo", "BadRequest", "RetryInfo")]
                    },
                },
            },
        },
        "ErrorInfo": detail(
            "ErrorInfo",
            "Why, in a stable form for programs.",
            reason={"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$"},
            domain={"type": "string", "const": "paideia"},
            metadata={"type": "object", "additionalProperties": text},
        ),
        "BadRequest": detail(
            "BadRequest", "Every field at fault that was found.", fieldViolations={"type": "array", "items": violation}
        ),
        "RetryInfo": detail(
            "RetryInfo", "When trying again makes sense.", retryDelay=deepcopy(_WELL_KNOWN["google.protobuf.Duration"])
        ),
    }


def _key(name: str) -> str:
    """`paideia.catalog.v1.Item` → `catalog.Item`."""
    return re.sub(r"^paideia\.([a-z]+)\.v1\.", r"\1.", name)
