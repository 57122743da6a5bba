"""What a context does for a person's privacy: export everything it has about them, or erase them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

Records = Mapping[str, Sequence[str]]
"""Records by what they are, such as `attempts`; each is a JSON object as text."""


class PersonalRecords(Protocol):
    """Everything that a context has about people, by their ids."""

    async def export(self, organization: str, person: str) -> Records:
        """Raises Unavailable."""
        ...

    async def erase(self, organization: str, person: str, pseudonym: str) -> Mapping[str, int]:
        """Removes what names the person and gives the rest to the pseudonym: after it, nothing has the person's id.

        Doing it again changes nothing, except for what came late. Returns how many records it removed or changed, by what they are.
        Raises Unavailable.
        """
        ...


def part_of(records: Records) -> bytes:
    """Returns a context's records as one JSON object: lists of objects by what they are."""
    return "".join(_written(records)).encode()


def _written(records: Records) -> Iterator[str]:
    yield "{"
    for at, (name, rows) in enumerate(sorted(records.items())):
        yield f'{"," if at else ""}\n"{name}": [\n'
        yield ",\n".join(rows)
        yield "\n]"
    yield "\n}\n"
