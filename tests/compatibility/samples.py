"""Samples of every event as releases have written it: made once, decoded for ever.

    python -m tests.compatibility.samples --release 0.1 [--write]

says which events have no sample of this shape yet and, with `--write`, writes them. What is there is never changed: it stands for the messages
in the logs of those who run that release.
"""

import argparse
import base64
import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message

from adapters.shared.topics import TYPES

FOLDER = Path(__file__).parent / "samples"
_WHOLE = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
)
_REAL = (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT)


@dataclass(frozen=True)
class Sample:
    """One stored event: its type, the release that wrote it, its encoding, and what it said, as proto JSON."""

    path: Path
    type: str
    release: str
    variant: str
    value: bytes
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Sample":
        told = json.loads(path.read_text())
        return cls(path, told["type"], told["release"], told["variant"], base64.b64decode(told["value"]), told["content"])


def stored() -> list[Sample]:
    """Returns every sample there is, by path."""
    return [Sample.read(each) for each in sorted(FOLDER.rglob("*.json"))]


def message_class(type: str) -> Any:
    """Returns the class of an event by its type's full name."""
    importlib.import_module(f"{type.rpartition('.')[0]}.events_pb2")
    return message_factory.GetMessageClass(Default().FindMessageTypeByName(type))


def types() -> list[str]:
    """Returns every type of event that the topics carry."""
    return sorted({each for types in TYPES.values() for each in types})


def full_messages(type: str) -> Iterator[tuple[str, Message]]:
    """Yields messages of a type with every field set: one for each member of its choice (`oneof`), by that member's name."""
    kind = message_class(type)
    choices = [each.name for oneof in kind.DESCRIPTOR.oneofs for each in oneof.fields if not _is_synthetic(oneof)]
    for variant in choices or [""]:
        message = kind()
        _fill(message, variant)
        yield variant or "event", message


def _is_synthetic(oneof: Any) -> bool:
    return len(oneof.fields) == 1 and oneof.name.startswith("_")


def _fill(message: Message, variant: str = "", depth: int = 0) -> None:
    descriptor: Descriptor = message.DESCRIPTOR
    for field in descriptor.fields:
        oneof = field.containing_oneof
        if oneof is not None and not _is_synthetic(oneof) and field.name != (variant or oneof.fields[0].name):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            _fill_map(message, field, depth)
        elif field.message_type is not None:
            if depth < 4:
                target = getattr(message, field.name)
                _fill_message(target.add() if field.is_repeated else target, depth)
        elif field.is_repeated:
            getattr(message, field.name).extend(_plain(field, number) for number in (1, 2))
        else:
            setattr(message, field.name, _plain(field, 1))


def _fill_map(message: Message, field: FieldDescriptor, depth: int) -> None:
    key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
    entries = getattr(message, field.name)
    if value.message_type is None:
        entries[_plain(key, 1)] = _plain(value, 1)
    else:
        _fill_message(entries[_plain(key, 1)], depth)


def _fill_message(message: Message, depth: int) -> None:
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.FromDatetime(datetime(2026, 9, 1, 8, 0, 0, 250_000, tzinfo=UTC))  # type: ignore[attr-defined]
    elif name == "google.protobuf.Duration":
        message.FromMilliseconds(12_500)  # type: ignore[attr-defined]
    else:
        message.SetInParent()
        _fill(message, depth=depth + 1)


def _plain(field: FieldDescriptor, number: int) -> Any:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return f"{field.name}-{number}".encode() if field.type == FieldDescriptor.TYPE_BYTES else f"{field.name}-{number}"
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return field.enum_type.values[min(number, len(field.enum_type.values) - 1)].number
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return True
    if field.cpp_type in _WHOLE:
        return field.number * 10 + number
    assert field.cpp_type in _REAL, field.full_name
    return 0.25 * number


def missing(release: str) -> Iterator[Sample]:
    """Yields a sample for every event whose present shape no stored sample has."""
    known: dict[tuple[str, str], list[bytes]] = {}
    for each in stored():
        known.setdefault((each.type, each.variant), []).append(each.value)
    for type in types():
        for variant, message in full_messages(type):
            value = message.SerializeToString(deterministic=True)
            if value in known.get((type, variant), []):
                continue
            content = json_format.MessageToDict(message)
            yield Sample(FOLDER / type / f"{variant}-{release}.json", type, release, variant, value, content)


def main() -> None:
    parser = argparse.ArgumentParser(description="Samples of the events of this release.")
    parser.add_argument("--release", required=True, help="the release they are written by")
    parser.add_argument("--write", action="store_true", help="write those that are missing")
    options = parser.parse_args()
    for each in missing(options.release):
        print(each.path.relative_to(FOLDER))
        if options.write:
            each.path.parent.mkdir(parents=True, exist_ok=True)
            told = {"type": each.type, "release": each.release, "variant": each.variant}
            told |= {"value": base64.b64encode(each.value).decode(), "content": each.content}
            with each.path.open("x") as file:
                file.write(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
