"""Pods of the generated manifests as processes of this machine: their containers' commands, environment and files, addresses substituted."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from stack.certificates import Certificates
from tests.e2e.platform import ROOT
from tests.edge.proxy import ENVOY, eventually
from tests.stores import free_port
from tests.unit.k8s.cluster import Cluster, Manifest, Pod

IMAGE = Path(os.environ.get("PAIDEIA_TEST_IMAGE", ROOT))
"""Where the image's /opt/paideia is: this checkout, or a folder that was made by the steps of the Dockerfile."""
PYTHON = str(IMAGE.parent / "venv/bin/python") if IMAGE != ROOT else sys.executable


@dataclass
class Node:
    """This machine as the node that the pods run on. `elsewhere` has the addresses of what they find by name, `values` those settings
    whose values the stores of the tests give."""

    cluster: Cluster
    folder: Path
    secrets: Path
    certificates: Certificates
    values: Mapping[str, str]
    elsewhere: dict[str, str]
    _ports: dict[tuple[str, int], int] = field(default_factory=dict)

    def port(self, owner: str, number: int) -> int:
        """Where a port of a pod is here."""
        return self._ports.setdefault((owner, number), free_port())

    def address(self, owner: str, text: str) -> str:
        """An address of a pod's settings as it is here."""
        if text in self.elsewhere:
            return self.elsewhere[text]
        host, _, number = text.rpartition(":")
        if host in ("0.0.0.0", "127.0.0.1"):
            return f"127.0.0.1:{self.port(owner, int(number))}"
        for service, each in self.cluster.of_kind("Service").items():
            if host.startswith(f"{service}."):
                (behind,) = self.cluster.selected(each["spec"]["selector"])
                return f"127.0.0.1:{self.port(behind.owner, int(number))}"
        raise AssertionError(f"nothing here answers as {text}")

    @contextmanager
    def running(self, owner: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
        """Runs a pod until left: what prepares it to its end, then the others, each when the one before it has started."""
        pod = self.cluster.pod(owner)
        place = self.folder / owner
        self._mount(pod, place)
        processes: dict[str, subprocess.Popen[bytes]] = {}
        with ExitStack() as stack:
            for container in pod.containers:
                if container not in pod.lasting:
                    done = subprocess.run(
                        self._command(pod, container, place),
                        capture_output=True,
                        cwd=IMAGE,
                        env=self._environment(pod, container, place),
                    )
                    assert done.returncode == 0, done.stderr.decode()
                    continue
                log = place / f"{container['name']}.log"
                process = subprocess.Popen(
                    self._command(pod, container, place),
                    stdout=stack.enter_context(log.open("wb")),
                    stderr=subprocess.STDOUT,
                    cwd=IMAGE,
                    env=self._environment(pod, container, place),
                )
                stack.callback(_stopped, process)
                processes[container["name"]] = process
                self.passes(owner, container["name"], "startupProbe")
            yield processes

    def passes(self, owner: str, container: str, probe: str) -> None:
        """Waits until the node's question is answered well."""
        asked = self.cluster.pod(owner).container(container)[probe]["httpGet"]
        url = f"http://127.0.0.1:{self.port(owner, asked['port'])}{asked['path']}"
        eventually(lambda: self._answers(url), 60)

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            return httpx.get(url, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def _mount(self, pod: Pod, place: Path) -> None:
        """The volumes: secrets with exactly the keys that are projected, the certificate that cert-manager would issue, the settings."""
        for volume in pod.spec["volumes"]:
            path = place / volume["name"]
            if volume["name"] in ("mesh", "public-tls"):
                names = self._certificate_names(volume["secret"]["secretName"])
                folder = self.certificates.ensure_workload(*names) if volume["name"] == "mesh" else self.certificates.public
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to(folder)
                continue
            path.mkdir(parents=True)
            for source in volume.get("projected", {}).get("sources", []):
                for item in source["secret"]["items"]:
                    if (self.secrets / item["key"]).exists() or not source["secret"].get("optional"):
                        (path / item["path"]).write_text((self.secrets / item["key"]).read_text())
            if volume["name"] == "envoy-settings":
                settings = self._here(pod, self.cluster.proxy_settings(pod), place)
                (path / "settings.yaml").write_text(yaml.safe_dump(settings))

    def _certificate_names(self, secret: str) -> tuple[str, tuple[str, ...]]:
        spec = next(each["spec"] for each in self.cluster.of_kind("Certificate").values() if each["spec"]["secretName"] == secret)
        workload = spec.get("uris", [""])[0].removeprefix("spiffe://paideia/")
        return workload, tuple(name.removesuffix(".mesh.paideia") for name in spec["dnsNames"])

    def _here(self, pod: Pod, settings: Manifest, place: Path) -> Manifest:
        def here(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: here(each) for key, each in value.items()}
            if isinstance(value, str) and value.startswith("/etc/paideia/"):
                return self._file(pod, value, place)
            if isinstance(value, str) and value.rpartition(":")[2].isdigit() and not value.startswith("http"):
                return self.address(pod.owner, value)
            return value

        made: Manifest = here(settings)
        # Addresses that no setting names, because in a pod they are its own.
        for name, number in (("admin", 9901), ("jwks_listen", 8081)):
            made[name] = f"127.0.0.1:{self.port(pod.owner, number)}"
        if "public_url" in made:
            made["public_url"] = self.values["PAIDEIA_PUBLIC_URL"]
        return made

    def _file(self, pod: Pod, path: str, place: Path) -> str:
        mounts = {mount["mountPath"]: mount["name"] for each in pod.containers for mount in each["volumeMounts"]}
        for mounted, name in mounts.items():
            if path == mounted or path.startswith(f"{mounted}/"):
                return str(place / name) + path.removeprefix(mounted)
        raise AssertionError(f"nothing is mounted at {path}")

    def _command(self, pod: Pod, container: Manifest, place: Path) -> Sequence[str]:
        program = {"python": PYTHON, "envoy": str(ENVOY)}
        first, *rest = container["command"]
        return [program[first], *(self._file(pod, each, place) if each.startswith("/etc/paideia/") else each for each in rest)]

    def _environment(self, pod: Pod, container: Manifest, place: Path) -> dict[str, str]:
        """The container's variables, all of them and no others, beside those of the image."""
        made = {
            "PATH": os.environ["PATH"],
            "HOME": str(place / "tmp"),
            "PYTHONPATH": f"{IMAGE}:{IMAGE / 'gen'}",
            "PYTHONUNBUFFERED": "1",
        }
        for each in container.get("env", []):
            name, value = each["name"], each.get("value", "")
            if name in self.values:
                value = self.values[name]
            elif name == "PAIDEIA_TARGETS":
                pairs = (pair.split("=") for pair in value.split(","))
                value = ",".join(f"{context}={self.address(pod.owner, at)}" for context, at in pairs)
            elif name.endswith("LISTEN"):
                value = self.address(pod.owner, value)
            elif value.startswith("/etc/paideia/"):
                value = self._file(pod, value, place)
            made[name] = value
        return made


def _stopped(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    # A process that does not end is no reason to leave it behind.
    watch = threading.Timer(45, process.kill)
    watch.start()
    process.wait()
    watch.cancel()
