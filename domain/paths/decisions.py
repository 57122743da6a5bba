"""The overrides of a path as planning reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from domain.paths.model import Override, OverrideKind


@dataclass(frozen=True)
class Decisions:
    """The overrides by kind: `by` finds who decided what about a skill; `pins` are newest first."""

    overrides: tuple[Override, ...]

    @cached_property
    def by(self) -> Mapping[tuple[OverrideKind, str], Override]:
        single = (each for each in self.overrides if each.kind is not OverrideKind.LOCK_ORDER)
        return {(each.kind, each.skills[0]): each for each in single}

    @cached_property
    def order(self) -> Override | None:
        return next((each for each in self.overrides if each.kind is OverrideKind.LOCK_ORDER), None)

    @cached_property
    def pins(self) -> tuple[str, ...]:
        return tuple(skill for kind, skill in reversed(tuple(self.by)) if kind is OverrideKind.PIN_FIRST)

    @cached_property
    def skipped(self) -> frozenset[str]:
        return frozenset(skill for kind, skill in self.by if kind is OverrideKind.SKIP)

    @cached_property
    def added(self) -> frozenset[str]:
        return frozenset(skill for kind, skill in self.by if kind is OverrideKind.ADD)
