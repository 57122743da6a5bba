"""What an attack came to."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Finding:
    """How often it was tried and how often the platform held; `failures` say what did not."""

    name: str
    tried: int = 0
    passed: int = 0
    failures: list[str] = field(default_factory=list)
    note: str = ""

    def expect(self, held: bool, failure: str) -> None:
        """Counts one try; `failure` says what happened if it did not hold."""
        self.tried += 1
        if held:
            self.passed += 1
        else:
            self.failures.append(failure)

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "tried": self.tried, "passed": self.passed, "failures": self.failures, "note": self.note}
