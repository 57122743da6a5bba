r"""Exact numbers as people write them.

Read are, after Unicode compatibility folding (NFKC):
  decimals         `12`  `-0.75`  `.5`  `12,5`  `1.5e-3`
  fractions        `3/4`  `-10/4`  `¾`
  mixed numbers    `1 3/4`  `1¾`                     (the fraction part less than 1)
  grouped digits   `12 345`  `12'345`  `12,345.6`  `1,234,567`

A point is always the decimal point. A comma is the decimal comma, unless it groups digits beyond doubt. A single comma before
exactly three digits (`1,234`) may be either: it is refused, so that the learner writes it clearly, rather than guessed.
Texts of at most `LONGEST` characters and exponents within ±`LARGEST_EXPONENT` bound the work.
"""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from math import gcd

LONGEST = 100
LARGEST_EXPONENT = 300
LONGEST_UNIT = 32

_MINUS = str.maketrans(dict.fromkeys("−‒–﹣－‐‑", "-") | dict.fromkeys("⁄∕÷", "/") | dict.fromkeys("’ʼ‘", "'"))
_SIGN = r"(?P<sign>[+-]?)[ ]?"
_RATIO = re.compile(_SIGN + r"(?:(?P<whole>[0-9]+) )?(?P<over>[0-9]+) ?/ ?(?P<under>[0-9]+)")
_DECIMAL = re.compile(
    _SIGN
    + r"""(?P<digits>
        [1-9][0-9]{0,2}(?:[ '][0-9]{3})+(?![0-9])(?:[.,][0-9]+)?   # 12 345,6
      | [1-9][0-9]{0,2}(?:,[0-9]{3})+\.[0-9]+                        # 12,345.6
      | [1-9][0-9]{0,2}(?:,[0-9]{3}){2,}(?![0-9])                    # 1,234,567
      | [0-9]+(?:[.,][0-9]*)?
      | [.,][0-9]+
    )(?:[eE](?P<exponent>[+-]?[0-9]{1,9}))?""",
    re.VERBOSE,
)
_EITHER = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")
# A unit begins with a letter or one of the usual signs, so that `1/2/3` or `3.4.5` is no number with a unit.
_UNIT = re.compile(r"(?:[^\W\d_]|[%‰°$€£¥'\"]).*")


class NotANumber(ValueError):
    """The text is not one number; its message says what would be."""


@dataclass(frozen=True, slots=True)
class Number:
    """`lowest_terms` is False for a fraction that can be reduced, such as 2/4; a decimal is always in lowest terms."""

    value: Fraction
    lowest_terms: bool = True


def exact(text: str) -> Number:
    """Reads a number without a unit, or raises NotANumber."""
    number, unit = number_and_unit(text)
    if unit:
        raise NotANumber("must be a number without a unit")
    return number


def number_and_unit(text: str) -> tuple[Number, str]:
    """Reads a number and the unit written after it (empty if none), or raises NotANumber."""
    if len(text) > LONGEST:
        raise NotANumber(f"must be at most {LONGEST} characters")
    text = _plain(text)
    if ratio := _RATIO.match(text):
        return _ratio(ratio), _unit(text[ratio.end() :])
    if decimal := _DECIMAL.match(text):
        return _decimal(decimal), _unit(text[decimal.end() :])
    raise NotANumber("must be a number, such as 12, -0.75, 3/4 or 1 3/4")


def plain_unit(text: str) -> str:
    """The form in which units are compared: compatibility folded, without white space around; capitals count (mm is not Mm)."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _plain(text: str) -> str:
    # `1½` must not become `11/2`, which NFKC alone would make of it.
    apart = "".join(f" {each}" if unicodedata.decomposition(each).startswith("<fraction>") else each for each in text)
    folded = unicodedata.normalize("NFKC", apart).translate(_MINUS)
    return " ".join("".join(_ascii_digit(each) for each in folded).split())


def _ascii_digit(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


def _ratio(found: re.Match[str]) -> Number:
    whole, over, under = int(found["whole"] or 0), int(found["over"]), int(found["under"])
    if under == 0:
        raise NotANumber("must not divide by zero")
    if found["whole"] and over >= under:
        raise NotANumber("must be a mixed number whose fraction is less than 1, such as 1 3/4")
    value = whole + Fraction(over, under)
    return Number(-value if found["sign"] == "-" else value, gcd(over, under) == 1)


def _decimal(found: re.Match[str]) -> Number:
    digits, exponent = found["digits"], int(found["exponent"] or 0)
    if _EITHER.fullmatch(digits):
        raise NotANumber(f"must be clear: write {digits.replace(',', '')} or {digits.replace(',', '.')}")
    if abs(exponent) > LARGEST_EXPONENT:
        raise NotANumber(f"must have an exponent between -{LARGEST_EXPONENT} and {LARGEST_EXPONENT}")
    digits = digits.replace(" ", "").replace("'", "")
    digits = digits.replace(",", "") if "." in digits or digits.count(",") > 1 else digits.replace(",", ".")
    whole, _, part = digits.partition(".")
    value = Fraction(int(whole + part)) * Fraction(10) ** (exponent - len(part))
    return Number(-value if found["sign"] == "-" else value)


def _unit(rest: str) -> str:
    unit = plain_unit(rest)
    if unit and (len(unit) > LONGEST_UNIT or not _UNIT.fullmatch(unit)):
        raise NotANumber("must be one number, such as 12, -0.75, 3/4 or 1 3/4; a unit may follow")
    return unit
