"""Ids as a port, and the one rule for ids that people choose."""

import re
from collections.abc import Callable
from uuid import UUID, uuid4

from domain.shared.errors import InvalidInput

NewId = Callable[[], str]
"""Returns a fresh UUID in canonical form."""

_CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CHOSEN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")


def random_id() -> str:
    return str(uuid4())


def chosen_id(value: str, field: str) -> str:
    """Returns an id a person chose, or raises InvalidInput naming the field."""
    if not _CHOSEN_ID.fullmatch(value):
        raise InvalidInput.of(field, "must be 1 to 128 letters, digits, '.', '_', '~' or '-', beginning with a letter or digit")
    return value


def canonical_uuid(value: str, field: str) -> str:
    """Returns a UUID in its canonical form, or raises InvalidInput naming the field."""
    if _CANONICAL_UUID.fullmatch(value):  # a fifth of the time
        return value
    try:
        if len(value) != 36:
            raise ValueError
        return str(UUID(value))
    except ValueError:
        raise InvalidInput.of(field, "must be a UUID, such as 8f14e45f-ceea-467f-a8c5-8a3f6b1d2c3e") from None
