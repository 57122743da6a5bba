"""Resource names (AIP-122): `learners/{learner}/responses/{response}`."""

from collections.abc import Sequence
from functools import lru_cache

from domain.shared.errors import InvalidInput
from domain.shared.ids import chosen_id


def ids_in(name: str, collections: Sequence[str], field: str = "name") -> tuple[str, ...]:
    """Returns the ids of a name that must be `collection/{id}/...` for these collections, or raises InvalidInput naming the field."""
    parts = name.split("/")
    if len(parts) != 2 * len(collections) or parts[::2] != list(collections):
        form = "/".join(f"{each}/{{{each.rstrip('s')}}}" for each in collections)
        raise InvalidInput.of(field, f"must be a name of the form {form}")
    return tuple(chosen_id(each, field) for each in parts[1::2])


# The names of learners, items and skills come again with every answer.
@lru_cache(16_384)
def id_in(name: str, collection: str, field: str = "name") -> str:
    """Returns the id of a name that must be `collection/{id}`, or raises InvalidInput naming the field."""
    return ids_in(name, (collection,), field)[0]
