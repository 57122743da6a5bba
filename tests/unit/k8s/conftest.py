"""`k8s/` and `envoy/` are no packages: their modules are found as their own scripts find them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "k8s"), str(ROOT / "envoy")]


@pytest.fixture(scope="session")
def generate() -> ModuleType:
    """`k8s/generate.py`, by a name of its own: there is one beside Envoy, too."""
    spec = importlib.util.spec_from_file_location("k8s_generate", ROOT / "k8s" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
