"""YAML read as its author sees it: every scalar is text, every value knows its line, no key comes twice.

The usual loader turns `no` into false, `1:30` into 90 and `0.50` into 0.5; in teaching material all three are meant as written.
"""

from pathlib import Path
from typing import TypeAlias

import yaml

Value: TypeAlias = "Text | Rows | Table"


class YamlFault(Exception):
    """What is wrong with a file, and where: `items/add.yaml:12: ...`."""

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}:{line}: {problem}")


class Text(str):
    file: str
    line: int


class Rows(list[Value]):
    file: str
    line: int


class Table(dict[str, Value]):
    file: str
    line: int


def read_yaml(path: Path, root: Path) -> Value:
    """Returns the file's content; files are named in faults relative to `root`. Raises YamlFault."""
    file = path.relative_to(root).as_posix()
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlFault(file, line, error.problem or "is not YAML") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise YamlFault(file, 1, f"cannot be read: {error}") from None
    except OSError as error:
        raise YamlFault(file, 1, error.strerror or "cannot be read") from None
    if node is None:
        raise YamlFault(file, 1, "is empty")
    return _value(node, file, depth=0)


def fault(value: Value, problem: str) -> YamlFault:
    """Returns the fault of a value that was read."""
    return YamlFault(value.file, value.line, problem)


def _value(node: yaml.Node, file: str, depth: int) -> Value:
    line = node.start_mark.line + 1
    if depth > 20:  # also where an alias contains itself
        raise YamlFault(file, line, "is nested too deep")
    value: Value
    if isinstance(node, yaml.MappingNode):
        value = Table()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlFault(file, key_node.start_mark.line + 1, "a key must be text")
            key = str(key_node.value)
            if key in value:
                raise YamlFault(file, key_node.start_mark.line + 1, f"{key} is there twice")
            value[key] = _value(value_node, file, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        value = Rows(_value(each, file, depth + 1) for each in node.value)
    else:
        value = Text(node.value)
    value.file, value.line = file, line
    return value
