"""Evaluates the `check:` expressions of a course exactly, with nothing but arithmetic: no names, no attributes, no calls of Python's."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

Exact = Fraction | bool | str

_BINARY: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _ends(value: Fraction) -> bool:
    """Whether the decimal form ends: no prime but 2 and 5 divides the denominator in lowest terms."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _nearest(value: Fraction) -> Fraction:
    """The multiple of a half that is nearest."""
    return Fraction(round(value * 2), 2)


def _which(*conditions_and_names: Exact) -> str:
    """The name after the only condition that is true."""
    pairs = zip(conditions_and_names[::2], conditions_and_names[1::2], strict=True)
    (name,) = [str(name) for condition, name in pairs if condition is True]
    return name


_FUNCTIONS: dict[str, Callable[..., Exact]] = {
    "max": max,
    "min": min,
    "abs": abs,
    "gcd": lambda a, b: Fraction(math.gcd(int(a), int(b))),
    "floor": lambda a: Fraction(math.floor(a)),
    "round": lambda a: Fraction(round(a)),
    "compare": lambda a, b: "<" if a < b else ">" if a > b else "=",
    "ends": _ends,
    "nearest": _nearest,
    "which": _which,
}


def evaluate(expression: str, names: Mapping[str, Exact] | None = None) -> Exact:
    """Returns the exact value. Raises ValueError for anything that is not arithmetic."""
    return _value(ast.parse(expression, mode="eval").body, names or {})


def _value(node: ast.expr, names: Mapping[str, Exact]) -> Exact:
    match node:
        case ast.Constant(value=bool() as value):
            return value
        case ast.Constant(value=int() as value):
            return Fraction(value)
        case ast.Constant(value=str() as value):
            return value
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_fraction(operand, names)
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _BINARY:
            return _BINARY[type(operation)](_fraction(left, names), _fraction(right, names))
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(each, names) is True for each in values)
        case ast.Compare(left=left, ops=operations, comparators=comparators):
            sides = [_value(each, names) for each in (left, *comparators)]
            return all(_COMPARE[type(operation)](sides[n], sides[n + 1]) for n, operation in enumerate(operations))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(each, names) for each in arguments))
    raise ValueError(f"not arithmetic: {ast.unparse(node)}")


def _fraction(node: ast.expr, names: Mapping[str, Exact]) -> Fraction:
    value = _value(node, names)
    if not isinstance(value, Fraction):
        raise ValueError(f"not a number: {ast.unparse(node)}")
    return value


_NUMBER = re.compile(r"(?<![\d/.,])(?:(\d+) )?(\d+)/(\d+)(?![\d/])|(?<![\d/.,])(\d+(?:\.\d+)?)(%?)(?![\d/])")


def number_in(text: str) -> Fraction:
    """Returns the one number a text holds: whole, decimal, fraction, mixed number or percentage. Raises ValueError otherwise."""
    found = list(_NUMBER.finditer(text))
    if len(found) != 1:
        raise ValueError(f"not exactly one number: {text!r}")
    whole, top, bottom, decimal, percent = found[0].groups()
    if decimal:
        return Fraction(decimal) / (100 if percent else 1)
    return Fraction(int(whole or 0)) + Fraction(int(top), int(bottom))


_COUNTS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12,
}  # fmt: skip


def number_in_words(text: str) -> Fraction:
    """Returns what English words such as `two and a half` say. Raises ValueError if they say no number."""
    words = [word for word in re.split(r"[\s-]+", text.lower()) if word not in ("and", "kilograms", "kg", "over")]
    total, count = Fraction(0), Fraction(1)
    counted = False
    for word in words:
        part = _PARTS.get(word) or _PARTS.get(word.removesuffix("s"))
        if part:
            total, counted = total + (count if counted else 1) * Fraction(1, part), False
        elif word in _COUNTS:
            if counted:  # "five over eight", or a whole before a part: "two and one half"
                total += count
            count, counted = Fraction(_COUNTS.index(word)), True
        elif word in ("a", "an"):
            if counted:
                total += count
            count, counted = Fraction(1), True
        else:
            raise ValueError(f"not a number in words: {text!r}")
    if " over " in text:
        top, bottom = (Fraction(_COUNTS.index(word)) for word in words)
        return top / bottom
    return total + (count if counted else 0)
