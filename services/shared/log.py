"""The log's messages, as handlers see them."""

from typing import Protocol


class LogMessage(Protocol):
    """What most handlers read of a message; adapters/shared/delivery.py has all of it."""

    @property
    def organization(self) -> str: ...

    @property
    def value(self) -> bytes: ...
