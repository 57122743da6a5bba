"""Etags (AIP-154) that count the changes of a resource."""

from domain.shared.errors import InvalidInput


def revision_in(etag: str, what: str, field: str = "etag") -> int | None:
    """Returns the revision that an etag of `what` stands for, None if it is left out. Raises InvalidInput naming the field."""
    if not etag:
        return None
    if not (etag.isascii() and etag.isdecimal() and len(etag) < 19):
        raise InvalidInput.of(field, f"must be the etag of the {what}, unchanged")
    return int(etag)
