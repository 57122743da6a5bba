"""Recovery codes: ten one-time codes on paper, for the day the phone is lost."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.shared.errors import InvalidInput

HOW_MANY = 10
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32: no letter looks like a digit."""
LENGTH = 12
"""Characters of 5 bits each: 60 bits, far beyond what the throttle lets anybody try."""

_CODE = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
_LOOKALIKES = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """One code of a user's, kept as a keyed digest only. A used one stays, so that its second use is noticed."""

    digest: bytes
    used_at: datetime | None = None


def new_codes(random_below: Callable[[int], int]) -> tuple[str, ...]:
    """Returns ten different codes as they are shown, `xxxx-xxxx-xxxx`. `random_below(n)` draws from 0 to n - 1."""
    codes: dict[str, None] = {}
    while len(codes) < HOW_MANY:
        code = "".join(ALPHABET[random_below(len(ALPHABET))] for _ in range(LENGTH))
        codes["-".join(code[at : at + 4] for at in range(0, LENGTH, 4))] = None
    return tuple(codes)


def checked_code(code: str, field: str) -> str:
    """Returns a code without dashes, in lower case and with the letters people mistake put right, or raises InvalidInput."""
    bare = code.lower().translate(_LOOKALIKES)
    if len(code) > 3 * LENGTH or not _CODE.fullmatch(bare):
        raise InvalidInput.of(field, "must be a recovery code such as k7m2-09ab-x4c8")
    return bare


def unused(codes: Sequence[RecoveryCode]) -> int:
    return sum(code.used_at is None for code in codes)
