"""Reads a course that is written in YAML files; docs/authoring.md describes the format."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from paideia.catalog.v1 import catalog_service_pb2, item_pb2

from cli.yaml_text import Rows, Table, Text, Value, YamlFault, fault, read_yaml

ANY_ITEM = {"id", "type", "title", "also", "stem", "hints", "explanation", "check"}


class CourseFaults(Exception):
    """Everything that is wrong with a course's files, each with its file and line."""

    def __init__(self, faults: Iterable[YamlFault]) -> None:
        self.faults = [str(each) for each in faults]
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True, slots=True)
class CourseItem:
    """An item with the text it was written as; `source["check"]` is for tests and not part of the message."""

    message: item_pb2.Item
    source: Table


@dataclass(frozen=True, slots=True)
class CourseFiles:
    """What the files of a course say. Names in the messages begin with the course's id: `skills/fractions.add`."""

    id: str
    course: catalog_service_pb2.Course
    skills: tuple[catalog_service_pb2.Skill, ...]
    items: tuple[CourseItem, ...]


def read_course(directory: Path) -> CourseFiles:
    """Reads `course.yaml`, `skills.yaml` and `items/*.yaml`. Raises CourseFaults naming all that is wrong."""
    faults: list[YamlFault] = []

    def attempt(read: Callable[[], None]) -> None:
        try:
            read()
        except YamlFault as found:
            faults.append(found)

    heads, skills, items = list[Table](), list[Value](), list[tuple[str, Table]]()
    attempt(lambda: heads.append(_head(read_yaml(directory / "course.yaml", directory))))
    attempt(lambda: skills.extend(_rows(read_yaml(directory / "skills.yaml", directory))))
    for path in sorted((directory / "items").glob("*.yaml")):
        attempt(
            lambda path=path: items.extend(  # type: ignore[misc]  # bound now
                (path.stem, _table(each)) for each in _rows(read_yaml(path, directory))
            )
        )
    if faults:
        raise CourseFaults(faults)

    (head,) = heads
    course_id = _text(head, "id")
    read_skills: dict[str, catalog_service_pb2.Skill] = {}
    read_items: dict[str, CourseItem] = {}
    sources: dict[str, Table] = {}

    def add_skill(row: Value) -> None:
        table = _table(row)
        skill = _skill(table, course_id)
        if skill.name in read_skills:
            raise fault(table["id"], "another skill has this id")
        read_skills[skill.name] = skill
        sources[skill.name] = table

    def add_item(skill: str, table: Table) -> None:
        message = _item(table, course_id, skill)
        if message.name in read_items:
            raise fault(table["id"], "another item has this id")
        for name in message.skills:
            if name not in read_skills:
                raise fault(table, f"there is no skill {name.removeprefix(f'skills/{course_id}.')} in skills.yaml")
        read_items[message.name] = CourseItem(message, table)

    for row in skills:
        attempt(lambda row=row: add_skill(row))  # type: ignore[misc]
    for skill, table in items:
        attempt(lambda skill=skill, table=table: add_item(skill, table))  # type: ignore[misc]
    for each in read_skills.values():
        attempt(lambda each=each: _check_prerequisites(each, read_skills, sources[each.name]))  # type: ignore[misc]
    if faults:
        raise CourseFaults(faults)
    course = catalog_service_pb2.Course(
        name=f"courses/{course_id}",
        title=_text(head, "title"),
        description=_text(head, "description", ""),
        skills=list(read_skills),
    )
    return CourseFiles(course_id, course, tuple(read_skills.values()), tuple(read_items.values()))


def _head(value: Value) -> Table:
    table = _table(value)
    _only(table, {"id", "title", "description"})
    for key in ("id", "title"):
        _text(table, key)
    return table


def _skill(table: Table, course_id: str) -> catalog_service_pb2.Skill:
    _only(table, {"id", "title", "description", "after"})
    return catalog_service_pb2.Skill(
        name=f"skills/{course_id}.{_text(table, 'id')}",
        title=_text(table, "title"),
        description=_text(table, "description", ""),
        prerequisites=[f"skills/{course_id}.{each}" for each in _texts(table, "after")],
    )


