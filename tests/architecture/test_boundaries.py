"""Boundaries that import-linter's contracts cannot say."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_DOMAIN = {"domain", "numpy", *sys.stdlib_module_names}


def modules(folder: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py"))


def imported(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield node.module or ""


@pytest.mark.parametrize("module", modules("domain"), ids=str)
def test_the_domain_imports_only_the_standard_library_and_numpy(module: Path) -> None:
    assert {name.partition(".")[0] for name in imported(module)} <= IN_DOMAIN


@pytest.mark.parametrize("module", modules("services"), ids=str)
def test_only_containers_and_the_host_know_adapters(module: Path) -> None:
    may = module.name == "container.py" or module.parts[1] == "host"
    assert may or not any(name.startswith("adapters") for name in imported(module))


@pytest.mark.parametrize("module", modules("adapters"), ids=str)
def test_generated_messages_stay_in_the_adapters_that_speak_them(module: Path) -> None:
    speaks = module.stem.partition("_")[0] in ("grpc", "kafka")
    assert speaks or not any(name.startswith("paideia") for name in imported(module))


def test_every_context_has_the_same_name_in_every_layer() -> None:
    layers = {
        folder: {path.name for path in (ROOT / folder).iterdir() if path.is_dir() and not path.name.startswith("_")}
        for folder in ("domain", "adapters", "services")
    }
    contexts = layers["domain"] - {"shared", "psychometrics"}
    assert layers["adapters"] - {"shared"} == contexts
    assert layers["services"] - {"shared", "host"} == contexts
    assert {path.name for path in (ROOT / "protos/paideia").iterdir()} - {"auth"} == contexts
