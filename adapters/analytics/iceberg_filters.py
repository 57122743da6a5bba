"""Iceberg's comparisons of a column with a text or a time, under types that say so: the library's own are those of its JSON models."""

from typing import Any

from pyiceberg.expressions import BooleanExpression, EqualTo, GreaterThanOrEqual, LessThan
from pyiceberg.manifest import DataFile

_EQUAL: Any = EqualTo
_AT_LEAST: Any = GreaterThanOrEqual
_BELOW: Any = LessThan

Partition = tuple[int, int]
"""The day, counted from 1970, and the organization's bucket."""


def equal(column: str, value: str) -> BooleanExpression:
    found: BooleanExpression = _EQUAL(column, value)
    return found


def at_least(column: str, value: str) -> BooleanExpression:
    found: BooleanExpression = _AT_LEAST(column, value)
    return found


def below(column: str, value: str) -> BooleanExpression:
    found: BooleanExpression = _BELOW(column, value)
    return found


def partition_of(file: DataFile) -> Partition:
    return int(file.partition[0]), int(file.partition[1])