def _check_prerequisites(skill: catalog_service_pb2.Skill, skills: dict[str, catalog_service_pb2.Skill], source: Table) -> None:
    for name, written in zip(skill.prerequisites, _texts(source, "after"), strict=True):
        if name not in skills:
            raise fault(source["after"], f"there is no skill {written} to come after")


def _item(table: Table, course_id: str, skill: str) -> item_pb2.Item:
    kind = _text(table, "type")
    if kind not in _KINDS:
        raise fault(table["type"], f"must be one of {', '.join(_KINDS)}")
    fields, fill = _KINDS[kind]
    _only(table, ANY_ITEM | fields)
    skills = dict.fromkeys([skill, *_texts(table, "also")])
    item = item_pb2.Item(
        name=f"items/{course_id}.{_text(table, 'id')}",
        title=_text(table, "title", ""),
        skills=[f"skills/{course_id}.{each}" for each in skills],
        body=item_pb2.Body(stem=_text(table, "stem")),
        key=item_pb2.Key(hints=_texts(table, "hints"), explanation=_text(table, "explanation", "")),
    )
    fill(table, item.body, item.key)
    return item


# Each of these fills the interaction of a body (or gap) and the answer of a key (or gap's key).
_Body = item_pb2.Body | item_pb2.Gap
_Key = item_pb2.Key | item_pb2.GapKey


def _single_choice(table: Table, body: _Body, key: _Key) -> None:
    _choices(table, body, key)
    if len(key.choice.correct) != 1:
        raise fault(table["choices"], f"must have one right choice, has {len(key.choice.correct)}")


def _multiple_choice(table: Table, body: _Body, key: _Key) -> None:
    _choices(table, body, key)
    body.choice.multiple = True


def _multiple_response(table: Table, body: _Body, key: _Key) -> None:
    _multiple_choice(table, body, key)
    key.choice.partial_credit = True


def _choices(table: Table, body: _Body, key: _Key) -> None:
    body.choice.fixed_order = _flag(table, "fixed_order")
    for row in _rows(_value(table, "choices")):
        choice = _table(row)
        _only(choice, {"right", "wrong", "because", "value"})
        if ("right" in choice) == ("wrong" in choice):
            raise fault(choice, "a choice is either right or wrong")
        option = _option(_text(choice, "right" if "right" in choice else "wrong"))
        body.choice.choices.append(option)
        if "right" in choice:
            key.choice.correct.append(option.id)
        if "because" in choice:
            key.choice.feedback[option.id] = _text(choice, "because")


def _numeric(table: Table, body: _Body, key: _Key) -> None:
    body.numeric.SetInParent()
    key.numeric.value = _text(table, "answer")
    key.numeric.tolerance = _text(table, "tolerance", "")
    key.numeric.lowest_terms = _flag(table, "lowest_terms")
    for unit, factor in _table(table.get("units", Table())).items():
        body.numeric.units.append(unit)
        key.numeric.units[unit] = str(factor)
    key.numeric.feedback.update(_feedback(table))


def _short_text(table: Table, body: _Body, key: _Key) -> None:
    longest = _text(table, "max_length", "0")
    if not longest.isdecimal():
        raise fault(table["max_length"], "max_length must be a whole number")
    body.short_text.max_length = int(longest)
    key.short_text.accepted.extend(_texts(table, "accepted"))
    key.short_text.patterns.extend(_texts(table, "patterns"))
    key.short_text.case_sensitive = _flag(table, "case_sensitive")
    key.short_text.feedback.update(_feedback(table))


def _ordering(table: Table, body: item_pb2.Body, key: item_pb2.Key) -> None:
    entries = [_option(_labelled(row)) for row in _rows(_value(table, "order"))]
    # Not in the right order even before they are shuffled.
    body.ordering.entries.extend(sorted(entries, key=lambda entry: entry.id))
    key.ordering.order.extend(entry.id for entry in entries)
    key.ordering.partial_credit = _flag(table, "partial")


