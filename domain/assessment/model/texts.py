"""How texts are compared, and the port that matches patterns."""

import unicodedata
from typing import Protocol


class PatternMatcher(Protocol):
    """Matches patterns in time linear in the text, whatever the pattern; the syntax is RE2's."""

    def fault(self, pattern: str) -> str | None:
        """Says what is wrong with a pattern, or returns None if it can be used."""
        ...

    def matches(self, pattern: str, text: str, case_sensitive: bool) -> bool:
        """Whether the pattern, which has no fault, matches the whole text."""
        ...


def folded(text: str) -> str:
    """NFKC, without white space around, every run of white space one space."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def comparable(text: str, case_sensitive: bool) -> str:
    """The form in which two texts are equal or not."""
    text = folded(text)
    # Folding case can leave what NFKC would join; a second pass makes the form stable.
    return text if case_sensitive else folded(text.casefold())
