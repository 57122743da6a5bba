"""The libraries that only training needs."""

import importlib
from types import ModuleType


class MissingLibrary(ValueError):
    """A library is not installed; the message says how to install it."""


def extra(name: str, kind: str) -> ModuleType:
    """Returns a module of the extra `inference`. Raises MissingLibrary."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        library = name.partition(".")[0]
        raise MissingLibrary(
            f"training {kind} needs {library}, which is not installed: pip install 'paideia[inference]'"
        ) from error
