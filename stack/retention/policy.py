"""`retention.yaml` in the stack's directory."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml


class WrongPolicy(Exception):
    """The file says something that cannot be done; the text names it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Periods; 0 means for ever."""

    attempts_months: int = 0
    """Whole months of attempts that stay in PostgreSQL. The lake keeps them all the same."""
    retired_days: int = 30
    """How long a month that was taken out can be put back, before it is dropped."""
    topic_days: int = 30
    """How long the log keeps batches that all its readers have passed."""
    answer_days: int = 30
    """How long the answer to a `request_id` is remembered."""
    months_ahead: int = 2
    """So many months of attempts are made before they are needed."""

    @classmethod
    def read(cls, path: Path) -> "Policy":
        """Returns what the file says, else the defaults. Raises WrongPolicy."""
        if not path.exists():
            return cls()
        try:
            found: Any = yaml.safe_load(path.read_text()) or {}
        except yaml.YAMLError as error:
            raise WrongPolicy(f"{path} is not YAML: {error}") from error
        names = {each.name for each in fields(cls)}
        if not isinstance(found, dict) or (unknown := sorted(set(found) - names)):
            raise WrongPolicy(
                f"{path} has {', '.join(unknown) if isinstance(found, dict) else 'no settings'}: choose of {sorted(names)}"
            )
        for name, value in found.items():
            if type(value) is not int or not 0 <= value <= 36_500:
                raise WrongPolicy(f"{path}: {name} is {value!r}: write a whole number from 0 to 36500")
        if found.get("topic_days") == 1 or found.get("months_ahead", 0) > 24:
            raise WrongPolicy(f"{path}: topic_days is 0 or from 2 on, months_ahead at most 24")
        return cls(**found)
