"""Patterns by RE2, whose time is linear in the text whatever the pattern."""

from functools import lru_cache
from typing import Any

import re2

from domain.assessment.model.texts import PatternMatcher

# Enough for any pattern an author writes; one that needs more is refused when the item is saved.
_MEMORY = 1 << 20


def _options(case_sensitive: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = case_sensitive
    return options


@lru_cache(maxsize=10_000)
def _compiled(pattern: str, case_sensitive: bool) -> Any:
    return re2.compile(pattern, _options(case_sensitive))


class Re2PatternMatcher(PatternMatcher):
    def fault(self, pattern: str) -> str | None:
        for case_sensitive in (True, False):
            try:
                _compiled(pattern, case_sensitive)
            except re2.error as error:
                fault = error.args[0] if error.args else "not a pattern"
                return fault.decode(errors="replace") if isinstance(fault, bytes) else str(fault)
        return None

    def matches(self, pattern: str, text: str, case_sensitive: bool) -> bool:
        return _compiled(pattern, case_sensitive).fullmatch(text) is not None
