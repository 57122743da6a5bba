"""One page of a list. The cursor is the key of the last element; only its context reads it."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most `size` elements after `after` (a cursor a page returned; None is the beginning)."""

    size: int
    after: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`next` is None on the last page."""

    elements: tuple[T, ...]
    next: tuple[str, ...] | None = None
