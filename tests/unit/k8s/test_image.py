"""The image: it holds what the pods run. It is not built by the tests."""

import ast
import fnmatch
import re
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.k8s.cluster import ROOT, cluster

DOCKERFILE = (ROOT / "Dockerfile").read_text()
KEPT = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]


def test_what_the_image_is_made_from_is_there() -> None:
    assert [each for each in KEPT if not (ROOT / each).exists()] == []


def test_every_package_of_ours_is_in_the_image() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = [each.name for each in ROOT.iterdir() if any(fnmatch.fnmatch(each.name, pattern) for pattern in wanted)]
    # The stubs are made where the image is made.
    assert [each for each in packages if each not in KEPT and "." not in each] == []


def test_every_file_that_a_pod_runs_is_in_the_image() -> None:
    for pod in cluster("small").pods:
        for container in pod.containers:
            command = [
                *container["command"],
                *container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", []),
            ]
            for part in command:
                if part.endswith(".py"):
                    relative = part.removeprefix("/opt/paideia/")
                    assert (ROOT / relative).is_file()
                    assert any(relative == kept or relative.startswith(f"{kept}/") for kept in KEPT), part
            if command[:2] == ["python", "-m"]:
                assert command[2].partition(".")[0] in KEPT


def test_it_runs_as_the_user_of_the_pods_and_not_as_root() -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    for pod in cluster("small").pods:
        context = pod.spec["securityContext"]
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user


def test_its_packages_are_those_that_are_tested() -> None:
    # No installation without the pins, and one base for both stages.
    installs = re.findall(r"pip install ([^\n]+)", DOCKERFILE)
    assert installs
    assert all("-c constraints.txt" in each for each in installs)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON}", "${PYTHON}"]
    assert re.search(r"^ARG PYTHON=python:3\.11-slim-\w+$", DOCKERFILE, re.MULTILINE)


def test_what_the_image_installs_provides_every_package_that_its_code_imports() -> None:
    """Not only what happens to come with the tools of the tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed: set[str] = set()
    _closure([*project["dependencies"], *project["optional-dependencies"]["inference"]], installed)
    provided = {
        name for name, owners in packages_distributions().items() if {canonicalize_name(each) for each in owners} & installed
    }
    folders = ("adapters", "domain", "integrations", "migrations", "services", "envoy")
    ours = {*folders, "paideia", "edge", "stack", "lab", "cli"}
    missing = {
        (module, str(file.relative_to(ROOT)))
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        for module in _imports(file)
        if module not in sys.stdlib_module_names | ours | provided
    }
    # `google` is a namespace that several distributions share.
    assert sorted(each for each in missing if each[0] != "google") == []


def _closure(requirements: list[str], found: set[str]) -> None:
    for text in requirements:
        requirement = Requirement(text)
        extras = requirement.extras or {""}
        name = canonicalize_name(requirement.name)
        if name in found and not requirement.extras:
            continue
        found.add(name)
        needed = distribution(name).requires or []
        _closure([each for each in needed if _applies(Requirement(each), extras)], found)


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": each}) for each in extras)


def _imports(file: Path) -> set[str]:
    """The top packages that a module imports when it is imported, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