def _matching(table: Table, body: item_pb2.Body, key: item_pb2.Key) -> None:
    targets: dict[str, item_pb2.Option] = {}
    for row in _rows(_value(table, "pairs")):
        pair = _table(row)
        _only(pair, {"match", "with", "value", "with_value"})
        source, target = _option(_text(pair, "match")), _option(_text(pair, "with"))
        body.matching.sources.append(source)
        targets[target.id] = target
        key.matching.matches[source.id] = target.id
    for row in _rows(table.get("spare", Rows())):
        spare = _option(_labelled(row))
        targets[spare.id] = spare
    body.matching.targets.extend(targets[each] for each in sorted(targets))
    key.matching.partial_credit = _flag(table, "partial")


def _cloze(table: Table, body: item_pb2.Body, key: item_pb2.Key) -> None:
    for gap_id, row in _table(_value(table, "gaps")).items():
        gap, kind = _table(row), _text(_table(row), "type")
        if kind not in _GAP_KINDS:
            raise fault(gap["type"], f"must be one of {', '.join(_GAP_KINDS)}")
        fields, fill = _GAP_KINDS[kind]
        _only(gap, {"type", "check"} | fields)
        fill(gap, body.cloze.gaps.add(id=gap_id), key.cloze.gaps[gap_id])
    key.cloze.partial_credit = _flag(table, "partial")


_GAP_KINDS: dict[str, tuple[set[str], Callable[[Table, _Body, _Key], None]]] = {
    "single-choice": ({"choices", "fixed_order"}, _single_choice),
    "numeric": ({"answer", "tolerance", "lowest_terms", "units", "wrong"}, _numeric),
    "short-text": ({"accepted", "patterns", "case_sensitive", "max_length", "wrong"}, _short_text),
}
_KINDS: dict[str, tuple[set[str], Callable[[Table, item_pb2.Body, item_pb2.Key], None]]] = {
    **_GAP_KINDS,
    "multiple-choice": ({"choices", "fixed_order"}, _multiple_choice),
    "multiple-response": ({"choices", "fixed_order"}, _multiple_response),
    "ordering": ({"order", "partial"}, _ordering),
    "matching": ({"pairs", "spare", "partial"}, _matching),
    "cloze": ({"gaps", "partial"}, _cloze),
}


def _option(text: str) -> item_pb2.Option:
    """The id comes from the text, so that it neither betrays the place in the file nor changes when entries move."""
    return item_pb2.Option(id=hashlib.sha256(text.encode()).hexdigest()[:8], text=text)


def _labelled(row: Value) -> str:
    """An entry is a text, or a table of its `text` and, for tests, its `value`."""
    if isinstance(row, Text):
        return str(row)
    table = _table(row)
    _only(table, {"text", "value"})
    return _text(table, "text")


def _feedback(table: Table) -> dict[str, str]:
    return {wrong: str(said) for wrong, said in _table(table.get("wrong", Table())).items()}


def _only(table: Table, known: set[str]) -> None:
    for key, value in table.items():
        if key not in known:
            raise fault(value, f"{key} is not known here; there are {', '.join(sorted(known))}")


def _value(table: Table, key: str) -> Value:
    if key not in table:
        raise fault(table, f"{key} is missing")
    return table[key]


def _text(table: Table, key: str, default: str | None = None) -> str:
    if default is not None and key not in table:
        return default
    value = _value(table, key)
    if not isinstance(value, Text):
        raise fault(value, f"{key} must be text")
    return str(value).strip()


def _texts(table: Table, key: str) -> list[str]:
    rows = _rows(table.get(key, Rows()))
    for each in rows:
        if not isinstance(each, Text):
            raise fault(each, f"{key} must be a list of texts")
    return [str(each).strip() for each in rows]


def _flag(table: Table, key: str) -> bool:
    text = _text(table, key, "no")
    if text not in ("yes", "no", "true", "false"):
        raise fault(table[key], f"{key} must be yes or no")
    return text in ("yes", "true")


def _table(value: Value) -> Table:
    if not isinstance(value, Table):
        raise fault(value, "must be a table of `name: value`")
    return value


def _rows(value: Value) -> Rows:
    if not isinstance(value, Rows):
        raise fault(value, "must be a list, each entry beginning with `- `")
    return value
