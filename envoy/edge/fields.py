"""The names of the fields of every request, for the check of JSON bodies in `fields.lua`."""

from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from edge.contract import Contract

_SCRIPT = Path(__file__).with_name("fields.lua")


def fields_script(contract: Contract) -> str:
    """The script with the table of messages before it."""
    reachable: dict[str, DescriptorProto] = {}
    waiting = [rpc.request for rpc in contract.edge_rpcs if rpc.http and rpc.http.body]
    while waiting:
        name = waiting.pop()
        if name not in reachable:
            reachable[name] = contract.messages[name]
            waiting += [_message(each) for each in reachable[name].field if _message(each)]
    lines = []
    for name, message in sorted(reachable.items()):
        if not message.options.map_entry:
            kinds = {spelled: _kind(contract, field) for field in message.field for spelled in (field.name, field.json_name)}
            lines.append(f'["{name}"]={{{",".join(f"{spelled}={kind}" for spelled, kind in kinds.items())}}}')
    return "local messages = {\n" + ",\n".join(lines) + "\n}\n" + _SCRIPT.read_text(encoding="utf-8")


def _message(field: FieldDescriptorProto) -> str:
    """The message a field holds; empty for a scalar and for well-known types, which JSON writes as texts."""
    name = field.type_name.lstrip(".")
    return name if field.type == FieldDescriptorProto.TYPE_MESSAGE and not name.startswith("google.") else ""


def _kind(contract: Contract, field: FieldDescriptorProto) -> str:
    name = _message(field)
    if not name:
        return "true"
    message = contract.messages[name]
    if not message.options.map_entry:
        return f'"{name}"'
    inner = _message(message.field[1])
    return f'"*{inner}"' if inner else "true"
