"""Opaque page tokens (AIP-158)."""

import base64
import binascii

import orjson

from domain.shared.errors import InvalidInput
from domain.shared.page import Page, PageRequest


def page_request(page_size: int, page_token: str, default: int = 50, maximum: int = 1000) -> PageRequest:
    """Returns the page asked for. Zero means `default`, more than `maximum` means `maximum`; raises InvalidInput otherwise."""
    if page_size < 0:
        raise InvalidInput.of("page_size", "must not be negative")
    return PageRequest(min(page_size or default, maximum), _cursor(page_token) if page_token else None)


def next_token(page: Page[object]) -> str:
    """Returns the token of the page after this one, empty after the last."""
    return base64.urlsafe_b64encode(orjson.dumps(page.next)).decode() if page.next is not None else ""


def _cursor(token: str) -> tuple[str, ...]:
    try:
        cursor = orjson.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, orjson.JSONDecodeError, UnicodeEncodeError):
        cursor = None
    if not isinstance(cursor, list) or not cursor or not all(isinstance(each, str) and "\0" not in each for each in cursor):
        raise InvalidInput.of("page_token", "must be the next_page_token of the page before, unchanged")
    return tuple(cursor)
